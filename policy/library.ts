import * as policy from "@pulumi/policy";
import { SecretValue, unknown, type Declared, type Finished } from "./resource";

/**
 * Plain data of what the library hands over. It throws where something is asked for that is not
 * known yet; `raw`, where given, is the same without its wrapping and tells what is secret.
 */
function data(read: () => unknown, raw?: unknown): unknown {
  if (raw instanceof policy.Secret) return new SecretValue(data(read, raw.value));
  let value: unknown;
  try {
    value = read();
  } catch (error) {
    if (error instanceof policy.UnknownValueError) return unknown;
    throw error;
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = value as Record<string, unknown>;
  const inside = (key: string) =>
    data(
      () => entries[key],
      typeof raw === "object" ? (raw as typeof entries | null)?.[key] : undefined,
    );
  const keys = Object.keys(raw instanceof Object ? raw : value);
  return Array.isArray(value)
    ? keys.map(inside)
    : Object.fromEntries(keys.map((key) => [key, inside(key)]));
}

/** Providers that the engine made itself are those of the deployer's own engine. */
const isOnMachine = (provider: policy.PolicyProviderResource | undefined) =>
  provider !== undefined && !provider.name.startsWith("default_");

type Shown = Pick<policy.ResourceValidationArgs, "urn" | "type" | "name" | "props" | "provider">;

function describe({ urn, type, name, props, provider }: Shown, raw?: unknown): Declared {
  return {
    urn,
    type,
    name,
    onMachine: isOnMachine(provider),
    inputs: data(() => props, raw) as Declared["inputs"],
  };
}

/** A resource before it is made or changed. */
export const declared = (args: Shown): Declared => describe(args);

/** The same as a remediation sees it, with secrets marked. */
export function withSecrets(args: Shown): Declared {
  return describe(args, unwrapped(args.props));
}

/** Past the library's two proxies, which take the secrets out. */
function unwrapped(value: unknown): unknown {
  const proxy = value as { __isSpecialProxy?: true; __getSpecialProxyTarget?: unknown };
  return proxy.__isSpecialProxy ? unwrapped(proxy.__getSpecialProxyTarget) : value;
}

/** A resource at the end of a preview or update. */
export function finished(resource: policy.PolicyResource): Finished {
  return {
    ...describe(resource),
    madeFrom: Object.fromEntries(
      Object.entries(resource.propertyDependencies).map(([property, sources]) => [
        property,
        sources.map(({ urn }) => urn),
      ]),
    ),
  };
}
