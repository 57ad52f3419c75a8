// Command pulumi-resource-tls serves the upstream Terraform provider to the Pulumi engine under
// the tokens that npm's @pulumi/tls uses.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/hashicorp/terraform-provider-tls/internal/provider"
	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

const name = "tls"

// version is set by the linker to the version that npm's @pulumi/tls asks for.
var version = "0.0.0"

func providerInfo() tfbridge.ProviderInfo {
	resource := func(file, typeName string) *tfbridge.ResourceInfo {
		return &tfbridge.ResourceInfo{
			Tok: tokens.Type(fmt.Sprintf("%s:index/%s:%s", name, file, typeName)),
		}
	}
	function := func(function string) *tfbridge.DataSourceInfo {
		return &tfbridge.DataSourceInfo{
			Tok: tokens.ModuleMember(fmt.Sprintf("%s:index/%s:%s", name, function, function)),
		}
	}
	return tfbridge.ProviderInfo{
		P:       pfbridge.ShimProvider(provider.New()),
		Name:    name,
		Version: version,
		// The bridge wants it set; nothing of it is needed here.
		MetadataInfo: tfbridge.NewProviderMetadata(nil),
		Resources: map[string]*tfbridge.ResourceInfo{
			"tls_cert_request":        resource("certRequest", "CertRequest"),
			"tls_locally_signed_cert": resource("locallySignedCert", "LocallySignedCert"),
			"tls_private_key":         resource("privateKey", "PrivateKey"),
			"tls_self_signed_cert":    resource("selfSignedCert", "SelfSignedCert"),
		},
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"tls_certificate": function("getCertificate"),
			"tls_public_key":  function("getPublicKey"),
		},
	}
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
