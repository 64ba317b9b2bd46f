// Load on one API server, with the standard library only: creates, gets and lists of pods over HTTPS
// with a client certificate. Prints one JSON object of figures. Bounded by -n.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

var (
	server = flag.String("server", "", "https://host:port")
	ca     = flag.String("ca", "", "PEM file")
	cert   = flag.String("cert", "", "PEM file")
	key    = flag.String("key", "", "PEM file")
	count  = flag.Int("n", 2000, "requests of each kind")
)

const pods = "/api/v1/namespaces/default/pods"

// About what a small real pod weighs.
func pod(name string) []byte {
	return []byte(fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"labels":{"app":"load"}},`+
		`"spec":{"schedulerName":"nobody","containers":[{"name":"main","image":"busybox:1","command":["sleep","3600"],`+
		`"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"ports":[{"containerPort":80}],`+
		`"resources":{"requests":{"cpu":"100m","memory":"64Mi"}}}]}}`, name))
}

func client() *http.Client {
	pem, err := os.ReadFile(*ca)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	check(err)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}},
		MaxIdleConnsPerHost: 100,
	}}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// Replies come as they are: what gzip costs is a row of its own.
func call(c *http.Client, method, path string, body []byte, want int) int {
	return callAs(c, method, path, body, want, "identity")
}

func callAs(c *http.Client, method, path string, body []byte, want int, encoding string) int {
	request, err := http.NewRequest(method, *server+path, bytes.NewReader(body))
	check(err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept-Encoding", encoding)
	reply, err := c.Do(request)
	check(err)
	defer reply.Body.Close()
	size, err := io.Copy(io.Discard, reply.Body)
	check(err)
	if reply.StatusCode != want {
		check(fmt.Errorf("%s %s: %s", method, path, reply.Status))
	}
	return int(size)
}

// Requests a second of n calls by as many clients, each with a connection of its own.
func rate(clients, n int, one func(c *http.Client, i int)) float64 {
	var next int64 = -1
	var wait sync.WaitGroup
	start := time.Now()
	for w := 0; w < clients; w++ {
		c := client()
		call(c, "GET", "/readyz", nil, 200)
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				i := atomic.AddInt64(&next, 1)
				if i >= int64(n) {
					return
				}
				one(c, int(i))
			}
		}()
	}
	wait.Wait()
	return float64(n) / time.Since(start).Seconds()
}

func main() {
	flag.Parse()
	figures := map[string]float64{}
	create := func(prefix string) func(*http.Client, int) {
		return func(c *http.Client, i int) { call(c, "POST", pods, pod(fmt.Sprintf("%s-%d", prefix, i)), 201) }
	}
	figures["creates_per_second_1_client"] = rate(1, *count/4, create("one"))
	figures["creates_per_second_50_clients"] = rate(50, *count, create("fifty"))
	figures["gets_per_second_50_clients"] = rate(50, 5**count, func(c *http.Client, i int) {
		call(c, "GET", fmt.Sprintf("%s/fifty-%d", pods, i%*count), nil, 200)
	})
	c := client()
	for encoding, name := range map[string]string{"identity": "list_1000_pods", "gzip": "list_1000_pods_gzip"} {
		var times []float64
		var bytes int
		for i := 0; i < 41; i++ {
			start := time.Now()
			bytes = callAs(c, "GET", pods+"?limit=1000", nil, 200, encoding)
			times = append(times, float64(time.Since(start).Microseconds())/1000)
		}
		sort.Float64s(times)
		figures[name+"_ms_median"] = times[len(times)/2]
		figures[name+"_ms_best"] = times[0]
		figures[name+"_bytes"] = float64(bytes)
	}
	check(json.NewEncoder(os.Stdout).Encode(figures))
}
