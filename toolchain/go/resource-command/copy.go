package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/pkg/sftp"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
)

type CopyToRemote struct{}

type CopyToRemoteArgs struct {
	Connection *Connection          `pulumi:"connection" provider:"secret"`
	Source     types.AssetOrArchive `pulumi:"source"`
	RemotePath string               `pulumi:"remotePath"`
	Triggers   *[]any               `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

type CopyToRemoteState struct {
	CopyToRemoteArgs
}

func (c *CopyToRemote) Annotate(a infer.Annotator) {
	a.SetToken("remote", "CopyToRemote")
}

func (*CopyToRemote) Create(
	ctx context.Context, request infer.CreateRequest[CopyToRemoteArgs],
) (infer.CreateResponse[CopyToRemoteState], error) {
	id, err := newID(request.Name)
	if err == nil && !request.DryRun {
		err = request.Inputs.copy(ctx)
	}
	return infer.CreateResponse[CopyToRemoteState]{
		ID: id, Output: CopyToRemoteState{request.Inputs},
	}, err
}

func (*CopyToRemote) Update(
	ctx context.Context, request infer.UpdateRequest[CopyToRemoteArgs, CopyToRemoteState],
) (infer.UpdateResponse[CopyToRemoteState], error) {
	var err error
	if !request.DryRun {
		err = request.Inputs.copy(ctx)
	}
	return infer.UpdateResponse[CopyToRemoteState]{
		Output: CopyToRemoteState{request.Inputs},
	}, err
}

func (a *CopyToRemoteArgs) copy(ctx context.Context) error {
	client, closeAll, err := a.Connection.connect(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	stop := context.AfterFunc(ctx, closeAll)
	defer stop()
	remote, err := sftp.NewClient(client)
	if err != nil {
		return fmt.Errorf("cannot start SFTP on %s: %w; enable sshd's sftp subsystem",
			a.Connection.Host, err)
	}
	defer func() { _ = remote.Close() }()
	if err := a.upload(remote); err != nil {
		return fmt.Errorf("cannot copy to %s on %s: %w", a.RemotePath, a.Connection.Host, err)
	}
	return nil
}

func (a *CopyToRemoteArgs) upload(remote *sftp.Client) error {
	asset, archive := a.Source.Asset, a.Source.Archive
	switch {
	case asset != nil && asset.IsText():
		if isFolder(remote, a.RemotePath) {
			return errors.New("source is a StringAsset and remotePath is a folder; " +
				"give the file's whole path")
		}
		return writeFile(remote, a.RemotePath, bytes.NewReader([]byte(asset.Text)), 0o644)
	case asset != nil && asset.IsPath():
		return uploadPath(remote, asset.Path, a.RemotePath)
	case archive != nil && archive.IsPath():
		return uploadPath(remote, archive.Path, a.RemotePath)
	default:
		return errors.New("source must be a FileAsset, a StringAsset or a FileArchive")
	}
}

// uploadPath copies a file, or a folder with all in it, onto `target`; into it if that is a folder.
func uploadPath(remote *sftp.Client, source, target string) error {
	if isFolder(remote, target) {
		target = path.Join(target, filepath.Base(source))
	}
	return filepath.WalkDir(source, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, at)
		if err != nil {
			return err
		}
		to := path.Join(target, filepath.ToSlash(relative))
		if entry.IsDir() {
			return remote.MkdirAll(to)
		}
		file, err := os.Open(at)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		return writeFile(remote, to, file, info.Mode().Perm())
	})
}

func isFolder(remote *sftp.Client, at string) bool {
	info, err := remote.Stat(at)
	return err == nil && info.IsDir()
}

func writeFile(remote *sftp.Client, to string, content io.Reader, mode fs.FileMode) error {
	if err := remote.MkdirAll(path.Dir(to)); err != nil {
		return err
	}
	file, err := remote.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err := file.ReadFrom(content); err != nil {
		_ = file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return remote.Chmod(to, mode)
}
