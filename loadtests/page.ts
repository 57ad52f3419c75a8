import type { LoadReport, Second } from "./client";
import type { K6Result } from "./k6Summary";

/** One run of `make load`, for the page. */
export interface RunResult {
  readonly title: string;
  readonly passed: boolean;
  readonly problems: readonly string[];
  readonly k6: K6Result | undefined;
  /** Name of k6's own report beside the page, where k6 wrote one. */
  readonly k6Report: string | undefined;
  readonly client: LoadReport | undefined;
}

/** The report of a run as one HTML page without scripts. */
export function renderPage(result: RunResult): string {
  const { title, passed, problems, k6, k6Report, client } = result;
  const rows: [string, ...(string | number)[]][] = [];
  if (k6) {
    rows.push(["k6", k6.requests, k6.failed, k6.notSent, k6.p50Ms, k6.p95Ms, k6.p99Ms, k6.maxMs]);
  }
  if (client) {
    const { all, ...byKind } = client.latency;
    rows.push([
      "client that never retries",
      client.sent,
      client.failed - client.notSent,
      client.notSent,
      all.p50Ms,
      all.p95Ms,
      all.p99Ms,
      client.longestMs,
    ]);
    for (const [kind, latency] of Object.entries(byKind)) {
      const failed = client.failures.reduce(
        (sum, { kinds }) => sum + (kinds[kind as keyof typeof kinds] ?? 0),
        0,
      );
      rows.push([
        `- ${kind}`,
        latency.count + failed,
        failed,
        "",
        latency.p50Ms,
        latency.p95Ms,
        latency.p99Ms,
        latency.maxMs,
      ]);
    }
  }
  const cells = (row: readonly (string | number)[]) =>
    row
      .map(
        (cell) =>
          `<td>${escape(typeof cell === "number" ? String(Math.round(cell * 10) / 10) : cell)}</td>`,
      )
      .join("");
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escape(title)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child { text-align: left; } pre { background: #f5f5f5; padding: 1rem; overflow: auto; }
.passed { color: #1a7f37; } .failed { color: #b42318; } svg { width: 100%; height: 12rem; background: #fafafa; }
</style>
<h1>${escape(title)}</h1>
<p class="${passed ? "passed" : "failed"}"><strong>${passed ? "passed" : "failed"}</strong>${problems.map((problem) => `<br>${escape(problem)}`).join("")}</p>
<table>
<tr><th>load</th><th>sent</th><th>failed</th><th>not sent</th><th>p50 ms</th><th>p95 ms</th><th>p99 ms</th><th>longest ms</th></tr>
${rows.map((row) => `<tr>${cells(row)}</tr>`).join("\n")}
</table>
${k6Report ? `<p><a href="${escape(k6Report)}">k6's own report</a></p>` : ""}
${client ? `<h2>Second by second</h2>\n${chart(client.timeline)}\n<p>Line: p99 of the client that never retries. Red: seconds with failed requests.</p>\n<pre>${escape(client.describe())}</pre>` : ""}
</html>
`;
}

/** p99 a second as a line, failed seconds as bars. */
function chart(timeline: readonly Second[]): string {
  if (timeline.length === 0) return "";
  const top = Math.max(1, ...timeline.map(({ p99Ms }) => p99Ms));
  const points = timeline.map(({ p99Ms }, i) => `${i},${(100 - (p99Ms / top) * 95).toFixed(1)}`);
  const bars = timeline.flatMap(({ failed }, i) =>
    failed > 0 ? [`<rect x="${i - 0.5}" y="0" width="1" height="100" fill="#f4b4ae"/>`] : [],
  );
  return `<svg viewBox="-0.5 0 ${timeline.length} 100" preserveAspectRatio="none">${bars.join("")}<polyline points="${points.join(" ")}" fill="none" stroke="#1f6feb" vector-effect="non-scaling-stroke"/></svg>
<p>highest p99: ${top} ms</p>`;
}

function escape(text: string): string {
  return text.replace(
    /[&<>"]/g,
    (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign] ?? sign,
  );
}
