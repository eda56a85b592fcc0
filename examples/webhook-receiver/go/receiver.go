// Receives orderd's webhooks: `WEBHOOK_SECRET=whsec_… go run receiver.go 9000`. Go 1.19, nothing to install.
//
// What has to be right, in this order: the signature covers the bytes as they came, so verify before parsing;
// compare in constant time; refuse what is old, or whoever overheard it can send it again; and expect each
// event more than once, with the same webhook-id.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const tolerance = 5 * time.Minute

// In earnest: a unique column in your database, written in the transaction of what you do.
var (
	seen = map[string]bool{}
	turn sync.Mutex
)

func isGenuine(header http.Header, body, secret []byte) bool {
	id, sentAt := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(sentAt, 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); err != nil || age > tolerance || age < -tolerance {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.%s", id, sentAt, body)
	wanted := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	genuine := false
	// Several, with blanks between, for a day after the secret was changed.
	for _, one := range strings.Fields(header.Get("webhook-signature")) {
		genuine = hmac.Equal([]byte(one), []byte(wanted)) || genuine
	}
	return genuine
}

func main() {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	if err != nil || len(secret) == 0 {
		log.Fatal("WEBHOOK_SECRET is not one: ", err)
	}
	receive := func(response http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, 64<<10))
		var event struct{ Type, Subject string }
		if err != nil || !isGenuine(request.Header, body, secret) || json.Unmarshal(body, &event) != nil {
			response.WriteHeader(http.StatusUnauthorized)
			return
		}
		turn.Lock()
		defer turn.Unlock()
		if id := request.Header.Get("webhook-id"); !seen[id] {
			fmt.Println(event.Type, event.Subject) // what you do with it: soon, or in a queue
			seen[id] = true
		}
		response.WriteHeader(http.StatusNoContent) // and not before it is done: all else has it sent again
	}
	server := &http.Server{
		Addr: "127.0.0.1:" + os.Args[1], Handler: http.HandlerFunc(receive),
		// For who connects and sends nothing, or reads nothing.
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}
	log.Fatal(server.ListenAndServe())
}
