package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
)

// killAfter is how long a cancelled command may take to end after SIGTERM.
const killAfter = 5 * time.Second

// Where is how and where a local command runs.
type Where struct {
	Dir          *string   `pulumi:"dir,optional"`
	Interpreter  *[]string `pulumi:"interpreter,optional"`
	AssetPaths   *[]string `pulumi:"assetPaths,optional"`
	ArchivePaths *[]string `pulumi:"archivePaths,optional"`
}

// Files are those that a local command left behind, as its patterns chose them.
type Files struct {
	Assets  *map[string]types.AssetOrArchive `pulumi:"assets,optional"`
	Archive *types.AssetOrArchive            `pulumi:"archive,optional"`
}

type LocalCommand struct{}

type LocalCommandArgs struct {
	Lifecycle
	Where
}

type LocalCommandState struct {
	LocalCommandArgs
	Output
	Files
}

func (c *LocalCommand) Annotate(a infer.Annotator) {
	a.SetToken("local", "Command")
}

func (*LocalCommand) Create(
	ctx context.Context, request infer.CreateRequest[LocalCommandArgs],
) (infer.CreateResponse[LocalCommandState], error) {
	state := LocalCommandState{LocalCommandArgs: request.Inputs}
	id, err := newID(request.Name)
	if err == nil && !request.DryRun && request.Inputs.Create != nil {
		err = state.run(ctx, *request.Inputs.Create, nil)
	}
	return infer.CreateResponse[LocalCommandState]{ID: id, Output: state}, err
}

func (*LocalCommand) Update(
	ctx context.Context, request infer.UpdateRequest[LocalCommandArgs, LocalCommandState],
) (infer.UpdateResponse[LocalCommandState], error) {
	state := LocalCommandState{
		LocalCommandArgs: request.Inputs,
		Output:           request.State.Output,
		Files:            request.State.Files,
	}
	var err error
	if command := request.Inputs.onUpdate(); !request.DryRun && command != nil {
		err = state.run(ctx, *command, &request.State.Output)
	}
	return infer.UpdateResponse[LocalCommandState]{Output: state}, err
}

func (*LocalCommand) Delete(
	ctx context.Context, request infer.DeleteRequest[LocalCommandState],
) (infer.DeleteResponse, error) {
	state := request.State
	if state.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	previous := state.Output
	return infer.DeleteResponse{}, state.run(ctx, *state.Delete, &previous)
}

// run runs `command` and puts what it printed and left behind into the state.
func (s *LocalCommandState) run(ctx context.Context, command string, previous *Output) error {
	interpreter := []string{"/bin/sh", "-c"}
	if runtime.GOOS == "windows" {
		interpreter = []string{"cmd", "/C"}
	}
	if s.Interpreter != nil && len(*s.Interpreter) > 0 {
		interpreter = *s.Interpreter
	}
	args := append(append([]string{}, interpreter...), command)
	process := exec.CommandContext(ctx, args[0], args[1:]...)
	if s.Dir != nil {
		process.Dir = *s.Dir
	}
	process.Env = os.Environ()
	own, passedOn := s.variables(previous)
	for _, variables := range []map[string]string{passedOn, own} {
		for name, value := range variables {
			process.Env = append(process.Env, name+"="+value)
		}
	}
	if s.Stdin != nil {
		process.Stdin = strings.NewReader(*s.Stdin)
	}
	captured := newCapture(ctx, s.Logging)
	process.Stdout, process.Stderr = captured.stdout, captured.stderr
	endAsGroup(process)

	err := process.Run()
	output := captured.finish()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the command was cancelled%s", captured.lastLines())
	case errors.Is(err, exec.ErrWaitDelay):
		// It ended well; only something it started in the background still holds its output.
	case err != nil:
		return fmt.Errorf("the command failed: %w%s", err, captured.lastLines())
	}
	s.Output = output
	return s.collect(process.Dir)
}

// endAsGroup gives the process a group of its own, so that a cancellation reaches all that it
// started, and lets it die with this plugin.
func endAsGroup(process *exec.Cmd) {
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	process.Cancel = func() error {
		group := -process.Process.Pid
		time.AfterFunc(killAfter, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		return syscall.Kill(group, syscall.SIGTERM)
	}
	process.WaitDelay = killAfter + time.Second
}

// LocalRun is the function `command:local:run`: it runs at every preview and update.
type LocalRun struct{}

type LocalRunArgs struct {
	Command                string             `pulumi:"command"`
	Stdin                  *string            `pulumi:"stdin,optional"`
	Logging                *Logging           `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool              `pulumi:"addPreviousOutputInEnv,optional"`
	Environment            *map[string]string `pulumi:"environment,optional"`
	Where
}

type LocalRunResult struct {
	LocalRunArgs
	Output
	Files
}

func (f *LocalRun) Annotate(a infer.Annotator) {
	a.SetToken("local", "run")
}

func (*LocalRun) Invoke(
	ctx context.Context, request infer.FunctionRequest[LocalRunArgs],
) (infer.FunctionResponse[LocalRunResult], error) {
	input := request.Input
	state := LocalCommandState{LocalCommandArgs: LocalCommandArgs{
		Lifecycle: Lifecycle{
			Stdin: input.Stdin, Logging: input.Logging, Environment: input.Environment,
		},
		Where: input.Where,
	}}
	err := state.run(ctx, input.Command, nil)
	return infer.FunctionResponse[LocalRunResult]{Output: LocalRunResult{
		LocalRunArgs: input, Output: state.Output, Files: state.Files,
	}}, err
}
