package platform_test

import (
	"log/slog"
	"slices"
	"testing"

	"github.com/fazt-sh/fazt/platform"
	"github.com/fazt-sh/fazt/platform/sqlite"
)

// Somebody has looked at each table of the record, and at what of it may be shown.
func TestEveryTableIsJudged(t *testing.T) {
	p, err := platform.Open(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, err := sqlite.NewConsole(sqlite.Bounds{}).Ask(t.Context(), p.DB, sqlite.Question{
		Query:    `SELECT DISTINCT m.name, x.name FROM sqlite_schema AS m, pragma_table_xinfo(m.name) AS x WHERE m.type IN ('table', 'view')`,
		Withheld: platform.Withheld,
	})
	if err != nil {
		t.Fatal(err)
	}
	judged := []string{"deployment", "generation", "hold", "journal", "kept", "lease", "lineage", "list", "object", "revision", "spent", "sqlite_sequence", "trash", "usage",
		"mail_day", "mail_outbox", "people_attempt", "people_device", "people_identity", "people_invite", "people_mail", "people_passkey", "people_person",
		"people_recovery", "people_session", "people_spent", "people_token", "people_totp",
		"migration_journal", "migration_mail", "migration_people", "migration_release", "migration_usage"}
	secrets := []string{"mail_outbox.sealed", "people_attempt.key", "people_device.code", "people_device.hash", "people_invite.hash", "people_mail.code", "people_mail.link",
		"people_recovery.hash", "people_session.hash", "people_token.hash", "people_totp.pending", "people_totp.secret"}
	for _, row := range a.Rows {
		table, column := row[0].(string), row[1].(string)
		if !slices.Contains(judged, table) {
			t.Errorf("the table %s is new: say in platform.Withheld what of it nobody may see, and then here that you did", table)
		}
		if name := table + "." + column; platform.Withheld(table, column) != slices.Contains(secrets, name) {
			t.Errorf("%s is withheld: %v. If that is wrong, say so in platform.Withheld", name, platform.Withheld(table, column))
		}
	}
	if len(a.Rows) < 50 {
		t.Errorf("only %d columns", len(a.Rows))
	}
	if !platform.Withheld("people_session", "token_hash") || platform.Withheld("people_session", "") {
		t.Error("a column of a new table that is named like a secret is shown, or its table is not")
	}
}
