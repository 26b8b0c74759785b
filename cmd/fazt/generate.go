package main

// The pages of docs/reference that come from tables, and who may do what, are
// written by `make gen` and compared by every run of the tests.
//
//go:generate go test ../../spec -count=1 -run=TestReferencePageIsCurrent -update
//go:generate go test . -count=1 -run=TestReferencePages|TestAccess -update
