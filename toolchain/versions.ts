/**
 * Every version that the toolchain pins, in one place. The Go modules repeat them in their go.mod
 * and npm in package.json; a unit test holds the three together.
 */

/** A program that is one file in `bin/`, or comes with companions in the same archive. */
export interface Tool {
  name: string;
  version: string;
  /** Versions on PATH that serve as well: at least `atLeast`, below `below`. */
  suitable: { atLeast: string; below: string };
  /** Executables that must be there. All come from the same source. */
  files: ToolFile[];
  /** Release archive (gzipped tar with one folder at its top) and its SHA-256 sums. */
  vendor: { archive: string; checksums: string };
}

export interface ToolFile {
  name: string;
  /** Folder under toolchain/go. */
  module: string;
  /** Go package to build, as `go build` names it. */
  package: string;
  /** Variable that the linker sets to the version, with the prefix the program expects. */
  versionVariable?: { name: string; prefix: string };
}

/** A tool of one live test: built when that runs, and not before. */
export interface TestTool {
  name: string;
  version: string;
  /** Folder under toolchain/go. */
  module: string;
  /** Go packages to build, each an executable of the same name as its last part. */
  packages: string[];
}

export interface Plugin {
  name: string;
  version: string;
  module: string;
  buildTags: string[];
}

/** The Go that the modules in toolchain/go ask for. */
export const goVersion = "1.25.11";

const pulumiVersion = "3.250.0";
const k6Version = "1.8.1";

const { x64, amd64 } =
  process.arch === "arm64" ? { x64: "arm64", amd64: "arm64" } : { x64: "x64", amd64: "amd64" };
const releases = "https://github.com";

export const pulumi: Tool = {
  name: "pulumi",
  version: pulumiVersion,
  suitable: { atLeast: "3.190.0", below: "4.0.0" },
  files: [
    {
      name: "pulumi",
      module: "pulumi",
      package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
      versionVariable: {
        name: "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version",
        prefix: "v",
      },
    },
    {
      name: "pulumi-language-nodejs",
      module: "language-nodejs",
      package: ".",
      versionVariable: { name: "main.version", prefix: "" },
    },
  ],
  vendor: {
    archive: `${releases}/pulumi/pulumi/releases/download/v${pulumiVersion}/pulumi-v${pulumiVersion}-linux-${x64}.tar.gz`,
    checksums: `${releases}/pulumi/pulumi/releases/download/v${pulumiVersion}/pulumi-${pulumiVersion}-checksums.txt`,
  },
};

export const k6: Tool = {
  name: "k6",
  version: k6Version,
  suitable: { atLeast: "1.0.0", below: "2.0.0" },
  files: [{ name: "k6", module: "k6", package: "go.k6.io/k6" }],
  vendor: {
    archive: `${releases}/grafana/k6/releases/download/v${k6Version}/k6-v${k6Version}-linux-${amd64}.tar.gz`,
    checksums: `${releases}/grafana/k6/releases/download/v${k6Version}/k6-v${k6Version}-checksums.txt`,
  },
};

export const tools: Tool[] = [pulumi, k6];

/** An ACME server for tests, and a DNS server by which every name leads to one address. */
export const pebble: TestTool = {
  name: "pebble",
  version: "2.10.1",
  module: "pebble",
  packages: ["pebble", "pebble-challtestsrv"].map(
    (name) => `github.com/letsencrypt/pebble/v2/cmd/${name}`,
  ),
};

/** Versions are those that the npm packages of the same name ask for. */
export const plugins: Plugin[] = [
  { name: "command", version: "1.2.1", module: "resource-command", buildTags: [] },
  { name: "docker", version: "5.2.0", module: "resource-docker", buildTags: ["no_compose"] },
  { name: "random", version: "4.21.2", module: "resource-random", buildTags: [] },
  { name: "tls", version: "5.6.1", module: "resource-tls", buildTags: [] },
];

/** What a program of an image's equivalent must print: not everything in it is pinned. */
interface ImageCheck {
  command: string[];
  prints: string;
}

/** An image whose equivalent is made of Debian packages where it cannot be pulled. */
export interface DebianImage {
  name: string;
  release: string;
  /** Its packages beyond the bare system. */
  packages: string[];
  check?: ImageCheck;
}

/** An image whose equivalent is another with one file of an npm package in it. */
export interface NpmImage {
  name: string;
  from: string;
  package: string;
  /** Of the package, as the registry names it. */
  integrity: string;
  /** In the package. */
  file: string;
  /** In the image. */
  target: string;
  check: ImageCheck;
}

const debian = "debian:trixie-slim";

export const debianImages: DebianImage[] = [
  { name: debian, release: "trixie", packages: ["ca-certificates"] },
  {
    name: "mysql:9.7",
    // No release of Debian has MySQL, only the suite that releases are made of.
    release: "sid",
    packages: ["ca-certificates", "mysql-server-core", "mysql-client-core"],
    check: { command: ["mysqld", "--version"], prints: "Ver 9.7." },
  },
];

/**
 * Newer than Debian's, whose release Node.js itself has ended and which takes a third more processor
 * time for the same requests to the property application. The packages hold the official binaries.
 */
const nodeVersion = "24.21.0";

export const npmImages: NpmImage[] = [
  {
    name: `node:${nodeVersion}-trixie-slim`,
    from: debian,
    package: `node-linux-${x64}@${nodeVersion}`,
    integrity:
      x64 === "arm64"
        ? "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=="
        : "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
    file: "bin/node",
    target: "/usr/local/bin/node",
    check: { command: ["node", "--version"], prints: `v${nodeVersion}` },
  },
];

/**
 * Debian packages with programs that the project runs on this machine. `needed` says by whom; those
 * for tests are missed by `make lint` alone.
 */
export const packages = [
  { program: "ssh", package: "openssh-client", needed: "to reach machines" },
  { program: "shellcheck", package: "shellcheck", needed: "for make lint" },
];
