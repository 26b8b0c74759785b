// Package failpoint names the moments at which a node may be killed: before and
// behind every durable step. In a build with the tag failpoints, the variable
// FAZT_FAILPOINT makes the process end itself there, as kill -9 would; in every
// other build Reached is empty and costs nothing. Whoever writes something
// durable calls it; it refuses to know what is written.
package failpoint
