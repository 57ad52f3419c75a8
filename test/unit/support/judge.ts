import type * as policy from "@pulumi/policy";
import * as deserialize from "@pulumi/policy/deserialize";
import * as proxy from "@pulumi/policy/proxy";
import { productionPolicies } from "../../../policy/policies";
import type { Registration } from "./registrations";

/** What the library does with what the engine sends; not part of what it declares. */
const library = { ...deserialize, ...proxy } as unknown as {
  readonly deserializeProperties: (struct: object, mark: boolean) => object;
  readonly unknownCheckingProxy: (properties: object) => object;
};

/** Properties as the library hands them to a policy, or with `marked` to a remediation. */
export function handedProperties(sent: object, marked: boolean): object {
  const struct = { toJavaScript: () => sent };
  return library.unknownCheckingProxy(library.deserializeProperties(struct, marked));
}

/** Something that a policy found. */
export interface Finding {
  readonly policy: string;
  readonly message: string;
  readonly refused: boolean;
}

const nameOf = (urn: string) => urn.split("::").pop() ?? "";

function handed({ urn, type, name, inputs, provider }: Registration, marked: boolean) {
  return {
    urn,
    type,
    name,
    props: handedProperties(inputs, marked),
    ...(provider && {
      provider: { type: provider, name: nameOf(provider), urn: provider, props: {} },
    }),
  } as unknown as policy.ResourceValidationArgs;
}

/** A resource as stack policies get it, with what its properties are made from. */
function atTheEnd(registration: Registration): policy.PolicyResource {
  return {
    ...handed(registration, false),
    propertyDependencies: Object.fromEntries(
      Object.entries(registration.edges).map(([property, urns]) => [
        property,
        urns.map((urn) => ({ urn })),
      ]),
    ),
  } as unknown as policy.PolicyResource;
}

/** Everything that the policy pack finds in a program's registrations, in the engine's order. */
export async function judge(log: readonly Registration[]): Promise<Finding[]> {
  const found: Finding[] = [];
  const policies = productionPolicies();
  const reporter =
    ({ name, enforcementLevel }: policy.Policy): policy.ReportViolation =>
    (message) =>
      found.push({ policy: name, message, refused: enforcementLevel !== "advisory" });
  for (const registration of log) {
    for (const rule of policies) {
      if (!("validateResource" in rule)) continue;
      if (rule.remediateResource) await rule.remediateResource(handed(registration, true));
      for (const validate of [rule.validateResource].flat()) {
        await validate?.(handed(registration, false), reporter(rule));
      }
    }
  }
  for (const rule of policies) {
    if (!("validateStack" in rule)) continue;
    const args = { resources: log.map(atTheEnd) } as unknown as policy.StackValidationArgs;
    await rule.validateStack(args, reporter(rule));
  }
  return found;
}
