package cert

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/libdns/libdns"

	"github.com/fazt-sh/fazt/platform/fault"
)

const (
	cloudflareAPI  = "https://api.cloudflare.com/client/v4"
	cloudflareTime = 10 * time.Second
	answerMax      = 1 << 20
)

// cloudflare makes and removes TXT records through Cloudflare's API, version 4.
// The token needs Zone.Zone:Read and Zone.DNS:Edit.
type cloudflare struct {
	base  string
	zone  string // empty: the one that was found
	token func() (string, error)
	http  *http.Client
}

func newCloudflare(base, zone string, token func() (string, error)) *cloudflare {
	return &cloudflare{
		base: strings.TrimSuffix(cmp.Or(base, cloudflareAPI), "/"), zone: zone, token: token,
		http: &http.Client{
			Timeout:       cloudflareTime,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token is for one address
		},
	}
}

// record is a TXT record as the API has it.
type record struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Name    string `json:"name"`
	Content string `json:"content"`
	TTL     int    `json:"ttl"` // seconds
}

// AppendRecords implements libdns.RecordAppender.
func (c *cloudflare) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	var made []libdns.Record
	for _, r := range records {
		rr := r.RR()
		zone, name := inZone(zone, c.zone, rr)
		id, err := c.zoneID(ctx, zone)
		if err != nil {
			return made, err
		}
		var got record
		err = c.call(ctx, http.MethodPost, "/zones/"+id+"/dns_records", record{
			Type: "TXT", Name: strings.TrimSuffix(name, "."), Content: `"` + rr.Data + `"`, TTL: max(60, int(rr.TTL.Seconds())),
		}, &got)
		if err != nil {
			return made, err
		}
		made = append(made, libdns.TXT{Name: rr.Name, TTL: rr.TTL, Text: rr.Data, ProviderData: "/zones/" + id + "/dns_records/" + url.PathEscape(got.ID)})
	}
	return made, nil
}

// DeleteRecords implements libdns.RecordDeleter for what AppendRecords made.
func (c *cloudflare) DeleteRecords(ctx context.Context, _ string, records []libdns.Record) ([]libdns.Record, error) {
	var gone []libdns.Record
	for _, r := range records {
		txt, ok := r.(libdns.TXT)
		at, known := txt.ProviderData.(string)
		if !ok || !known {
			continue
		}
		if err := c.call(ctx, http.MethodDelete, at, nil, &record{}); err != nil {
			return gone, err
		}
		gone = append(gone, r)
	}
	return gone, nil
}

// zoneID asks for the id of a zone that the token may change.
func (c *cloudflare) zoneID(ctx context.Context, zone string) (string, error) {
	name := strings.TrimSuffix(zone, ".")
	var zones []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := c.call(ctx, http.MethodGet, "/zones?name="+url.QueryEscape(name), nil, &zones); err != nil {
		return "", err
	}
	for _, z := range zones {
		if strings.EqualFold(z.Name, name) && z.ID != "" {
			return url.PathEscape(z.ID), nil
		}
	}
	return "", fault.New(fault.NotFound, "cloudflare shows no zone %q to this token", name).WithSubject(name).
		WithHint("the token needs Zone:Read and DNS:Edit for that zone; if it goes by another name, set zone in dns")
}

// call makes one request and decodes its result. Errors never hold the token.
func (c *cloudflare) call(ctx context.Context, method, path string, in, out any) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return fault.Wrap(fault.Unavailable, cause(err), "cloudflare does not answer")
	}
	defer response.Body.Close()
	return decode(response, out)
}

// cause is an error of an HTTP client without the address.
func cause(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

func decode(response *http.Response, out any) error {
	raw, err := io.ReadAll(io.LimitReader(response.Body, answerMax))
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "cloudflare stops in the middle of its answer")
	}
	answer := struct {
		Success bool `json:"success"`
		Errors  []struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
		Result any `json:"result"`
	}{Result: out}
	bad := json.Unmarshal(raw, &answer)
	if bad == nil && answer.Success && response.StatusCode < 300 {
		return nil
	}
	why := "no reason given"
	if bad == nil && len(answer.Errors) > 0 {
		why = fmt.Sprintf("%s (code %d)", answer.Errors[0].Message, answer.Errors[0].Code)
	}
	return fault.New(fault.Unavailable, "cloudflare refuses with status %d: %s", response.StatusCode, why)
}
