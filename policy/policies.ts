import { readFileSync } from "node:fs";
import path from "node:path";
import type * as policy from "@pulumi/policy";
import { ProductionSettings } from "../components/productionSettings";
import { projectRoot } from "../model/rendering";
import type { Settings } from "../model/settings";
import { planStack, type StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import { settingsOf } from "../operations/settingsFile";
import { tiers } from "../tiers";
import { openAdministration } from "./administrators";
import { missingDigest, missingHealthChecks, missingLimits } from "./containers";
import { declared, finished, withSecrets } from "./library";
import { undeclaredListeners } from "./listeners";
import type { Declared } from "./resource";
import { openSecrets, secretsInFile } from "./secrets";
import { pointsOfFailure } from "./spof";

function stackFile(urn: string): string {
  const [, , stack = ""] = urn.split(":");
  return process.env["HOLDFAST_CONFIG_FILE"] ?? path.join(projectRoot, `Pulumi.${stack}.yaml`);
}

/** What a production stack must not be, as rules that share what they know of the stack. */
export function productionPolicies(): policy.Policies {
  /** The production stack under judgement; undefined in others, where no rule applies. */
  let plan: StackPlan<Tiers> | undefined;

  /** A rule for each resource of a production stack, judged before the resource is touched. */
  function rule(
    name: string,
    description: string,
    problems: (resource: Declared, of: StackPlan<Tiers>) => readonly string[],
    enforcementLevel: policy.EnforcementLevel = "mandatory",
  ): policy.ResourceValidationPolicy {
    return {
      name,
      description,
      enforcementLevel,
      validateResource: (args, report) => {
        if (args.type === ProductionSettings.type) {
          const settings = JSON.parse(args.props["settings"] as string) as Settings<typeof tiers>;
          plan = planStack(tiers, settings);
        }
        if (plan) for (const problem of problems(declared(args), plan)) report(problem);
      },
    };
  }

  /** A rule for the settings as a whole. */
  function settingsRule(
    name: string,
    description: string,
    problems: (of: StackPlan<Tiers>, urn: string) => readonly string[],
    enforcementLevel: policy.EnforcementLevel = "mandatory",
  ): policy.ResourceValidationPolicy {
    return rule(
      name,
      description,
      ({ type, urn }, of) => (type === ProductionSettings.type ? problems(of, urn) : []),
      enforcementLevel,
    );
  }

  /**
   * Pulumi shows to remediations alone which values are secret, and runs them first: this one notes
   * what is wrong and changes nothing.
   */
  function secretRule(): policy.ResourceValidationPolicy {
    const found = new Map<string, readonly string[]>();
    return {
      ...rule(
        "no-plain-text-secret",
        "Secrets are encrypted in the stack's file and state, and reach containers as files.",
        ({ urn }) => found.get(urn) ?? [],
        "remediate",
      ),
      remediateResource: (args) => {
        if (args.type !== ProductionSettings.type)
          found.set(args.urn, openSecrets(withSecrets(args)));
      },
    };
  }

  return [
    settingsRule(
      "no-single-point-of-failure",
      "The loss of any one node, machine or failure domain is survived.",
      (of) => pointsOfFailure(of).noticed,
    ),
    settingsRule(
      "no-single-point-behind-the-scenes",
      "So is what users do not notice, better.",
      (of) => pointsOfFailure(of).unnoticed,
      "advisory",
    ),
    settingsRule(
      "known-administrators",
      "Only administrators reach SSH and the status pages.",
      openAdministration,
    ),
    settingsRule(
      "no-plain-text-secret-in-file",
      "Secrets are encrypted in the stack's file.",
      (_, urn) => secretsInFile(settingsOf(stackFile(urn))),
    ),
    secretRule(),
    rule("limits", "No container takes a machine's memory or disk from the others.", missingLimits),
    rule("image-digest", "Every machine runs the same image, today and tomorrow.", (resource, of) =>
      missingDigest(resource, of.settings),
    ),
    rule(
      "declared-listeners",
      "Nothing listens that the firewall, the diagram and the reports do not know of.",
      undeclaredListeners,
    ),
    {
      name: "health-check",
      description: "The engine knows whether each service is alive.",
      enforcementLevel: "mandatory",
      validateStack: ({ resources }, report) => {
        if (!plan) return;
        const dockerfile = (context: string) => {
          try {
            return readFileSync(path.resolve(projectRoot, context, "Dockerfile"), "utf8");
          } catch {
            return undefined;
          }
        };
        const knows = (tier: string, setting: string) =>
          setting in ((tiers as Tiers)[tier]?.settings.shape ?? {});
        for (const { urn, message } of missingHealthChecks(
          resources.map(finished),
          dockerfile,
          knows,
        )) {
          report(message, urn);
        }
      },
    },
  ];
}
