package main

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// Lifecycle is what both kinds of command share: what to run when.
type Lifecycle struct {
	Create                 *string  `pulumi:"create,optional"`
	Update                 *string  `pulumi:"update,optional"`
	Delete                 *string  `pulumi:"delete,optional"`
	Triggers               *[]any   `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Stdin                  *string  `pulumi:"stdin,optional"`
	Logging                *Logging `pulumi:"logging,optional"`
	AddPreviousOutputInEnv *bool    `pulumi:"addPreviousOutputInEnv,optional"`

	Environment *map[string]string `pulumi:"environment,optional"`
}

// Annotate says what npm's package says: the previous output is passed on by default.
func (l *Lifecycle) Annotate(a infer.Annotator) {
	a.SetDefault(&l.AddPreviousOutputInEnv, true)
}

// onUpdate is the command for changed inputs: `update`, or else `create` again.
func (l *Lifecycle) onUpdate() *string {
	if l.Update != nil {
		return l.Update
	}
	return l.Create
}

// Output is what a command printed, without the last line's end.
type Output struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// variables are the environment of one run: the user's, and what the run before printed.
func (l *Lifecycle) variables(previous *Output) (own, passedOn map[string]string) {
	if l.Environment != nil {
		own = *l.Environment
	}
	if previous != nil && (l.AddPreviousOutputInEnv == nil || *l.AddPreviousOutputInEnv) {
		passedOn = map[string]string{
			"PULUMI_COMMAND_STDOUT": previous.Stdout,
			"PULUMI_COMMAND_STDERR": previous.Stderr,
		}
	}
	return own, passedOn
}

func newID(name string) (string, error) {
	random := make([]byte, 4)
	_, err := rand.Read(random)
	return name + hex.EncodeToString(random), err
}
