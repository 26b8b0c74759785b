package op

// Here returns the table with the verbs of this machine as ordinary operations:
// for the pipe within one process, which is the only way to run them.
func (t Table) Here() Table {
	here := make(Table, 0, len(t))
	for _, o := range t {
		c := *o.o
		c.row.Local = false
		here = append(here, Op{&c})
	}
	return here
}
