package spec

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Workload is the canonical form of a workload block: programs that an issuer vouches
// for, such as the jobs of a forge, and what they may do.
type Workload struct {
	Issuer   string            `json:"issuer"`
	Audience string            `json:"audience,omitempty"` // empty: https://CONSOLE
	Claims   map[string]string `json:"claims"`             // what their tokens say, all to the letter
	Roles    []string          `json:"roles"`              // that they have ("role:deployer"), sorted
}

func workloadBlock() Block {
	return Block{
		Name: "workload", Labels: []string{"name"}, Since: "0.6.0",
		Doc: "Programs that somebody else vouches for, and that so need no token of this node: the jobs of a forge. " +
			"A job that sends a token of the issuer, for this node and with these claims, has these roles for as long as the token is good, at most an hour.",
		Example: "role \"deployer\" {\n  grant {\n    actions = [\"observe\", \"plan\", \"deploy\"]\n    on      = [\"node\"]\n  }\n}\n" +
			"workload \"github\" {\n  issuer = \"https://token.actions.githubusercontent.com\"\n  claims = { repository = \"me/site\", ref = \"refs/heads/main\" }\n  roles  = [role.deployer]\n}",
		Attributes: []Attribute{
			{Name: "issuer", Type: TypeString, Required: true, Doc: "who vouches for them, as its tokens have it: `\"https://token.actions.githubusercontent.com\"`, `\"https://gitlab.com\"`", Effect: EffectHot, Risk: RiskHigh, Since: "0.6.0"},
			{Name: "audience", Type: TypeString, Default: `"https://CONSOLE"`, Doc: "whom the token must be for, where it is not the address of the console", Effect: EffectHot, Risk: RiskMedium, Since: "0.6.0"},
			{Name: "claims", Type: TypeStringMap, Required: true, Doc: "what the token must say, each to the letter: whose program it is, and which", Effect: EffectHot, Risk: RiskHigh, Since: "0.6.0"},
			{Name: "roles", Type: TypeStrings, Required: true, Doc: "the roles that it has, such as role.deployer", Effect: EffectHot, Risk: RiskHigh, Since: "0.6.0"},
		},
	}
}

// workloads evaluates the workload blocks.
func (l *load) workloads(blocks []*block) {
	l.declare("workload", "workload", blocks)
	for _, b := range blocks {
		l.sharedThing(b, Addr("workload."+b.label()), KindWorkload, func(d *decoded, r *reporter) any {
			w := Workload{Issuer: issuerOf(d, r), Audience: audienceOf(d, r), Claims: claimsOf(d, r), Roles: l.subjects(d, "roles", holders(), r)}
			if list, given := d.values["roles"].([]string); given && len(list) == 0 {
				r.error(codeValue, d.at("roles"), `"roles" is empty`, "name the roles that it has, or remove the block: it may do nothing")
			}
			return w
		})
	}
}

// audienceOf is whom tokens must be for. It is kept to the letter.
func audienceOf(d *decoded, r *reporter) string {
	text, given := d.values["audience"].(string)
	if given && (strings.TrimSpace(text) != text || text == "") {
		r.error(codeValue, d.at("audience"), fmt.Sprintf("%s is not an audience", quoted(text)), "write it as the job asks for it, or leave it out for https://CONSOLE")
	}
	return text
}

// claimForm is what names of claims look like: some issuers have addresses for them.
var claimForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,200}$`) })

// claimsOf are what a token must say. A claim without a value would be one that the
// token may lack.
func claimsOf(d *decoded, r *reporter) map[string]string {
	claims, given := d.values["claims"].(map[string]string)
	if given && len(claims) == 0 {
		r.error(codeValue, d.at("claims"), `"claims" is empty`, "every program of the issuer's would be one of yours: say which, such as repository = \"me/site\"")
	}
	for _, name := range sortedKeys(claims) {
		value, at := claims[name], d.spot("claims").key(name).at()
		switch {
		case slices.Contains([]string{"iss", "aud", "exp", "nbf", "iat", "jti"}, name):
			r.error(codeName, at, fmt.Sprintf("%q is judged anyway", name), "issuer and audience say whose the token is and whom it is for; remove it")
		case !claimForm().MatchString(name):
			r.error(codeName, at, fmt.Sprintf("%s is not a claim", quoted(name)), "write it as the issuer's tokens have it")
		case strings.TrimSpace(value) == "":
			r.error(codeValue, at, fmt.Sprintf("%q is empty", name), "a claim that may be empty proves nothing: write its value, or remove it")
		case strings.Contains(value, "*"):
			r.error(codeValue, at, fmt.Sprintf("%q has a *, and a claim is compared to the letter", name), "write the whole value; a workload for each, if there are several")
		}
	}
	judgeOwner(d, claims, r)
	return claims
}

// judgeOwner refuses claims that programs of everybody have: issuers of forges vouch
// for the jobs of all who work there.
func judgeOwner(d *decoded, claims map[string]string, r *reporter) {
	owners := map[string][]string{
		"token.actions.githubusercontent.com": {"repository", "repository_id", "repository_owner", "repository_owner_id", "sub"},
		"gitlab.com":                          {"project_path", "project_id", "namespace_path", "namespace_id", "sub"},
	}
	u, err := url.Parse(d.string("issuer"))
	if err != nil || len(claims) == 0 {
		return
	}
	names, shared := owners[u.Hostname()]
	if shared && !slices.ContainsFunc(names, func(n string) bool { return claims[n] != "" }) {
		r.error(codeTogether, d.at("claims"), fmt.Sprintf("these claims are also those of strangers at %s", u.Hostname()),
			fmt.Sprintf("say whose program it is: %s = \"…\"", names[0]))
	}
}

// written are the arguments that are set.
func (w Workload) written() written {
	args := written{"claims": w.Claims}
	args.text("issuer", w.Issuer)
	args.text("audience", w.Audience)
	if len(w.Roles) > 0 {
		args["roles"] = subjectList(w.Roles)
	}
	return args
}
