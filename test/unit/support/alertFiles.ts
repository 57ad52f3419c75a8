import type { DeclaredAlert } from "../../../model/alerts";
import { stackAlerts, stackRules } from "../../../model/alertsStack";
import { sloSchema } from "../../../model/slo";
import { readPlan, type StackPlan } from "../../../model/stack";
import type { Tiers } from "../../../model/tier";
import { tiers } from "../../../tiers";
import { stackAlertCases } from "./alertCases.stack";
import { tierAlertCases } from "./alertCases.tiers";
import { promtoolFile, testsOf } from "./promtool";
import { sloCases } from "./sloCases";

export const alertCases = [...stackAlertCases, ...tierAlertCases];

/** A stack with every tier that has alerts. */
export const fullPlan: StackPlan<Tiers> = readPlan(tiers, {
  loadBalancer: {
    certificate: "acme",
    hostnames: ["shop.example.com"],
    acme: { email: "ops@example.com", termsAgreed: true },
  },
  mysqlCluster: { count: 3 },
  redisCache: { count: 3 },
  backup: { count: 1 },
  monitoring: { count: 2 },
});

/** Every alert there is. */
export function allAlerts(timeScale = 1): readonly DeclaredAlert[] {
  return stackAlerts(fullPlan, sloSchema.parse({ timeScale }));
}

/** Rules and tests for promtool, by file name; those that are run begin with `test-`. */
export function promtoolFiles(): Readonly<Record<string, string>> {
  const scales = [...new Set(alertCases.map(({ timeScale = 1 }) => timeScale))];
  return Object.fromEntries(
    scales.flatMap((scale) => {
      const slo = sloSchema.parse({ timeScale: scale });
      const rules = stackRules({
        plan: fullPlan,
        slo,
        runbooks: "docs/runbooks",
        polledRoutes: ["/healthz", "/readyz", "/metrics"],
      });
      const tests = alertCases.filter(({ timeScale = 1 }) => timeScale === scale).flatMap(testsOf);
      return [
        [`rules-${scale}.yml`, rules],
        [
          `test-${scale}.yml`,
          promtoolFile(`rules-${scale}.yml`, [...(scale === 1 ? sloCases : []), ...tests]),
        ],
      ];
    }),
  );
}
