package platform

import (
	"slices"

	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Withheld names what of the record nobody is shown who asks it by hand: columns
// that are named like secrets, but for those that are known to be none. So what a
// new migration brings is withheld until it is judged here. With no column, it is
// asked of the table as a whole.
//
// Values of secrets are in the record only as the repository has them, sealed.
func Withheld(table, column string) bool {
	harmless := []string{
		"journal.hash", // of the entry, to be compared with one that was noted
		"lease.token",  // a number that counts processes
	}
	secret := []string{ // by another name
		"people_mail.code", "people_mail.link", "people_device.code", "people_totp.pending",
	}
	name := table + "." + column
	return slices.Contains(secret, name) || sqlite.SecretName(column) && !slices.Contains(harmless, name)
}
