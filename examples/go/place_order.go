// Places an order exactly once, whatever the network does: `go run place_order.go URL KEY ORDER_JSON`.
// Go 1.19 or later, the standard library alone. Copy PlaceOrder and what it calls.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net/http"
	"os"
	"time"
)

const (
	tries    = 8           // about a minute in all
	afterMax = time.Minute // Retry-After is heeded, but not for ever
)

var client = &http.Client{Timeout: 5 * time.Second} // for one try

// Problem is why an order was not placed. Code is what to match on.
type Problem struct {
	Code, Detail string
	Retryable    bool
}

func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// PlaceOrder sends the order until it is settled, and returns the order as JSON. The key names what the
// customer wanted, not the request: keep it with the cart before you call, and a process that dies in the
// middle asks again under the same one, and gets the same order. The token may be empty.
func PlaceOrder(ctx context.Context, url, token, key string, order []byte) ([]byte, error) {
	for tried := 0; ; tried++ {
		placed, after, err := try(ctx, url, token, key, order)
		problem, answered := err.(*Problem)
		if err == nil || answered && !problem.Retryable || tried+1 == tries || ctx.Err() != nil {
			return placed, err
		}
		// Full jitter, so that clients that failed together do not come back together.
		select {
		case <-time.After(after + time.Duration(rand.Int63n(int64(200*time.Millisecond)<<tried))):
		case <-ctx.Done(): // and so ends the next try
		}
	}
}

// try sends it once; an error that is no *Problem means that no answer came, and the order may be there.
func try(ctx context.Context, url, token, key string, order []byte) ([]byte, time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/orders", bytes.NewReader(order))
	if err != nil {
		return nil, 0, &Problem{"bad_url", err.Error(), false}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode == http.StatusCreated {
		return body, 0, err
	}
	after, _ := time.ParseDuration(answer.Header.Get("Retry-After") + "s")
	problem := &Problem{}
	// A proxy answered with a page or JSON of its own.
	if json.Unmarshal(body, problem) != nil || problem.Code == "" {
		problem = &Problem{"not_ours", answer.Status, answer.StatusCode >= 500 || answer.StatusCode == 429}
	}
	if after > afterMax {
		after = afterMax
	}
	return nil, after, problem
}

func main() {
	order, err := PlaceOrder(context.Background(), os.Args[1], os.Getenv("ORDERD_TOKEN"), os.Args[2], []byte(os.Args[3]))
	if err != nil {
		log.Fatal("refused: ", err)
	}
	fmt.Println(string(order))
}
