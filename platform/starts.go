package platform

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// crashWindow is how long a start is remembered that did not end well.
const crashWindow = time.Minute

// Crashes is how often this folder was opened within the last minute by a
// process that neither closed it nor lived on for a minute.
func (p *Platform) Crashes() int { return p.crashes }

func (p *Platform) startsFile() string { return filepath.Join(RunFolder(p.Dir), "starts") }

// noteStart writes this start down behind the recent ones. A disk that is full
// takes no note, and must not keep the node from starting.
func (p *Platform) noteStart(now time.Time) {
	var starts []time.Time
	if src, err := os.ReadFile(p.startsFile()); err == nil {
		_ = json.Unmarshal(src, &starts) // what cannot be read counts as nothing
	}
	recent := starts[:0]
	for _, at := range starts {
		if age := now.Sub(at); age >= 0 && age < crashWindow {
			recent = append(recent, at)
		}
	}
	p.crashes = len(recent)
	text, err := json.Marshal(append(recent, now.UTC()))
	if err == nil {
		temp := p.startsFile() + ".new"
		if err = os.WriteFile(temp, text, 0o600); err == nil {
			err = os.Rename(temp, p.startsFile())
		}
	}
	if err != nil {
		p.log.Warn("this start is not written down", "component", "platform", "error", err)
	}
}

// forgetStarts says that all is well: the node has lived long enough, or ends as
// it should.
func (p *Platform) forgetStarts() { _ = os.Remove(p.startsFile()) }
