// Command pulumi-resource-command runs commands here and over SSH as Pulumi resources, with the
// tokens and properties of npm's @pulumi/command.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// version is set by the linker to the version that npm's @pulumi/command asks for.
var version = "0.0.0"

func main() {
	provider, err := infer.NewProviderBuilder().
		WithResources(
			infer.Resource(&LocalCommand{}),
			infer.Resource(&RemoteCommand{}),
			infer.Resource(&CopyToRemote{}),
		).
		WithFunctions(infer.Function(&LocalRun{})).
		Build()
	if err == nil {
		err = provider.Run(context.Background(), "command", version)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-command:", err)
		os.Exit(1)
	}
}
