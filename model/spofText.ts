import { consequences, likelihoods, row, type Likelihood } from "./risk";
import { outsideModel, singlePoints, type Remedy, type SinglePoint } from "./spof";
import type { StackPlan } from "./stack";
import type { Tiers } from "./tier";

/** Words in lines of at most `width` characters; a longer word has a line of its own. */
function wrapped(text: string, width: number): string[] {
  return text.split(" ").reduce<string[]>((lines, word) => {
    const last = lines.at(-1);
    return last !== undefined && last.length + 1 + word.length <= width
      ? [...lines.slice(0, -1), `${last} ${word}`]
      : [...lines, word];
  }, []);
}

/** Cells of a row side by side, each as wide as its column. */
function tableRow(cells: readonly string[], widths: readonly number[]): string[] {
  const columns = cells.map((cell, index) => wrapped(cell, widths[index] ?? cell.length));
  const height = Math.max(...columns.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    columns
      .map((lines, index) => (lines[line] ?? "").padEnd(widths[index] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** `holdfast:webPool.count = 2 (needs ...)`. */
export function remedyText({ setting, to, needs }: Remedy): string {
  return `${setting}: ${to}${needs === undefined ? "" : ` (needs ${needs})`}`;
}

const widths = [4, 16, 42, 34, 38];

function pointRows({ risk, kind, element, problem, mitigation, remedy }: SinglePoint): string[] {
  return [
    ...tableRow([risk.cell, `${kind} ${element}`, problem, mitigation, remedyText(remedy)], widths),
    "",
  ];
}

/** The matrix; a cell with points in it says how many. */
function matrixRows(points: readonly SinglePoint[]): string[] {
  const shape = [18, ...consequences.map(() => 13)];
  const rowOf = ([letter, meaning]: [string, string]) =>
    tableRow(
      [
        `${letter} ${meaning}`,
        ...row(letter as Likelihood).map((cell) => {
          const here = points.filter(({ risk }) => risk.cell === cell).length;
          return here === 0 ? cell : `${cell} (${here})`;
        }),
      ],
      shape,
    );
  return [
    ...tableRow(["", ...consequences], shape),
    ...Object.entries(likelihoods).flatMap(rowOf),
    "(L low, M medium, H high, C critical; in brackets how many of the above)",
  ];
}

/** The single points of failure of a stack, for people. */
export function spofText(stack: string, plan: StackPlan<Tiers>): string {
  const points = singlePoints(plan);
  const nodes = Object.values(plan.tiers).flatMap((tier) => tier.nodes).length;
  const count = `${points.length || "no"} single point${points.length === 1 ? "" : "s"} of failure`;
  const table =
    points.length > 0
      ? [
          ...tableRow(
            ["risk", "what fails", "what is lost", "what softens it", "what removes it"],
            widths,
          ),
          "",
          ...points.flatMap(pointRows),
          ...matrixRows(points),
          "",
        ]
      : [];
  return [
    `stack ${stack}: ${count} among ${nodes} nodes on ${plan.machines.length} machines`,
    "",
    ...table,
    "Outside the model:",
    ...outsideModel(plan).map((line) => `  ${line}`),
  ].join("\n");
}

/** The same for programs. */
export function spofJson(stack: string, plan: StackPlan<Tiers>): string {
  return JSON.stringify(
    { stack, points: singlePoints(plan), outsideModel: outsideModel(plan) },
    null,
    2,
  );
}
