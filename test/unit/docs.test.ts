import { describe, expect, it } from "vitest";
import { readDocument, stackSettings, staleDocuments, withSection } from "../../docs/generate";
import { architectureDiagram } from "../../model/diagram";
import { settingTexts } from "../../model/schemaText";
import { parseSettings, settingsSchemas } from "../../model/settings";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";

const texts = Object.entries(settingsSchemas(tiers)).flatMap(([name, schema]) =>
  settingTexts(schema).map((text) => ({ ...text, key: `${name}.${text.path.join(".")}` })),
);

describe("generated documents", () => {
  it("are current", async () => {
    expect([...(await staleDocuments()).keys()], "run: npm run docs").toEqual([]);
  });

  it("replace what is between their markers and nothing else", () => {
    expect(withSection("a\n<!-- x -->\nold\n<!-- /x -->\nb", "x", "new\n")).toBe(
      "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb",
    );
    expect(() => withSection("a", "x", "new")).toThrow(
      "found no section <!-- x --> ... <!-- /x -->; add both",
    );
  });

  it("document every setting", () => {
    for (const { key, description } of texts) expect(description, key).toMatch(/^[`A-Z].*\.$/s);
    const readme = readDocument("README.md");
    for (const { path } of texts) expect(readme).toContain(`\`${path.join(".")}\``);
  });
});

describe("the example stack", () => {
  const example = readDocument("docs/example-stack.yaml");

  it("is right, and says the defaults", () => {
    const settings = stackSettings(example);
    expect(() => readPlan(tiers, settings)).not.toThrow();
    expect(parseSettings(tiers, settings)).toEqual(parseSettings(tiers, {}));
  });

  it("names every setting", () => {
    const named = new Set(example.split("\n").map((line) => /^[ #]*(\w+):/.exec(line)?.[1]));
    for (const { path, key } of texts) expect(named, key).toContain(path.at(-1));
  });
});

describe("stack files", () => {
  it.each(["Pulumi.hello.yaml", "Pulumi.dev.yaml"])("%s is right", (file) => {
    expect(() => readPlan(tiers, stackSettings(readDocument(file)))).not.toThrow();
  });
});

describe("the diagram", () => {
  it("draws tiers, nodes and connections, and what a stack lacks not at all", () => {
    const raw = { loadBalancer: { count: 0 }, webPool: { count: 1 }, appPool: { count: 1 } };
    expect(architectureDiagram(readPlan(tiers, raw))).toBe(
      [
        "flowchart LR",
        "  public((clients))",
        "  admin((operator))",
        '  subgraph appPool["appPool"]',
        '    app_a["app-a<br/>vm-app-a, 10.77.0.31"]',
        "  end",
        '  subgraph webPool["webPool"]',
        '    web_a["web-a<br/>vm-web-a, 10.77.0.21"]',
        "  end",
        '  machines["every machine"]',
        '  webPool -->|"http: tcp 8443"| appPool',
        '  public -->|"http: tcp 8080"| webPool',
        '  admin -->|"ssh: tcp 22"| machines',
        "",
      ].join("\n"),
    );
  });

  it("joins peers node by node", () => {
    expect(architectureDiagram(readPlan(tiers, {}))).toContain(
      '  lb_a <-->|"vrrp<br/>heartbeat: udp 8405"| lb_b',
    );
  });
});
