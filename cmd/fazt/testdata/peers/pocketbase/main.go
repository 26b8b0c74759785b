// Command pocketbase is PocketBase as a framework, as its documentation has it,
// with one collection that anybody may read and write:
//
//	pocketbase serve --dir DIR --http ADDR [--logs off]
//
// Request logs are on, as they are by default, unless --logs is off, which is
// what an owner gets who sets the days they are kept to 0.
package main

import (
	"database/sql"
	"errors"
	"log"

	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/core"
	"github.com/pocketbase/pocketbase/tools/types"
)

func main() {
	app := pocketbase.NewWithConfig(pocketbase.Config{HideStartBanner: true})
	logs := app.RootCmd.PersistentFlags().String("logs", "on", "request logs: on or off")
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		e.InstallerFunc = nil // nobody is there to make the first superuser
		if err := errors.Join(collection(e.App), keep(e.App, *logs == "on")); err != nil {
			return err
		}
		return e.Next()
	})
	if err := app.Start(); err != nil {
		log.Fatal(err)
	}
}

// collection makes the collection of notes once.
func collection(app core.App) error {
	if _, err := app.FindCollectionByNameOrId("notes"); !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	c := core.NewBaseCollection("notes")
	everybody := types.Pointer("")
	c.ViewRule, c.CreateRule, c.UpdateRule = everybody, everybody, everybody
	c.Fields.Add(&core.TextField{Name: "title"}, &core.TextField{Name: "body"}, &core.BoolField{Name: "done"})
	return app.Save(c)
}

// keep turns request logs on, for the days of a new installation, or off.
func keep(app core.App, logs bool) error {
	settings := app.Settings()
	settings.Logs.MaxDays = 0
	if logs {
		settings.Logs.MaxDays = 5
	}
	return app.Save(settings)
}
