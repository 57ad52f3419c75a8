// Command pulumi-resource-docker serves the upstream Terraform provider for Docker to the Pulumi
// engine under the tokens that npm's @pulumi/docker uses.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	pulumiprovider "github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

const name = "docker"

// version is set by the linker to the version that npm's @pulumi/docker asks for.
var version = "0.0.0"

func resourceToken(file, typeName string) tokens.Type {
	return tokens.Type(fmt.Sprintf("%s:index/%s:%s", name, file, typeName))
}

func functionToken(function string) tokens.ModuleMember {
	return tokens.ModuleMember(fmt.Sprintf("%s:index/%s:%s", name, function, function))
}

func providerInfo() tfbridge.ProviderInfo {
	resource := func(file, typeName string) *tfbridge.ResourceInfo {
		return &tfbridge.ResourceInfo{Tok: resourceToken(file, typeName)}
	}
	function := func(function string) *tfbridge.DataSourceInfo {
		return &tfbridge.DataSourceInfo{Tok: functionToken(function)}
	}
	container := resource("container", "Container")
	// Here and in Config: the bridge would make plurals of some names; the npm package does not.
	container.Fields = map[string]*tfbridge.SchemaInfo{
		"command":           {Name: "command"},
		"networks_advanced": {Name: "networksAdvanced"},
	}
	info := tfbridge.ProviderInfo{
		P:       shimv2.NewProvider(provider.New(version)()),
		Name:    name,
		Version: version,
		Config: map[string]*tfbridge.SchemaInfo{
			"host":          {Default: &tfbridge.DefaultInfo{EnvVars: []string{"DOCKER_HOST"}}},
			"registry_auth": {Name: "registryAuth"},
		},
		Resources: map[string]*tfbridge.ResourceInfo{
			"docker_buildx_builder": resource("buildxBuilder", "BuildxBuilder"),
			"docker_config":         resource("serviceConfig", "ServiceConfig"),
			"docker_container":      container,
			"docker_image":          resource("remoteImage", "RemoteImage"),
			"docker_network":        resource("network", "Network"),
			"docker_plugin":         resource("plugin", "Plugin"),
			"docker_registry_image": resource("registryImage", "RegistryImage"),
			"docker_secret":         resource("secret", "Secret"),
			"docker_service":        resource("service", "Service"),
			"docker_tag":            resource("tag", "Tag"),
			"docker_volume":         resource("volume", "Volume"),
		},
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"docker_image":                    function("getRemoteImage"),
			"docker_logs":                     function("getLogs"),
			"docker_network":                  function("getNetwork"),
			"docker_plugin":                   function("getPlugin"),
			"docker_registry_image":           function("getRegistryImage"),
			"docker_registry_image_manifests": function("getRegistryImageManifests"),
		},
	}
	info.SetAutonaming(255, "-")
	return info
}

// server adds the schema on request: building it costs more than everything else at start, and
// only tools ask for it. The engine starts one process for every machine.
type server struct {
	pulumirpc.ResourceProviderServer
	schema func() (string, error)
}

func (s *server) GetSchema(
	context.Context, *pulumirpc.GetSchemaRequest,
) (*pulumirpc.GetSchemaResponse, error) {
	schema, err := s.schema()
	return &pulumirpc.GetSchemaResponse{Schema: schema}, err
}

func generateSchema() (string, error) {
	sink := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never})
	spec, err := tfgen.GenerateSchema(providerInfo(), sink)
	if err != nil {
		return "", err
	}
	schema, err := json.Marshal(spec)
	return string(schema), err
}

func main() {
	err := pulumiprovider.Main(
		name,
		func(host *pulumiprovider.HostClient) (pulumirpc.ResourceProviderServer, error) {
			info := providerInfo()
			info.P.InitLogging(context.Background())
			return &server{
				tfbridge.NewProvider(context.Background(), host, name, version, info.P, info, nil),
				sync.OnceValues(generateSchema),
			}, nil
		},
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
