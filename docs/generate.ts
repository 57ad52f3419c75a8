/*
 * Writes the documents, or the parts of them, that follow from the code:
 *   node --import tsx docs/generate.ts           writes them
 *   node --import tsx docs/generate.ts --check   fails naming those that are not current
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import prettier from "prettier";
import { parse, stringify } from "yaml";
import { architectureDiagram } from "../model/diagram";
import { projectRoot } from "../model/rendering";
import { settingTexts, type SettingText } from "../model/schemaText";
import { settingsSchemas } from "../model/settings";
import { readPlan, type PlannedTier } from "../model/stack";
import type { TierDeclaration, Tiers } from "../model/tier";
import { tiers } from "../tiers";
import { metricsDocument } from "./metrics";

const declared: Tiers = tiers;

/** The text between `<!-- name -->` and `<!-- /name -->` replaced. Throws where a marker is missing. */
export function withSection(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`found no section ${start} ... ${end}; add both`);
  return `${text.slice(0, from + start.length)}\n\n${content.trim()}\n\n${text.slice(to)}`;
}

/** Settings under `holdfast:` of a stack file, without the prefix. */
export function stackSettings(yaml: string): Record<string, unknown> {
  const { config = {} } = parse(yaml) as { config?: Record<string, unknown> };
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace(/^holdfast:/, ""), value]),
  );
}

/** What the sections are about that belong to no tier. */
const sections: Readonly<Record<string, string>> = {
  stack: "What the stack is for; see `docs/architecture.md`, Production.",
  machines: "Where the nodes run, and who may log in there.",
  registry: "Where the machines pull the images from.",
  passwords: "The generated passwords, and their rotation; `make rotate` sets both keys.",
  pki: "The certificate authority and the certificates; `make rotate` sets all keys.",
  slo: "The objectives, from which alerts, load test thresholds and the availability report come.",
  alerting: "Who is told of faults; see `docs/runbooks/README.md`.",
};

/** How the tier's nodes are called; ends the sentence. */
function nodeKeys(tier: TierDeclaration): string {
  const { key } = tier;
  return tier.everyMachine ? `\`${key}-<machine>\`.` : `\`${key}-a\`, \`${key}-b\`, ...`;
}

function aboutSection(name: string): string {
  const tier = declared[name];
  if (tier) return `${tier.summary} Node keys: ${nodeKeys(tier)}`;
  return sections[name] ?? "";
}

/** Settings under which alerts are there that the stack file does without. */
const withEveryAlert = {
  loadBalancer: {
    certificate: "acme",
    hostnames: ["shop.example.com"],
    acme: { email: "ops@example.com", termsAgreed: true },
  },
};

function settingsReference(): string {
  return Object.entries(settingsSchemas(declared))
    .flatMap(([name, schema]) => [
      `### \`holdfast:${name}\``,
      aboutSection(name),
      [
        "| key | what may stand there | default | meaning |",
        "| --- | --- | --- | --- |",
        ...settingTexts(schema).map(
          ({ path: at, type, default: fallback, description }) =>
            `| \`${at.join(".")}\` | ${type} | ${fallback === undefined ? "" : `\`${JSON.stringify(fallback)}\``} | ${description} |`,
        ),
      ].join("\n"),
    ])
    .join("\n\n");
}

function placeholder(type: string): string {
  if (type.startsWith("a list")) return "[...]";
  return /such as (\S+)$/.exec(type)?.[1] ?? "...";
}

/**
 * One setting of the example: its documentation, then the key, commented out without a default.
 * What is inside a mapping is commented out, too: the mapping's own line has its defaults.
 */
function exampleLines({ path: at, type, default: fallback, description }: SettingText): string[] {
  const key = at.at(-1) ?? "";
  const inside = at.length > 1;
  const value =
    fallback === undefined
      ? placeholder(type)
      : stringify(fallback, { collectionStyle: "flow", flowCollectionPadding: false }).trim();
  const indent = at.includes("<key>") ? "    #     " : inside ? "    #   " : "    ";
  const shown = /^(text|a mapping.*)$/.test(type) ? description : `${description} (${type})`;
  return [
    ...wrapped(shown, 96 - indent.length).map((words) => `${indent}# ${words}`),
    `${indent}${fallback === undefined && !inside ? "# " : ""}${key}: ${value}`,
  ];
}

function wrapped(text: string, width: number): string[] {
  return text.split(" ").reduce<string[]>((lines, word) => {
    const last = lines.at(-1);
    return last !== undefined && last.length + 1 + word.length <= width
      ? [...lines.slice(0, -1), `${last} ${word}`]
      : [...lines, word];
  }, []);
}

function exampleStack(): string {
  const sections = Object.entries(settingsSchemas(declared)).map(([name, schema]) => {
    const texts = settingTexts(schema);
    const [listed, plain] = [true, false].map((inList) =>
      texts.filter(({ path: at }) => at.includes("<key>") === inList),
    );
    const example = listed?.length
      ? [
          `    # An entry of \`${listed[0]?.path[0] ?? ""}\`, by a name of your choice:`,
          "    #   name:",
          ...listed.flatMap(exampleLines),
        ]
      : [];
    return [`  holdfast:${name}:`, ...(plain ?? []).flatMap(exampleLines), ...example].join("\n");
  });
  return `${[
    "# A complete stack file: every setting at its default; those without one are commented out.",
    "# Copy what you change to Pulumi.<stack>.yaml. Secrets are set with",
    "# `pulumi config set --secret --path 'holdfast:registry.password'`.",
    "config:",
    sections.join("\n\n"),
  ].join("\n")}\n`;
}

function elementText({ declaration, listeners }: PlannedTier) {
  const { name, summary, serviceClass } = declaration;
  const collectors = Object.values(declared)
    .filter((tier) => tier.collectsMetrics && tier.name !== name)
    .map((tier) => tier.name);
  const listening = listeners.map((told) => {
    const { name: listener, protocol, port, purpose, balanced } = told;
    const from = [...told.from, ...(told.metricsPath === undefined ? [] : collectors)];
    const where = port === undefined ? protocol : `${protocol} port ${port}`;
    const behind = (balanced ?? [])
      .map(
        ({ endpoint, vip }) =>
          `, balanced as endpoint \`${endpoint}\` on the ${vip} virtual address`,
      )
      .join("");
    return `- \`${listener}\`, ${where}, from ${from.join(", ") || "its own machine"}: ${purpose}${behind}.`;
  });
  return [
    `### ${name}`,
    `${summary} Nodes: ${nodeKeys(declaration)} Service class: ${serviceClass}.`,
    listening.join("\n"),
  ].join("\n\n");
}

/** Every generated document, by its path in the repository. `read` gives the present text of a file. */
export async function generate(read: (file: string) => string): Promise<Map<string, string>> {
  const plan = readPlan(tiers, stackSettings(read("Pulumi.hello.yaml")));
  const planned: readonly PlannedTier[] = Object.values(plan.tiers);
  const elements = planned.map(elementText).join("\n\n");
  const diagram = `\`\`\`mermaid\n${architectureDiagram(plan)}\`\`\``;
  const documents = new Map([
    ["README.md", withSection(read("README.md"), "settings", settingsReference())],
    ["docs/example-stack.yaml", exampleStack()],
    [
      "docs/metrics.md",
      metricsDocument(
        readPlan(declared, { ...stackSettings(read("Pulumi.dev.yaml")), ...withEveryAlert }),
      ),
    ],
    [
      "docs/architecture.md",
      withSection(
        withSection(read("docs/architecture.md"), "diagram", diagram),
        "elements",
        elements,
      ),
    ],
  ]);
  const formatted = new Map<string, string>();
  for (const [file, text] of documents) {
    const filepath = path.join(projectRoot, file);
    const options = await prettier.resolveConfig(filepath);
    formatted.set(file, await prettier.format(text, { ...options, filepath }));
  }
  return formatted;
}

/** Reads a file of the repository. */
export function readDocument(file: string): string {
  return readFileSync(path.join(projectRoot, file), "utf8");
}

/** The documents whose text is not what the code says; those that are generated whole may be missing. */
export async function staleDocuments(): Promise<Map<string, string>> {
  const present = (file: string) => {
    try {
      return readDocument(file);
    } catch {
      return undefined;
    }
  };
  const documents = await generate(readDocument);
  return new Map([...documents].filter(([file, text]) => present(file) !== text));
}

async function main(): Promise<void> {
  const stale = await staleDocuments();
  const files = [...stale.keys()].join(", ");
  if (process.argv[2] === "--check") {
    if (stale.size > 0) throw new Error(`not current: ${files}; run: npm run docs`);
  } else if (process.argv[2] !== undefined) {
    throw new Error(`found ${process.argv[2]}, allowed: --check or nothing`);
  } else {
    for (const [file, text] of stale) writeFileSync(path.join(projectRoot, file), text);
    console.log(files ? `written: ${files}` : "all documents are current");
  }
}

if (import.meta.url === `file://${process.argv[1] ?? ""}`) {
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
