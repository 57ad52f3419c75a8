import { createHash, generateKeyPairSync } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";

/** What the program asked the engine for, in the order of registration. */
export interface Registration {
  readonly name: string;
  readonly type: string;
  readonly urn: string;
  readonly parent: string;
  /** URNs of every dependency, those from properties included. */
  readonly dependsOn: readonly string[];
  /** URNs by input property. */
  readonly edges: Readonly<Record<string, readonly string[]>>;
  /** Undefined where the provider decides. */
  readonly deleteBeforeReplace: boolean | undefined;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** URN of the provider that the program chose; empty where the engine has its own. */
  readonly provider: string;
}

interface Request {
  getName(): string;
  getType(): string;
  getParent(): string;
  getProvider(): string;
  getDependenciesList(): string[];
  getPropertydependenciesMap(): {
    forEach(visit: (value: { getUrnsList(): string[] }, key: string) => void): void;
  };
  getDeletebeforereplace(): boolean;
  getDeletebeforereplacedefined(): boolean;
  getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
}
type Done = (error: Error | null, response: { getUrn(): string } | undefined) => void;
interface Monitor {
  registerResource(request: Request, done: Done): unknown;
}

/**
 * Runs the program against mocks and records its registrations. The one place that knows the
 * SDK's mock monitor from inside: it alone sees dependencies and options.
 */
export async function recordRegistrations(
  configuration: Readonly<Record<string, unknown>>,
  run: () => Promise<unknown>,
): Promise<Registration[]> {
  pulumi.runtime.setAllConfig(
    Object.fromEntries(
      Object.entries(configuration).map(([key, value]) => [
        `holdfast:${key}`,
        JSON.stringify(value),
      ]),
    ),
  );
  await pulumi.runtime.setMocks(
    {
      call: (args) => args.inputs as Record<string, unknown>,
      newResource: ({ name, inputs }) => ({
        id: `${name}-id`,
        state: { ...(inputs as Record<string, unknown>), ...computed(name) },
      }),
    },
    "holdfast",
    "unit",
    false,
  );
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const log: Registration[] = [];
  const forward = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, done) => {
    const edges: Record<string, readonly string[]> = {};
    request.getPropertydependenciesMap().forEach((value, key) => {
      edges[key] = value.getUrnsList();
    });
    return forward(request, (error, response) => {
      log.push({
        name: request.getName(),
        type: request.getType(),
        urn: response?.getUrn() ?? "",
        parent: request.getParent(),
        dependsOn: request.getDependenciesList(),
        edges,
        deleteBeforeReplace: request.getDeletebeforereplacedefined()
          ? request.getDeletebeforereplace()
          : undefined,
        inputs: request.getObject()?.toJavaScript() ?? {},
        // The provider's id follows its URN.
        provider: request.getProvider().replace(/::[^:]*$/, ""),
      });
      done(error, response);
    });
  };
  await run();
  await settled(log);
  return log;
}

/** Registrations follow each other through promises; quiet for a while means that all are in. */
async function settled(log: readonly unknown[]): Promise<void> {
  for (let quiet = 0, seen = -1; quiet < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 40));
    quiet = log.length === seen ? quiet + 1 : 0;
    seen = log.length;
  }
}

/** Programs read it. */
const publicKeyPem = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .publicKey.export({ type: "spki", format: "pem" })
  .toString();

function computed(name: string): Record<string, unknown> {
  return {
    imageId: `sha256:${name}`,
    sha256Digest: `sha256:${createHash("sha256").update(name).digest("hex")}`,
    privateKeyOpenssh: `${name} private`,
    privateKeyPem: `${name} private`,
    publicKeyPem,
    publicKeyOpenssh: `ssh-ed25519 ${name}`,
    certPem: `${name} certificate`,
    validityEndTime: "2030-01-01T00:00:00Z",
    certRequestPem: `${name} request`,
    result: `${name} password`,
    bcryptHash: `${name} hash`,
  };
}
