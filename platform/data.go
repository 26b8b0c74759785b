package platform

import (
	"context"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/release"
)

// AsideFor is how long data is kept that nobody has any more.
const AsideFor = 30 * 24 * time.Hour

// Ownerless lists the data of no object, in service or in the trash. A release that
// is kept names the data that it had, and does not count: what goes back goes on with
// what there is. The error's kind is Internal while any record is damaged or set
// aside, as only that may know whose the data is.
func (p *Platform) Ownerless(ctx context.Context, data Data) ([]string, error) {
	if len(p.Aside()) > 0 {
		return nil, fault.New(fault.Internal, "a damaged record lies aside, which may know whose data is whose").
			WithHint("take it out of the state folder when nothing of it is needed: fazt doctor")
	}
	ids, err := p.Apps.List() // first: what is made meanwhile is not among them
	if err != nil {
		return nil, err
	}
	owned := map[string]bool{}
	err = p.Releases.Records(ctx, func(o release.Object) error {
		if o.Damaged != nil {
			return o.Damaged
		}
		id, err := data(o.Body)
		owned[id] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	var list []string
	for _, id := range ids {
		if !owned[id] {
			list = append(list, id)
		}
	}
	return list, nil
}

// SetAside sets data aside that nobody has any more. What is still open is set aside
// when the ground is tidied next.
func (p *Platform) SetAside(ctx context.Context, id string) {
	switch err := p.Apps.SetAside(ctx, id, p.Clock.Sure()); fault.KindOf(err) {
	case "":
		p.log.Info("data that nobody has any more is set aside", "component", "platform", "data", id, "until", p.Clock.Sure().Add(AsideFor))
	case fault.Conflict, fault.NotFound:
	default:
		p.log.Warn("data that nobody has stays where it is", "component", "platform", "data", id, "error", err)
	}
}

// tidyData sets aside what nobody has any more, and forgets what was set aside long
// ago. What is open belongs to somebody who is about to have it.
func (p *Platform) tidyData(ctx context.Context, data Data) {
	if data == nil {
		return
	}
	list, err := p.Ownerless(ctx, data)
	if err != nil {
		p.log.Warn("data that may be nobody's stays where it is", "component", "platform", "error", err)
		return
	}
	for _, id := range list {
		p.SetAside(ctx, id)
	}
	n, err := p.Apps.Forget(p.Clock.Sure().Add(-AsideFor))
	if n > 0 || err != nil {
		p.log.Info("what was set aside is forgotten", "component", "platform", "folders", n, "error", err)
	}
}
