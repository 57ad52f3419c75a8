package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Endpoint is how to reach one SSH server. Times are in seconds.
type Endpoint struct {
	Host               string  `pulumi:"host"`
	Port               *int    `pulumi:"port,optional"`
	User               *string `pulumi:"user,optional"`
	Password           *string `pulumi:"password,optional" provider:"secret"`
	PrivateKey         *string `pulumi:"privateKey,optional" provider:"secret"`
	PrivateKeyPassword *string `pulumi:"privateKeyPassword,optional" provider:"secret"`
	HostKey            *string `pulumi:"hostKey,optional"`
	AgentSocketPath    *string `pulumi:"agentSocketPath,optional"`
	DialErrorLimit     *int    `pulumi:"dialErrorLimit,optional"`
	PerDialTimeout     *int    `pulumi:"perDialTimeout,optional"`
}

func (e *Endpoint) Annotate(a infer.Annotator) {
	a.SetDefault(&e.Port, 22)
	a.SetDefault(&e.User, "root")
	a.SetDefault(&e.DialErrorLimit, 10)
	a.SetDefault(&e.PerDialTimeout, 15)
}

// ProxyConnection is a bastion host on the way.
type ProxyConnection struct {
	Endpoint
}

func (c *ProxyConnection) Annotate(a infer.Annotator) {
	a.SetToken("remote", "ProxyConnection")
}

// Connection is the machine that a remote resource works on.
type Connection struct {
	Endpoint
	Proxy *ProxyConnection `pulumi:"proxy,optional"`
}

func (c *Connection) Annotate(a infer.Annotator) {
	a.SetToken("remote", "Connection")
}

const (
	firstPause   = time.Second
	longestPause = 5 * time.Second
	// The server is alive but answers nobody: without this a dead machine hangs the update.
	keepAliveEvery = 15 * time.Second
)

// errHostKey is not worth another try: the server is not the one that was meant.
var errHostKey = errors.New("the server's host key is not the expected one")

// connect dials until it works, `dialErrorLimit` attempts failed (-1: no limit), or `ctx` ends.
// The returned function closes everything that was opened.
func (c *Connection) connect(ctx context.Context) (*ssh.Client, func(), error) {
	if c.Proxy == nil {
		client, err := c.dial(ctx, (&net.Dialer{}).DialContext)
		if err != nil {
			return nil, nil, err
		}
		return client, func() { _ = client.Close() }, nil
	}
	bastion, err := c.Proxy.dial(ctx, (&net.Dialer{}).DialContext)
	if err != nil {
		return nil, nil, fmt.Errorf("proxy: %w", err)
	}
	client, err := c.dial(ctx, bastion.DialContext)
	if err != nil {
		_ = bastion.Close()
		return nil, nil, err
	}
	return client, func() {
		_ = client.Close()
		_ = bastion.Close()
	}, nil
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (e *Endpoint) dial(ctx context.Context, dial dialFunc) (*ssh.Client, error) {
	config, closeAgent, err := e.clientConfig()
	if err != nil {
		return nil, err
	}
	defer closeAgent()
	address := net.JoinHostPort(e.Host, strconv.Itoa(or(e.Port, 22)))
	limit := or(e.DialErrorLimit, 10)
	for attempt, pause := 1, firstPause; ; attempt++ {
		client, err := e.attempt(ctx, dial, address, config)
		if err == nil {
			return client, nil
		}
		if errors.Is(err, errHostKey) || ctx.Err() != nil || (limit >= 0 && attempt >= limit) {
			return nil, fmt.Errorf("cannot connect to %s@%s (attempt %d): %w",
				config.User, address, attempt, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(pause*3/2, longestPause)
	}
}

func (e *Endpoint) attempt(
	ctx context.Context, dial dialFunc, address string, config *ssh.ClientConfig,
) (*ssh.Client, error) {
	if seconds := or(e.PerDialTimeout, 15); seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer cancel()
	}
	connection, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// The handshake takes no context: closing the connection is what ends it.
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	established, channels, requests, err := ssh.NewClientConn(connection, address, config)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	return ssh.NewClient(established, channels, requests), nil
}

func (e *Endpoint) clientConfig() (*ssh.ClientConfig, func(), error) {
	closeAgent := func() {}
	config := &ssh.ClientConfig{
		User: or(e.User, "root"),
		// As npm's package documents: without `hostKey` any server is accepted.
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	}
	if e.HostKey != nil {
		expected, _, _, _, err := ssh.ParseAuthorizedKey([]byte(*e.HostKey))
		if err != nil {
			return nil, nil, fmt.Errorf(
				"hostKey must be a line like \"ssh-ed25519 AAAA...\": %w", err)
		}
		config.HostKeyCallback = func(host string, _ net.Addr, key ssh.PublicKey) error {
			if string(key.Marshal()) == string(expected.Marshal()) {
				return nil
			}
			return fmt.Errorf("%w: %s presents %s, expected is %s; if the machine was replaced, "+
				"correct hostKey", errHostKey, host, ssh.FingerprintSHA256(key),
				ssh.FingerprintSHA256(expected))
		}
		config.HostKeyAlgorithms = algorithmsOf(expected.Type())
	}
	if e.PrivateKey != nil {
		key, err := parseKey(*e.PrivateKey, e.PrivateKeyPassword)
		if err != nil {
			return nil, nil, fmt.Errorf("privateKey: %w", err)
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(key))
	}
	if e.Password != nil {
		password := *e.Password
		config.Auth = append(config.Auth, ssh.Password(password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, _ []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range answers {
					answers[i] = password
				}
				return answers, nil
			}))
	}
	if socket := or(e.AgentSocketPath, os.Getenv("SSH_AUTH_SOCK")); socket != "" {
		connection, err := net.Dial("unix", socket)
		switch {
		case err == nil:
			closeAgent = func() { _ = connection.Close() }
			config.Auth = append(config.Auth,
				ssh.PublicKeysCallback(agent.NewClient(connection).Signers))
		case e.AgentSocketPath != nil:
			return nil, nil, fmt.Errorf("agentSocketPath: %w", err)
		}
	}
	return config, closeAgent, nil
}

func parseKey(text string, password *string) (ssh.Signer, error) {
	if password != nil {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(text), []byte(*password))
	}
	return ssh.ParsePrivateKey([]byte(text))
}

// algorithmsOf asks the server for the key that is expected, and not for another it also has.
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	}
	return []string{keyType}
}

// keepAlive closes the client when the server stops answering.
func keepAlive(ctx context.Context, client *ssh.Client) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(keepAliveEvery):
		}
		answered := make(chan error, 1)
		go func() {
			_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		select {
		case <-ctx.Done():
			return
		case err := <-answered:
			if err == nil {
				continue
			}
		case <-time.After(keepAliveEvery):
		}
		_ = client.Close()
		return
	}
}

func or[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}
