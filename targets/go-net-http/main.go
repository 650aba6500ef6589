// The zoo's contract on Go's net/http: main HOST:PORT. targets/_apps/contract.py says what it answers.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const longestHoldS = 3600.0
const shownCharacters = 40
const clockMonotonic = 1

var logging = os.Getenv("FLOODMARK_LOG") == "1"
var number int64

// Go's own clock is CLOCK_MONOTONIC too, but cannot be asked for its value.
func monotonicS() float64 {
	var now syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	return float64(now.Sec) + float64(now.Nsec)/1e9
}

func say(number int64, id string, what string) {
	if logging {
		at := time.Now().UTC().Format("2006-01-02T15:04:05.000+00:00")
		fmt.Printf("%s pid=%d thread='goroutine' number=%d id='%s' %s\n", at, os.Getpid(), number, id, what)
	}
}

func held(answer string, defaultS float64) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		query := request.URL.Query()
		holdS, err := defaultS, error(nil)
		if query.Has("hold") {
			holdS, err = strconv.ParseFloat(query.Get("hold"), 64)
		}
		if err != nil || !(holdS >= 0 && holdS <= longestHoldS) {
			shown := query.Get("hold")
			if len(shown) > shownCharacters {
				shown = shown[:shownCharacters]
			}
			http.Error(response, fmt.Sprintf("hold=%q: give seconds from 0 to %g", shown, longestHoldS), http.StatusBadRequest)
			return
		}
		mine := atomic.AddInt64(&number, 1)
		say(mine, query.Get("id"), "sleeping...")
		// A goroutine may wake up in another thread than it went to sleep in: the thread named is the first.
		tid, beginS := syscall.Gettid(), monotonicS()
		time.Sleep(time.Duration(holdS * float64(time.Second)))
		endS := monotonicS()
		say(mine, query.Get("id"), "done")
		response.Header().Set("Server-Timing", fmt.Sprintf(
			`floodmark;dur=%.3f;begin=%.6f;end=%.6f;pid=%d;tid=%d;thread="goroutine"`,
			(endS-beginS)*1000, beginS, endS, os.Getpid(), tid))
		fmt.Fprint(response, answer)
	}
}

func main() {
	http.HandleFunc("/", held("hello", 0))
	http.HandleFunc("/health", held("ok", 0.1))
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
