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

// lastLinesKept is how many lines of a failed command's output its error repeats.
const lastLinesKept = 20

// capture keeps what a command prints, shows it line by line, and remembers the last lines of
// both streams in the order they came.
type capture struct {
	mutex  sync.Mutex
	last   []string
	stdout *stream
	stderr *stream
}

func newCapture(ctx context.Context, logging *Logging) *capture {
	logger := provider.GetLogger(ctx)
	c := &capture{}
	open := func(which Logging) *stream {
		show := func(string) {}
		if logging.allows(which) {
			show = logger.Info
		}
		return &stream{capture: c, show: show}
	}
	c.stdout, c.stderr = open(logStdout), open(logStderr)
	return c
}

// finish ends the last lines and returns all that was printed.
func (c *capture) finish() Output {
	for _, s := range []*stream{c.stdout, c.stderr} {
		if len(s.line) > 0 {
			s.endLine()
		}
	}
	return Output{
		Stdout: strings.TrimSuffix(c.stdout.all.String(), "\n"),
		Stderr: strings.TrimSuffix(c.stderr.all.String(), "\n"),
	}
}

// lastLines is the text that an error ends with: empty when nothing was printed.
func (c *capture) lastLines() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.last) == 0 {
		return "; it printed nothing"
	}
	return "; its last lines:\n" + strings.Join(c.last, "\n")
}

func (c *capture) remember(line string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.last = append(c.last, line)
	if len(c.last) > lastLinesKept {
		c.last = c.last[1:]
	}
}

// stream is one of the two; each is written to by one goroutine.
type stream struct {
	capture *capture
	show    func(line string)
	all     bytes.Buffer
	line    []byte
}

func (s *stream) Write(data []byte) (int, error) {
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

func (s *stream) endLine() {
	line := strings.TrimSuffix(string(s.line), "\r")
	s.line = s.line[:0]
	s.capture.remember(line)
	if line != "" {
		s.show(line)
	}
}
