// agnhost: the few commands of the Kubernetes project's network test image that probes use, in one static program.
//
//	agnhost netexec --http-port=8080   HTTP server: / and /hostname answer the host name, /clientip the caller's address
//	agnhost connect --timeout=3s HOST:PORT   exit 0 when a TCP connection can be opened, 1 otherwise
//	agnhost pause                       wait for SIGTERM, collect children
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	command := "pause"
	arguments := []string{}
	if len(os.Args) > 1 {
		command, arguments = os.Args[1], os.Args[2:]
	}
	switch command {
	case "netexec":
		netexec(arguments)
	case "connect":
		connect(arguments)
	case "pause":
		pause()
	default:
		fmt.Fprintf(os.Stderr, "agnhost: unknown command %q\n", command)
		os.Exit(2)
	}
}

func netexec(arguments []string) {
	flags := flag.NewFlagSet("netexec", flag.ExitOnError)
	port := flags.Int("http-port", 8080, "port of the HTTP server")
	_ = flags.Parse(arguments)
	name, _ := os.Hostname()
	http.HandleFunc("/clientip", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
	go func() {
		fmt.Fprintln(os.Stderr, http.ListenAndServe(fmt.Sprintf(":%d", *port), nil))
		os.Exit(1)
	}()
	waitForTermination()
}

func connect(arguments []string) {
	flags := flag.NewFlagSet("connect", flag.ExitOnError)
	timeout := flags.Duration("timeout", 0, "give up after this time")
	_ = flags.Parse(arguments)
	connection, err := net.DialTimeout("tcp", flags.Arg(0), *timeout)
	if err != nil {
		if failure, ok := err.(net.Error); ok && failure.Timeout() {
			fmt.Fprintln(os.Stderr, "TIMEOUT")
		} else {
			fmt.Fprintln(os.Stderr, "OTHER", err)
		}
		os.Exit(1)
	}
	connection.Close()
}

func pause() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go func() {
		for range children {
			for {
				pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
				if pid <= 0 || err != nil {
					break
				}
			}
		}
	}()
	waitForTermination()
}

func waitForTermination() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
}
