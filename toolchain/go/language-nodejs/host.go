package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	// alreadyReported is the exit code by which @pulumi/pulumi says that the user was told.
	alreadyReported = 32
	healthInterval  = 5 * time.Second
)

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	mutex         sync.Mutex
	engineAddress string

	// cancelled ends when the engine cancels the deployment.
	cancelled context.Context
	cancel    context.CancelFunc
}

func newHost(engineAddress string) *host {
	cancelled, cancel := context.WithCancel(context.Background())
	return &host{engineAddress: engineAddress, cancelled: cancelled, cancel: cancel}
}

// exitWithEngine closes `cancel` when the engine no longer answers, so that no host outlives it.
func exitWithEngine(engineAddress string, cancel chan bool) error {
	ctx, lost := context.WithCancel(context.Background())
	go func() {
		<-ctx.Done()
		close(cancel)
	}()
	if err := rpcutil.Healthcheck(ctx, engineAddress, healthInterval, lost); err != nil {
		return fmt.Errorf("cannot watch the engine at %s: %w", engineAddress, err)
	}
	return nil
}

func (h *host) Handshake(
	_ context.Context, request *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.engineAddress = request.GetEngineAddress()
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.cancel()
	return &emptypb.Empty{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

func (h *host) RuntimeOptionsPrompts(
	context.Context, *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

func (h *host) About(
	context.Context, *pulumirpc.AboutRequest,
) (*pulumirpc.AboutResponse, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("cannot find node: %w", err)
	}
	output, err := exec.Command(node, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s for its version: %w", node, err)
	}
	return &pulumirpc.AboutResponse{
		Executable: node,
		Version:    strings.TrimSpace(string(output)),
	}, nil
}

// Run runs a program to its end. What it prints goes to this process's own output, which the
// engine shows to the user.
func (h *host) Run(
	ctx context.Context, request *pulumirpc.RunRequest,
) (*pulumirpc.RunResponse, error) {
	options, err := optionsFrom(request.GetInfo().GetOptions().AsMap())
	if err != nil {
		return &pulumirpc.RunResponse{Error: err.Error()}, nil
	}
	script, err := sdkScript(request.GetInfo().GetProgramDirectory(), "run")
	if err != nil {
		return &pulumirpc.RunResponse{Error: err.Error()}, nil
	}
	environment, err := h.runEnvironment(request, options)
	if err != nil {
		return nil, err
	}
	ctx, cancel := h.untilCancelled(ctx)
	defer cancel()
	args := append(options.nodeArgs, script)
	command := nodeCommand(ctx, append(args, h.runArguments(request)...), environment)
	command.Stdout = os.Stdout
	command.Stderr = os.Stderr
	code, err := exitCode(command.Run())
	switch {
	case ctx.Err() != nil:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case err != nil:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("cannot run node: %v", err)}, nil
	case code == alreadyReported:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case code != 0:
		return &pulumirpc.RunResponse{
			Error: fmt.Sprintf("the program exited with code %d", code),
		}, nil
	}
	return &pulumirpc.RunResponse{}, nil
}

func (h *host) runArguments(request *pulumirpc.RunRequest) []string {
	h.mutex.Lock()
	engineAddress := h.engineAddress
	h.mutex.Unlock()
	args := []string{
		"--monitor", request.GetMonitorAddress(),
		"--engine", engineAddress,
		"--project", request.GetProject(),
		"--stack", request.GetStack(),
		"--organization", request.GetOrganization(),
		"--pwd", request.GetPwd(),
		"--root-directory", request.GetInfo().GetRootDirectory(),
		"--parallel", fmt.Sprint(request.GetParallel()),
	}
	if request.GetDryRun() {
		args = append(args, "--dry-run")
	}
	args = append(args, request.GetInfo().GetEntryPoint())
	return append(args, request.GetArgs()...)
}

func (h *host) runEnvironment(
	request *pulumirpc.RunRequest, options options,
) ([]string, error) {
	config := request.GetConfig()
	if config == nil {
		config = map[string]string{}
	}
	secretKeys := request.GetConfigSecretKeys()
	if secretKeys == nil {
		secretKeys = []string{}
	}
	configJSON, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	secretKeysJSON, err := json.Marshal(secretKeys)
	if err != nil {
		return nil, err
	}
	return append(os.Environ(),
		"PULUMI_CONFIG="+string(configJSON),
		"PULUMI_CONFIG_SECRET_KEYS="+string(secretKeysJSON),
		fmt.Sprintf("PULUMI_NODEJS_TYPESCRIPT=%t", options.typescript),
	), nil
}

// RunPlugin runs a policy pack. Its output goes over the stream: the engine reads the pack's port
// from it.
func (h *host) RunPlugin(
	request *pulumirpc.RunPluginRequest,
	stream grpc.ServerStreamingServer[pulumirpc.RunPluginResponse],
) error {
	if request.GetKind() != "analyzer" {
		return fmt.Errorf(
			"this language host runs policy packs (kind \"analyzer\"), not plugins of kind %q; "+
				"install the plugin as an executable", request.GetKind())
	}
	folder := request.GetInfo().GetProgramDirectory()
	options, err := optionsFrom(request.GetInfo().GetOptions().AsMap())
	if err != nil {
		return err
	}
	script, err := sdkScript(folder, "run-policy-pack")
	if err != nil {
		return err
	}
	ctx, cancel := h.untilCancelled(stream.Context())
	defer cancel()
	args := append(options.nodeArgs, script)
	args = append(args, request.GetArgs()...)
	// The pack's dependencies are found from its own folder, not from the program's.
	command := nodeCommand(ctx, append(args, "."), append(os.Environ(), request.GetEnv()...))
	command.Dir = folder
	var sending sync.Mutex
	command.Stdout = &lockedWriter{&sending, func(data []byte) error {
		return stream.Send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: data},
		})
	}}
	command.Stderr = &lockedWriter{&sending, func(data []byte) error {
		return stream.Send(&pulumirpc.RunPluginResponse{
			Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: data},
		})
	}}
	code, err := exitCode(command.Run())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("cannot run node: %w", err)
	}
	return stream.Send(&pulumirpc.RunPluginResponse{
		Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)},
	})
}

// untilCancelled is `ctx` that also ends when the engine cancels the deployment.
func (h *host) untilCancelled(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(h.cancelled, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// lockedWriter makes a writer of a function, and calls it once at a time.
type lockedWriter struct {
	mutex *sync.Mutex
	write func(data []byte) error
}

func (w *lockedWriter) Write(data []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if err := w.write(data); err != nil {
		return 0, err
	}
	return len(data), nil
}
