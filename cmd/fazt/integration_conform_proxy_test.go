//go:build integration

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// proxy is a program that stands in front of fazt. Each keeps connections to
// what is behind it where it can, and gives up on its client within seconds.
type proxy struct {
	name    string
	program string
	config  string   // {dir}, {port} of its own and {fazt}, the port behind
	args    []string // with {dir}, and {conf} for the file with the configuration
}

func proxies() []proxy {
	return []proxy{
		{"nginx", "nginx", nginxConfig, []string{"-e", "{dir}/error.log", "-p", "{dir}", "-c", "{conf}"}},
		{"haproxy", "haproxy", haproxyConfig, []string{"-db", "-f", "{conf}"}},
		{"varnish", "varnishd", varnishConfig, []string{"-F", "-j", "none", "-n", "{dir}/work", "-a", "127.0.0.1:{port}",
			"-T", "none", "-f", "{conf}", "-s", "malloc,16m", "-p", "timeout_idle=2", "-p", "pipe_timeout=2"}},
		{"lighttpd", "lighttpd", lighttpdConfig, []string{"-D", "-f", "{conf}"}},
		{"apache", "apache2", apacheConfig, []string{"-D", "FOREGROUND", "-d", "{dir}", "-f", "{conf}"}},
	}
}

const nginxConfig = `daemon off;
master_process off;
pid {dir}/pid;
events {}
http {
  access_log off;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  keepalive_timeout 2s;
  client_header_timeout 2s;
  client_body_timeout 2s;
  lingering_timeout 1s;
  upstream fazt { server 127.0.0.1:{fazt}; keepalive 8; }
  server {
    listen 127.0.0.1:{port};
    location / {
      proxy_pass http://fazt;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`

const haproxyConfig = `defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 10s
  timeout client 2s
  timeout http-request 2s
  timeout http-keep-alive 2s
  timeout server 20s
frontend in
  bind 127.0.0.1:{port}
  default_backend fazt
backend fazt
  server fazt 127.0.0.1:{fazt}
`

const varnishConfig = `vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "{fazt}"; }
sub vcl_backend_response { set beresp.uncacheable = true; }
`

const lighttpdConfig = `server.document-root = "{dir}"
server.port = {port}
server.bind = "127.0.0.1"
server.errorlog = "{dir}/error.log"
server.max-keep-alive-idle = 2
server.max-read-idle = 2
server.stream-request-body = 2
server.modules = ( "mod_proxy" )
proxy.server = ( "" => (( "host" => "127.0.0.1", "port" => {fazt} )) )
`

const apacheConfig = `ServerName proxy.test
PidFile {dir}/pid
ErrorLog {dir}/error.log
DefaultRuntimeDir {dir}
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
<IfModule unixd_module>
  User www-data
  Group www-data
</IfModule>
StartServers 1
KeepAliveTimeout 2
Timeout 2
ProxyTimeout 20
ProxyPreserveHost On
ProxyPass / http://127.0.0.1:{fazt}/ ttl=2
`

// start runs a proxy before a node and returns where it listens.
func (x proxy) start(w *world, behind string) (addr string) {
	t := w.t
	t.Helper()
	program := tool(t, x.program)
	dir := w.path(x.name)
	must(t, os.MkdirAll(dir, 0o777))
	_, fazt, err := net.SplitHostPort(behind)
	must(t, err)
	addr = freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	must(t, err)
	fill := strings.NewReplacer("{dir}", dir, "{port}", port, "{fazt}", fazt, "{conf}", dir+"/conf")
	must(t, os.WriteFile(dir+"/conf", []byte(fill.Replace(x.config)), 0o644))
	cmd := exec.Command(program)
	for _, arg := range x.args {
		cmd.Args = append(cmd.Args, fill.Replace(arg))
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir = &said, &said, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	gone := make(chan struct{})
	go func() { defer close(gone); _ = cmd.Wait() }()
	t.Cleanup(func() { end(cmd.Process.Pid, gone) })
	for late := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
		select {
		case <-gone:
			t.Fatalf("%s does not start:\n%s", x.name, &said)
		default:
		}
		if time.Now().After(late) {
			t.Fatalf("%s does not listen", x.name)
		}
	}
}

// end stops a process we started, with its children: gently, so that it stops
// those in groups of their own, and then the rest of its group.
func end(pid int, gone <-chan struct{}) {
	_ = syscall.Kill(pid, syscall.SIGTERM)
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	<-gone
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// passed is what became of a payload on its way through a proxy.
type passed struct {
	statuses []int
	fazt     int  // answers that came from fazt
	bare     bool // an answer without a head, as HTTP/0.9 has it
}

// TestIntegrationConformProxies: whatever a proxy makes of a payload, fazt makes
// the same of it: as many requests arrive as the proxy has answers for, and the
// next visitor gets his own page.
func TestIntegrationConformProxies(t *testing.T) {
	t.Parallel()
	for _, x := range proxies() {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			w := newPlainWorld(t)
			p := framedSite(w)
			addr := x.start(w, p.addr)
			all := payloads()
			through := make([]passed, len(all))
			turns := make(chan struct{}, 24)
			var asking sync.WaitGroup
			for i, load := range all {
				asking.Go(func() {
					turns <- struct{}{}
					defer func() { <-turns }()
					through[i] = pass(t, addr, load)
				})
			}
			asking.Wait()
			p.stop() // which writes the access log to its end
			bothSides(t, x.name, through, arrivals(t, w.path("access.log")))
		})
	}
}

// pass sends a payload through a proxy, then an honest request beside it.
func pass(t *testing.T, addr string, load payload) (got passed) {
	answers, rest := exchange(t, dialer(addr), expand(load.name, load.raw), "")
	for _, a := range answers {
		got.statuses = append(got.statuses, a.status)
		if a.header.Get("Fazt-Revision") != "" {
			got.fazt++
		}
	}
	got.bare = rest != ""
	after, _ := exchange(t, dialer(addr), clean(load.name)+"Connection: close\r\n\r\n", "")
	if len(after) != 1 || after[0].status != 200 || after[0].body != "clean "+load.name {
		t.Errorf("after %s the next visitor got %+v", load.name, after)
	}
	return got
}

// arrivals counts, by payload, the requests that fazt saw.
func arrivals(t *testing.T, log string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(log)
	must(t, err)
	seen := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var entry struct{ Path, Agent string }
		must(t, json.Unmarshal([]byte(line), &entry))
		for _, load := range payloads() {
			page := "/" + load.name + ".txt"
			if strings.Contains(entry.Path+entry.Agent, "m"+page) || entry.Path == "/s"+page {
				seen[load.name]++
			}
		}
	}
	return seen
}

// bothSides holds the two sides against each other. A request may arrive and the
// proxy answer it by itself, as it finds the body wrong; one that arrives
// without an answer is one the proxy does not know of.
func bothSides(t *testing.T, name string, through []passed, seen map[string]int) {
	t.Helper()
	var table strings.Builder
	wrong := 0
	for i, load := range payloads() {
		got, n := through[i], seen[load.name]
		answers := 0
		for _, status := range got.statuses {
			if status >= 200 {
				answers++
			}
		}
		if got.bare {
			answers++
		}
		verdict := ""
		if n > answers || n < got.fazt {
			verdict = "DESYNC"
			wrong++
		}
		fmt.Fprintf(&table, "%-22s arrived %d, answered %d, by fazt %d  %v %s\n", load.name, n, answers, got.fazt, got.statuses, verdict)
	}
	t.Logf("%s\n%s", name, &table)
	if wrong > 0 {
		t.Errorf("%s and fazt disagree about %d payloads", name, wrong)
	}
}
