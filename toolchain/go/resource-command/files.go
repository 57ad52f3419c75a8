package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gobwas/glob"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// collect fills in the files that the command left in `folder` ("" is the working directory).
func (s *LocalCommandState) collect(folder string) error {
	if s.AssetPaths != nil {
		assets, err := matchingFiles(folder, *s.AssetPaths)
		if err != nil {
			return err
		}
		values := make(map[string]types.AssetOrArchive, len(assets))
		for path, asset := range assets {
			values[path] = types.AssetOrArchive{Asset: asset}
		}
		s.Assets = &values
	}
	if s.ArchivePaths != nil {
		assets, err := matchingFiles(folder, *s.ArchivePaths)
		if err != nil {
			return err
		}
		members := make(map[string]any, len(assets))
		for path, asset := range assets {
			members[path] = asset
		}
		archive, err := resource.NewAssetArchive(members)
		if err != nil {
			return err
		}
		s.Archive = &types.AssetOrArchive{Archive: archive}
	}
	return nil
}

// matchingFiles finds files by glob patterns relative to `folder`. The last pattern that matches a
// path decides: one that begins with "!" leaves it out.
func matchingFiles(folder string, patterns []string) (map[string]*resource.Asset, error) {
	if folder == "" {
		folder = "."
	}
	type rule struct {
		matches glob.Glob
		exclude bool
	}
	rules := make([]rule, 0, len(patterns))
	for _, pattern := range patterns {
		text, exclude := strings.CutPrefix(pattern, "!")
		matches, err := glob.Compile(text, '/')
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		rules = append(rules, rule{matches, exclude})
	}
	found := map[string]*resource.Asset{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		chosen := false
		for _, rule := range rules {
			if rule.matches.Match(path) {
				chosen = !rule.exclude
			}
		}
		if !chosen {
			return nil
		}
		asset, err := resource.NewPathAsset(filepath.Join(folder, path))
		found[path] = asset
		return err
	})
	return found, err
}
