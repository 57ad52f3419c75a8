package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/shlex"
)

// killAfter is how long a cancelled program may take to end by itself.
const killAfter = 5 * time.Second

// options are those runtime options of Pulumi.yaml that this host honours.
type options struct {
	// typescript loads the program through ts-node, as upstream's host does by default.
	typescript bool
	// nodeArgs go before the script, for example `--import tsx`.
	nodeArgs []string
}

func optionsFrom(values map[string]any) (options, error) {
	result := options{typescript: true}
	switch typescript := values["typescript"].(type) {
	case nil:
	case bool:
		result.typescript = typescript
	default:
		return result, fmt.Errorf(
			"runtime option \"typescript\" in Pulumi.yaml is %v; allowed are true and false", typescript)
	}
	switch nodeArgs := values["nodeargs"].(type) {
	case nil:
	case string:
		words, err := shlex.Split(nodeArgs)
		if err != nil {
			return result, fmt.Errorf("runtime option \"nodeargs\" in Pulumi.yaml, %q: %w", nodeArgs, err)
		}
		result.nodeArgs = words
	default:
		return result, fmt.Errorf(
			"runtime option \"nodeargs\" in Pulumi.yaml is %v; it must be a string of arguments", nodeArgs)
	}
	return result, nil
}

// sdkScript is the path of a script of the @pulumi/pulumi that code in `folder` would load.
func sdkScript(folder, name string) (string, error) {
	for at := folder; ; at = filepath.Dir(at) {
		script := filepath.Join(at, "node_modules", "@pulumi", "pulumi", "cmd", name)
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf(
				"no @pulumi/pulumi in the node_modules of %s or a folder above it; run npm ci there", folder)
		}
	}
}

// nodeCommand is a node process that dies with this one, and is asked to end when `ctx` does.
func nodeCommand(ctx context.Context, args, environment []string) *exec.Cmd {
	command := exec.CommandContext(ctx, "node", args...)
	command.Env = environment
	// No process group of its own: the engine ends a host by the host's group.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = killAfter
	return command
}

// exitCode tells a process that ended with a code from one that could not run.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}
