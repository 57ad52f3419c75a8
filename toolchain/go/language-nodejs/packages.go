package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// manifest is what this host reads of a package.json.
type manifest struct {
	Name            string            `json:"name"`
	Version         string            `json:"version"`
	Dependencies    map[string]string `json:"dependencies"`
	DevDependencies map[string]string `json:"devDependencies"`
	Pulumi          *struct {
		Resource bool   `json:"resource"`
		Name     string `json:"name"`
		Version  string `json:"version"`
		Server   string `json:"server"`
	} `json:"pulumi"`
}

func readManifest(folder string) (manifest, error) {
	var result manifest
	content, err := os.ReadFile(filepath.Join(folder, "package.json"))
	if err != nil {
		return result, err
	}
	return result, json.Unmarshal(content, &result)
}

// installedPackages reads the manifest of every package in the nearest node_modules folder.
func installedPackages(folder string) []manifest {
	for at := folder; ; at = filepath.Dir(at) {
		modules := filepath.Join(at, "node_modules")
		if _, err := os.Stat(modules); err == nil {
			var result []manifest
			for _, pattern := range []string{"*", "@*/*"} {
				paths, _ := filepath.Glob(filepath.Join(modules, pattern, "package.json"))
				for _, path := range paths {
					if found, err := readManifest(filepath.Dir(path)); err == nil {
						result = append(result, found)
					}
				}
			}
			return result
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// GetRequiredPackages names the plugins that the installed packages drive.
func (h *host) GetRequiredPackages(
	_ context.Context, request *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	response := &pulumirpc.GetRequiredPackagesResponse{}
	for _, found := range installedPackages(request.GetInfo().GetProgramDirectory()) {
		if found.Pulumi == nil || !found.Pulumi.Resource {
			continue
		}
		name := found.Pulumi.Name
		if name == "" {
			name = strings.TrimPrefix(found.Name, "@pulumi/")
		}
		pluginVersion := found.Pulumi.Version
		if pluginVersion == "" {
			pluginVersion = found.Version
		}
		response.Packages = append(response.Packages, &pulumirpc.PackageDependency{
			Name:    name,
			Kind:    "resource",
			Version: "v" + strings.TrimPrefix(pluginVersion, "v"),
			Server:  found.Pulumi.Server,
		})
	}
	return response, nil
}

func (h *host) GetProgramDependencies(
	_ context.Context, request *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	folder := request.GetInfo().GetProgramDirectory()
	program, err := readManifest(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot read the program's package.json: %w", err)
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, found := range installedPackages(folder) {
		_, direct := program.Dependencies[found.Name]
		_, development := program.DevDependencies[found.Name]
		if direct || development || request.GetTransitiveDependencies() {
			response.Dependencies = append(response.Dependencies, &pulumirpc.DependencyInfo{
				Name: found.Name, Version: found.Version,
			})
		}
	}
	return response, nil
}

func (h *host) InstallDependencies(
	request *pulumirpc.InstallDependenciesRequest,
	stream grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	folder := request.GetInfo().GetProgramDirectory()
	action := "install"
	if _, err := os.Stat(filepath.Join(folder, "package-lock.json")); err == nil {
		action = "ci"
	}
	command := exec.CommandContext(stream.Context(), "npm", action)
	command.Dir = folder
	output := &lockedWriter{&sync.Mutex{}, func(data []byte) error {
		return stream.Send(&pulumirpc.InstallDependenciesResponse{Stdout: data})
	}}
	command.Stdout = output
	command.Stderr = output
	if err := command.Run(); err != nil {
		return fmt.Errorf("npm %s in %s: %w", action, folder, err)
	}
	return nil
}
