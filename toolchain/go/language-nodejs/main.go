// Command pulumi-language-nodejs is a small language host: the engine starts it, reads its port
// from the first line it prints, and asks it over gRPC to run Node.js programs and policy packs.
//
// It covers what running needs. Generating code and projects is left to upstream's host.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// version is set by the linker to the version of the Pulumi CLI it was made for.
var version = "0.0.0"

func main() {
	engineAddress := engineAddressFrom(os.Args[1:])
	cancel := make(chan bool)
	if engineAddress != "" {
		if err := exitWithEngine(engineAddress, cancel); err != nil {
			fail(err)
		}
	}
	server, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, newHost(engineAddress))
			return nil
		},
		Options: rpcutil.OpenTracingServerInterceptorOptions(nil),
	})
	if err != nil {
		fail(fmt.Errorf("cannot listen for the engine: %w", err))
	}
	fmt.Printf("%d\n", server.Port)
	if err := <-server.Done; err != nil {
		fail(fmt.Errorf("stopped serving the engine: %w", err))
	}
}

// engineAddressFrom finds the one positional argument among the flags that the engine passes
// (`-tracing=...` and the runtime options of Pulumi.yaml as `-name=value`, which every request
// carries again).
func engineAddressFrom(args []string) string {
	for _, arg := range args {
		if len(arg) > 0 && arg[0] != '-' {
			return arg
		}
	}
	return ""
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
	os.Exit(1)
}
