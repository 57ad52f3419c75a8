package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/ssh"
)

type RemoteCommand struct{}

type RemoteCommandArgs struct {
	Lifecycle
	Connection *Connection `pulumi:"connection" provider:"secret"`
}

type RemoteCommandState struct {
	RemoteCommandArgs
	Output
}

func (c *RemoteCommand) Annotate(a infer.Annotator) {
	a.SetToken("remote", "Command")
}

func (*RemoteCommand) Create(
	ctx context.Context, request infer.CreateRequest[RemoteCommandArgs],
) (infer.CreateResponse[RemoteCommandState], error) {
	state := RemoteCommandState{RemoteCommandArgs: request.Inputs}
	id, err := newID(request.Name)
	if err == nil && !request.DryRun && request.Inputs.Create != nil {
		err = state.run(ctx, *request.Inputs.Create, nil)
	}
	return infer.CreateResponse[RemoteCommandState]{ID: id, Output: state}, err
}

func (*RemoteCommand) Update(
	ctx context.Context, request infer.UpdateRequest[RemoteCommandArgs, RemoteCommandState],
) (infer.UpdateResponse[RemoteCommandState], error) {
	state := RemoteCommandState{
		RemoteCommandArgs: request.Inputs,
		Output:            request.State.Output,
	}
	var err error
	if command := request.Inputs.onUpdate(); !request.DryRun && command != nil {
		err = state.run(ctx, *command, &request.State.Output)
	}
	return infer.UpdateResponse[RemoteCommandState]{Output: state}, err
}

func (*RemoteCommand) Delete(
	ctx context.Context, request infer.DeleteRequest[RemoteCommandState],
) (infer.DeleteResponse, error) {
	state := request.State
	if state.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	previous := state.Output
	return infer.DeleteResponse{}, state.run(ctx, *state.Delete, &previous)
}

// run runs `command` on the machine and puts what it printed into the state.
func (s *RemoteCommandState) run(ctx context.Context, command string, previous *Output) error {
	client, closeAll, err := s.Connection.connect(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go keepAlive(ctx, client)

	session, err := client.NewSession()
	if err != nil {
		return fmt.Errorf("cannot open a session on %s: %w", s.Connection.Host, err)
	}
	defer func() { _ = session.Close() }()
	own, passedOn := s.variables(previous)
	for name, value := range passedOn {
		// Most servers refuse variables; what the user did not ask for may be missing.
		_ = session.Setenv(name, value)
	}
	for name, value := range own {
		if err := session.Setenv(name, value); err != nil {
			return fmt.Errorf("the server %s refuses the variable %s: %w; allow it with AcceptEnv "+
				"in sshd_config or set it in the command", s.Connection.Host, name, err)
		}
	}
	if s.Stdin != nil {
		session.Stdin = strings.NewReader(*s.Stdin)
	}
	captured := newCapture(ctx, s.Logging)
	session.Stdout, session.Stderr = captured.stdout, captured.stderr
	stop := context.AfterFunc(ctx, func() {
		_ = session.Signal(ssh.SIGTERM)
		_ = client.Close()
	})
	defer stop()

	err = session.Run(command)
	output := captured.finish()
	if ctx.Err() != nil {
		return fmt.Errorf("the command on %s was cancelled%s", s.Connection.Host, captured.lastLines())
	}
	if err != nil {
		return fmt.Errorf("the command on %s failed: %w%s",
			s.Connection.Host, err, captured.lastLines())
	}
	s.Output = output
	return nil
}
