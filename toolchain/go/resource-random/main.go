// Command pulumi-resource-random serves the upstream Terraform provider to the Pulumi engine under
// the tokens that npm's @pulumi/random uses.
package main

import (
	"context"
	"fmt"
	"io"

	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/terraform-providers/terraform-provider-random/internal/provider"
)

const name = "random"

// version is set by the linker to the version that npm's @pulumi/random asks for.
var version = "0.0.0"

func providerInfo() tfbridge.ProviderInfo {
	resource := func(file, typeName string) *tfbridge.ResourceInfo {
		return &tfbridge.ResourceInfo{
			Tok: tokens.Type(fmt.Sprintf("%s:index/%s:%s", name, file, typeName)),
		}
	}
	info := tfbridge.ProviderInfo{
		P:       pfbridge.ShimProvider(provider.New()),
		Name:    name,
		Version: version,
		// The bridge wants it set; nothing of it is needed here.
		MetadataInfo: tfbridge.NewProviderMetadata(nil),
		Resources: map[string]*tfbridge.ResourceInfo{
			"random_id":       resource("randomId", "RandomId"),
			"random_integer":  resource("randomInteger", "RandomInteger"),
			"random_password": resource("randomPassword", "RandomPassword"),
			"random_pet":      resource("randomPet", "RandomPet"),
			"random_shuffle":  resource("randomShuffle", "RandomShuffle"),
			"random_string":   resource("randomString", "RandomString"),
			"random_uuid":     resource("randomUuid", "RandomUuid"),
			"random_uuid4":    resource("randomUuid4", "RandomUuid4"),
			"random_uuid7":    resource("randomUuid7", "RandomUuid7"),
		},
		// Its id would have to be a secret, which Pulumi's ids cannot be.
		IgnoreMappings: []string{"random_bytes"},
	}
	return info
}

// generateSchema runs on request: only tools ask for the schema.
func generateSchema(ctx context.Context, _ plugin.GetSchemaRequest) ([]byte, error) {
	result, err := tfgen.GenerateSchema(ctx, tfgen.GenerateSchemaOptions{
		ProviderInfo:    providerInfo(),
		DiagnosticsSink: diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never}),
	})
	if err != nil {
		return nil, err
	}
	return result.ProviderMetadata.PackageSchema, nil
}

func main() {
	pfbridge.Main(
		context.Background(), name, providerInfo(),
		pfbridge.ProviderMetadata{XGetSchema: generateSchema},
	)
}
