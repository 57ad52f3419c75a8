import { singlePoints, type SinglePoint } from "../model/spof";
import { remedyText } from "../model/spofText";
import type { StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";

const message = ({ problem, risk, remedy }: SinglePoint) =>
  `${problem} Risk ${risk.cell}. What removes it: ${remedyText(remedy)}`;

/** Single points of failure that users notice, and those that they do not. */
export function pointsOfFailure(plan: StackPlan<Tiers>): {
  readonly noticed: readonly string[];
  readonly unnoticed: readonly string[];
} {
  const points = singlePoints(plan);
  const ofClass = (unnoticed: boolean) =>
    points.filter((point) => (point.serviceClass === "non-critical") === unnoticed).map(message);
  return { noticed: ofClass(false), unnoticed: ofClass(true) };
}
