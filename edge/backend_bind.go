package edge

import (
	"context"
	"encoding/json"

	"github.com/fazt-sh/fazt/platform/binding"
	"github.com/fazt-sh/fazt/platform/egress"
	"github.com/fazt-sh/fazt/platform/fault"
	"github.com/fazt-sh/fazt/platform/rule"
	"github.com/fazt-sh/fazt/platform/script"
	"github.com/fazt-sh/fazt/platform/secret"
	"github.com/fazt-sh/fazt/platform/storage"
	"github.com/fazt-sh/fazt/spec"
)

// bind makes the table of what the code may reach.
func (b *backend) bind(ctx context.Context, s *Server, made *site, secrets map[string]spec.Object) (err error) {
	c := binding.Config{
		Text: map[string]secret.Value{}, Keys: map[string]*storage.Keys{}, SQL: map[string]*storage.SQL{}, Docs: map[string]binding.Docs{},
		Files: map[string]*storage.Files{}, Queues: map[string]binding.Queue{}, Services: map[string]binding.Fetcher{},
		Assets: map[string]binding.Fetcher{assetsName: assets{made}},
		Log:    func(l script.Line) { b.say(s, made.revision[0], l) },
	}
	open := opener{identity: s.config.Secrets, secrets: secrets, opened: map[string]secret.Value{}}
	for name, v := range b.app.Env {
		if c.Text[name], err = open.value(v); err != nil {
			return err
		}
	}
	if err := b.bindStores(ctx, &c); err != nil {
		return err
	}
	for _, other := range b.app.Services {
		c.Services[other.Name] = service{s, other.App}
	}
	if b.reach, err = s.openReach(b.app.Egress, open); err != nil {
		return err
	}
	if b.reach != nil {
		c.Egress = b.reach
	}
	b.veil = secret.NewVeil(open.opened)
	b.binding, err = binding.New(c)
	return err
}

// assetsName is how code knows the files of its own release.
const assetsName = "ASSETS"

// bindStores adds what the app keeps.
func (b *backend) bindStores(ctx context.Context, c *binding.Config) error {
	for _, kv := range b.app.KV {
		c.Keys[kv.Name] = b.store.Keys(kv.Name)
	}
	if b.app.SQL != nil {
		c.SQL[b.app.SQL.Name] = b.store.SQL(b.app.SQL.Name)
	}
	for _, d := range b.app.Docs {
		var indexes []storage.Index
		for _, i := range d.Indexes {
			indexes = append(indexes, storage.Index{Name: i.Name, On: i.On, Unique: i.Unique})
		}
		docs := b.store.Docs(d.Name, indexes)
		if err := docs.Ensure(ctx); err != nil {
			return err
		}
		rules, err := rulesOf(d.Rules)
		if err != nil {
			return err
		}
		c.Docs[d.Name] = binding.Docs{Store: docs, Rules: rules}
	}
	for _, f := range b.app.Blobs {
		c.Files[f.Name] = b.store.Files(f.Name, f.Quota)
	}
	for _, q := range b.app.Queues {
		c.Queues[q.Name] = binding.Queue{Store: b.jobs, Name: q.Name}
	}
	return nil
}

// rulesOf are the rules of a set of documents, by what they allow.
func rulesOf(declared []spec.Rule) (map[string]*rule.Rule, error) {
	rules := map[string]*rule.Rule{}
	for _, d := range declared {
		text, err := json.Marshal(d.When)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "write down rule %q", d.Name)
		}
		if rules[d.Name], err = rule.Parse(text); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "rule %q", d.Name)
		}
	}
	return rules, nil
}

// openReach makes the app's way to other hosts, nil where it has none.
func (s *Server) openReach(rules []spec.Egress, open opener) (*egress.Client, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	config := egress.Config{Log: s.log}
	if s.config.Trial {
		config.Transport = &s.elsewhere
	}
	for _, declared := range rules {
		declared = declared.Filled()
		rule := egress.Rule{Host: declared.Host, Methods: declared.Methods, Ports: declared.Ports, Header: map[string]func() string{}}
		for name, v := range declared.Header {
			value, err := open.value(v)
			if err != nil {
				return nil, err
			}
			rule.Header[name] = value.Reveal
		}
		config.Rules = append(config.Rules, rule)
	}
	return egress.New(config)
}

// opener opens what is sealed to this node.
type opener struct {
	identity *secret.Identity
	secrets  map[string]spec.Object  // by name
	opened   map[string]secret.Value // what was, by address; nil forgets it
}

// value is a text as it is, or a secret as it is now: an app on an older release
// gets the value that the newest revision has.
func (o opener) value(v spec.EnvValue) (secret.Value, error) {
	if v.Secret == "" {
		return secret.NewValue(v.Text), nil
	}
	object, there := o.secrets[v.Secret]
	if !there {
		return secret.Value{}, fault.New(fault.Invalid, "no app of this node is declared with secret.%s any more", v.Secret).WithHint("declare the app with it, or take it out of the app's block")
	}
	var sealed spec.Secret
	if err := json.Unmarshal(object.Spec, &sealed); err != nil {
		return secret.Value{}, fault.Wrap(fault.Internal, err, "read the object %s", object.Addr)
	}
	if o.identity == nil {
		return secret.Value{}, fault.New(fault.Unavailable, "this node has no key to open secret.%s with", v.Secret)
	}
	value, err := o.identity.Unseal(string(object.Addr), sealed.Envelope)
	if err == nil && o.opened != nil {
		o.opened[string(object.Addr)] = value
	}
	return value, err
}
