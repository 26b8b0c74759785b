package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/fazt-sh/fazt/platform/fault"
)

// device is this program as it waits for a person to let it in at a node (RFC 8628).
type device struct {
	web  *http.Client
	url  string // of the console
	tell io.Writer
	wait func(ctx context.Context, d time.Duration) error
}

// deviceCode is the form in which a code is shown: nothing else a node says of it is
// put onto the terminal.
var deviceCode = regexp.MustCompile(`^[A-Z0-9]{4}-[A-Z0-9]{2}$`)

// deviceOf asks a node over a transport, and tells the person on standard error, where
// it is read also when nobody sits at the terminal.
func (p *program) deviceOf(url string, transport http.RoundTripper) device {
	return device{url: url, tell: p.stderr, wait: waited, web: &http.Client{Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// waited waits, or says why not.
func waited(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "nobody has answered yet").WithHint("run it again, and answer in time")
	case <-timer.C:
		return nil
	}
}

// token starts the flow and waits until somebody has answered.
func (d device) token(ctx context.Context, name string, scopes []string) (string, error) {
	var made struct {
		Code    string `json:"code"`
		Secret  string `json:"secret"`
		Expires int    `json:"expires_in"`
		Every   int    `json:"interval"`
	}
	status, err := d.ask(ctx, "/auth/device", map[string]any{"name": name, "scopes": scopes}, &made)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK || !deviceCode.MatchString(made.Code) || made.Secret == "" || made.Expires <= 0 {
		return "", d.strange()
	}
	fmt.Fprintf(d.tell, "Open %s\nand let in what shows the code\n\n    %s\n\n", d.url+"/auth/device?code="+url.QueryEscape(made.Code), made.Code)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(min(made.Expires, 3600))*time.Second)
	defer cancel()
	return d.poll(ctx, made.Secret, time.Duration(max(made.Every, 1))*time.Second)
}

// poll asks for the token until there is one. Who is told that it asks too often asks
// less often (RFC 8628, 3.5); a node that does not answer for a while may again.
func (d device) poll(ctx context.Context, secret string, every time.Duration) (string, error) {
	for {
		if err := d.wait(ctx, every); err != nil {
			return "", err
		}
		var got struct {
			Token string `json:"token"`
		}
		status, err := d.ask(ctx, "/auth/device/token", map[string]string{"secret": secret}, &got)
		switch kind := fault.KindOf(err); {
		case kind == fault.Exhausted || kind == fault.Unavailable:
			every += 5 * time.Second
		case kind == fault.NotFound:
			return "", fault.New(fault.Unavailable, "nobody answered in time").WithHint("run it again, and answer within 10 minutes")
		case err != nil:
			return "", err
		case status == http.StatusOK && got.Token != "":
			return got.Token, nil
		case status != http.StatusAccepted:
			return "", d.strange()
		}
	}
}

// ask sends JSON and reads JSON.
func (d device) ask(ctx context.Context, path string, in, out any) (status int, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := d.web.Do(r)
	if known := (*fault.Error)(nil); errors.As(err, &known) {
		return 0, known // its certificate
	}
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "%s does not answer", d.url)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "%s broke off", d.url)
	}
	if resp.StatusCode >= 400 {
		return resp.StatusCode, d.refused(resp.StatusCode, text)
	}
	if json.Unmarshal(text, out) != nil {
		return resp.StatusCode, d.strange()
	}
	return resp.StatusCode, nil
}

// refused is what a node says of why not, as far as it says so in its own words.
func (d device) refused(status int, text []byte) error {
	var said struct {
		Error struct {
			Kind          fault.Kind
			Message, Hint string
		}
	}
	if json.Unmarshal(text, &said) != nil || said.Error.Message == "" || said.Error.Kind.Status() != status {
		if status >= 500 {
			return fault.New(fault.Unavailable, "%s does not answer as it should (%d)", d.url, status)
		}
		return d.strange()
	}
	err := fault.New(said.Error.Kind, "%s", said.Error.Message)
	if said.Error.Hint != "" {
		err = err.WithHint("%s", said.Error.Hint)
	}
	return err
}

func (d device) strange() error {
	return fault.New(fault.Invalid, "%s lets nobody in by a code", d.url).
		WithHint("give the address of the node's console, like https://fazt.example.com, or a token: --token-file FILE")
}

// deviceName is what this program calls itself.
func deviceName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "fazt"
	}
	return "fazt on " + host
}
