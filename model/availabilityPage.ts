import { ninesTable, ninesText, percentText, timeText } from "./availability";
import {
  downText,
  formulaText,
  momentText,
  verdictText,
  worstOf,
  type AvailabilityReport,
} from "./availabilityReport";
import { sumOf, type Part } from "./availabilitySeries";

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

const chart = { width: 960, height: 120, gap: 1 } as const;
/** Height of the smallest outage: also five seconds in a day must be seen. */
const leastHeight = 6;

const number = (value: number) => String(Math.round(value * 100) / 100);

function rectangle(kind: string, x: number, y: number, width: number, height: number): string {
  return `<rect class="${kind}" x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${number(height)}"/>`;
}

/** A part as a bar: green, and from the top what was down, by kind. */
function bar(part: Part, index: number, count: number): string {
  const step = chart.width / count;
  const [x, width] = [index * step, Math.max(0.5, step - chart.gap)];
  let y = 0;
  const pieces = (["unplanned", "planned", "unseen"] as const).flatMap((kind) => {
    if (part.down[kind] === 0) return [];
    const height = Math.min(
      chart.height - y,
      Math.max(leastHeight, (part.down[kind] / part.seconds) * chart.height),
    );
    const piece = rectangle(kind, x, y, width, height);
    y += height;
    return [piece];
  });
  const title = `${momentText(part.from)}: ${sumOf(part.down) === 0 ? "up" : `down ${downText(part.down)} of ${timeText(part.seconds)}`}`;
  return `<g><title>${escaped(title)}</title>${rectangle("up", x, 0, width, chart.height)}${pieces.join("")}</g>`;
}

function svg({ parts, from, to }: AvailabilityReport): string {
  const bars = parts.map((part, index) => bar(part, index, parts.length)).join("\n");
  return `<svg viewBox="0 0 ${chart.width} ${chart.height + 20}" role="img" aria-label="availability over time">
${bars}
<text x="0" y="${chart.height + 15}">${momentText(from)}</text>
<text x="${chart.width}" y="${chart.height + 15}" text-anchor="end">${momentText(to)}</text>
</svg>`;
}

function table(
  head: readonly string[],
  rows: readonly { readonly cells: readonly string[]; readonly marked?: boolean }[],
): string {
  const cells = (tag: string, texts: readonly string[]) =>
    texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join("");
  return `<table>
<tr>${cells("th", head)}</tr>
${rows.map(({ cells: texts, marked }) => `<tr${marked ? ' class="here"' : ""}>${cells("td", texts)}</tr>`).join("\n")}
</table>`;
}

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.4rem}.figure{font-size:2.6rem;font-weight:600}
svg{width:100%;height:auto}svg text{font-size:12px;fill:currentColor}
.up{fill:#3fa45b}.unplanned{fill:#d13b3b}.planned{fill:#e0912b}.unseen{fill:#888}
table{border-collapse:collapse;margin:1rem 0}th,td{text-align:left;padding:.2rem .8rem;border-bottom:1px solid #8884}
.here{font-weight:600;background:#3fa45b33}.key span{padding:0 .5rem;margin-right:.5rem;color:#fff}
.key .up{background:#3fa45b}.key .unplanned{background:#d13b3b}.key .planned{background:#e0912b}.key .unseen{background:#888}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}`;

/** The report as one HTML page that needs nothing else. */
export function renderPage(report: AvailabilityReport): string {
  const nines = ninesTable().map(({ nines: count, share, week, month, year }) => ({
    marked: count === report.nines,
    cells: [
      ninesText(count),
      percentText(share, Math.max(0, count - 2)),
      ...[week, month, year].map(timeText),
    ],
  }));
  const incidents = worstOf(report).map(({ from, to, down }) => ({
    cells: [momentText(from), momentText(to), downText(down)],
  }));
  const title = `Availability of ${escaped(report.stack)}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}</style>
<h1>${title}</h1>
<p class="figure">${percentText(report.availability)}</p>
<p>${momentText(report.from)} to ${momentText(report.to)} UTC. Down: ${downText(report.down)}. ${escaped(verdictText(report))}.</p>
<p><code>${escaped(formulaText(report))}</code>. Planned outages and times that nobody saw count as down.</p>
${svg(report)}
<p class="key"><span class="up">up</span><span class="unplanned">down</span><span class="planned">down, planned</span><span class="unseen">unseen</span></p>
<h2>Nines</h2>
${table(["class", "available", "down a week", "a month", "a year"], nines)}
<h2>Worst incidents</h2>
${incidents.length > 0 ? table(["from", "to", "down"], incidents) : "<p>None.</p>"}
</html>
`;
}
