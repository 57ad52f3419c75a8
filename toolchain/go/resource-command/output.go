package main

import (
	"bytes"
	"context"
	"strings"
	"sync"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Logging says which of a command's output lines the user sees while it runs.
type Logging string

const (
	logStdout          Logging = "stdout"
	logStderr          Logging = "stderr"
	logStdoutAndStderr Logging = "stdoutAndStderr"
	logNone            Logging = "none"
)

// Values lists what is allowed.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: "Stdout", Value: logStdout, Description: "Log stdout only"},
		{Name: "Stderr", Value: logStderr, Description: "Log stderr only"},
		{Name: "StdoutAndStderr", Value: logStdoutAndStderr, Description: "Log both"},
		{Name: "None", Value: logNone, Description: "Log nothing"},
	}
}

func (l *Logging) allows(stream Logging) bool {
	return l == nil || *l == logStdoutAndStderr || *l == stream
}

// lastLinesKept is how many lines of each stream the error of a failed command repeats.
const lastLinesKept = 15

// capture keeps what a command prints and shows it line by line.
type capture struct {
	stdout *stream
	stderr *stream
}

func newCapture(ctx context.Context, logging *Logging) *capture {
	logger := provider.GetLogger(ctx)
	open := func(which Logging) *stream {
		if logging.allows(which) {
			return &stream{show: logger.Info}
		}
		return &stream{show: func(string) {}}
	}
	return &capture{stdout: open(logStdout), stderr: open(logStderr)}
}

// finish ends the last lines and returns all that was printed.
func (c *capture) finish() Output {
	return Output{Stdout: c.stdout.finish(), Stderr: c.stderr.finish()}
}

// lastLines is the text that an error ends with. The streams are apart because the order between
// them is not known; what went to stderr comes last, where the eye looks.
func (c *capture) lastLines() string {
	var lines []string
	for _, s := range []*stream{c.stdout, c.stderr} {
		s.mutex.Lock()
		lines = append(lines, s.last...)
		s.mutex.Unlock()
	}
	if len(lines) == 0 {
		return "; it printed nothing"
	}
	return "; its last lines:\n" + strings.Join(lines, "\n")
}

// stream is stdout or stderr. A command that leaves something running in the background can still
// write while the result is read.
type stream struct {
	show func(line string)

	mutex sync.Mutex
	all   bytes.Buffer
	line  []byte
	last  []string
}

func (s *stream) Write(data []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.all.Write(data)
	for _, b := range data {
		if b == '\n' {
			s.endLine()
		} else {
			s.line = append(s.line, b)
		}
	}
	return len(data), nil
}

func (s *stream) finish() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.line) > 0 {
		s.endLine()
	}
	return strings.TrimSuffix(s.all.String(), "\n")
}

func (s *stream) endLine() {
	line := strings.TrimSuffix(string(s.line), "\r")
	s.line = s.line[:0]
	if line == "" {
		return
	}
	s.last = append(s.last, line)
	if len(s.last) > lastLinesKept {
		s.last = s.last[1:]
	}
	s.show(line)
}
