import { parser } from "@prometheus-io/lezer-promql";

/** What Grafana puts into queries itself. */
const withoutVariables = (expr: string) => expr.replaceAll("$__rate_interval", "1m");

/** Names of all series that an expression reads. Throws where it is no PromQL. */
export function seriesIn(expr: string): readonly string[] {
  const text = withoutVariables(expr);
  const names = new Set<string>();
  parser.parse(text).iterate({
    enter({ type, from, to, node }) {
      const told = text.slice(from, to);
      if (type.isError) throw new Error(`no PromQL at ${from}: ${text}`);
      if (type.name !== "VectorSelector") return;
      const name = node.getChild("Identifier");
      if (!name) throw new Error(`a selector without a name: ${told}`);
      names.add(text.slice(name.from, name.to));
    },
  });
  return [...names];
}
