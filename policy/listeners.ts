import { connections } from "../model/connections";
import type { StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import {
  containerType,
  isJob,
  labelOf,
  listAt,
  mapping,
  plain,
  textAt,
  type Declared,
} from "./resource";

/** A port that a program is told to listen on, and where that is written. */
interface Listening {
  readonly port: number;
  readonly where: string;
}

const loopback = /^(127\.|localhost$|\[?::1\]?$)/;

/** Port of `host:port`, `*:port` or `port`; undefined for sockets of files and on loopback. */
function portOf(address: string): number | undefined {
  const parts = /^(?:(.*):)?(\d{1,5})$/.exec(address);
  if (!parts || address.startsWith("/") || /^(unix|abns|fd)@/.test(address)) return undefined;
  const [, host, port] = parts;
  return host !== undefined && loopback.test(host) ? undefined : Number(port);
}

/**
 * Lines of configuration files that make a program listen: HAProxy `bind`, nginx `listen`, Redis
 * and Sentinel `port` and `tls-port`, MySQL `port=` and the like. Port 0 means none.
 */
const syntaxes: readonly { readonly line: RegExp; readonly all?: true }[] = [
  { line: /^\s*bind\s+(\S*:\d+(?:,\S*:\d+)*)/, all: true },
  { line: /^\s*listen\s+([^\s;]+)/ },
  { line: /^\s*(?:tls-|cluster-)?port\s+(\d+)\s*$/ },
  { line: /^\s*(?:mysqlx_|admin_)?port\s*=\s*(\d+)/ },
  { line: /^\s*group_replication_local_address\s*=\s*(\S+)/ },
  { line: /^\s*[\w.-]*listen[\w.-]*\s*[:=]\s*"?(\S*:\d+)"?\s*$/ },
];

function inText(text: string, where: string): Listening[] {
  return text.split("\n").flatMap((line, index) =>
    syntaxes.flatMap((syntax) => {
      const [, found] = syntax.line.exec(line) ?? [];
      if (found === undefined) return [];
      return (syntax.all ? found.split(",") : [found]).flatMap((address) => {
        const port = portOf(address);
        return port ? [{ port, where: `${where} line ${index + 1}` }] : [];
      });
    }),
  );
}

/** `--web.listen-address=:9090` and the like. */
function inCommand(words: readonly unknown[]): Listening[] {
  return words.flatMap((word) => {
    const [, address = ""] =
      /^--?[\w.-]*(?:listen|bind|port)[\w.-]*=(\S+)$/.exec(String(plain(word))) ?? [];
    const port = portOf(address);
    return port ? [{ port, where: `argument ${String(plain(word))}` }] : [];
  });
}

function inEnvironment(variables: readonly unknown[]): Listening[] {
  return variables.flatMap((entry) => {
    const [, name, port] = /^(PORT|TLS_PORT)=(\d+)$/.exec(String(plain(entry))) ?? [];
    return port === undefined ? [] : [{ port: Number(port), where: `variable ${name}` }];
  });
}

/** Every port that the container's files, arguments and environment make it listen on. */
function listening({ inputs }: Declared): Listening[] {
  const files = listAt(inputs, "uploads").flatMap((upload) => {
    const entry = mapping(upload);
    const content = plain(entry["content"]);
    return typeof content === "string" ? inText(content, textAt(entry, "file") ?? "a file") : [];
  });
  return [
    ...files,
    ...inCommand([...listAt(inputs, "entrypoints"), ...listAt(inputs, "command")]),
    ...inEnvironment(listAt(inputs, "envs")),
  ];
}

/** Ports of a node that its tier declares or that a connection reaches. */
function declaredPorts(plan: StackPlan<Tiers>, node: string): ReadonlySet<number> {
  const tier = Object.values(plan.tiers).find(({ nodes }) => nodes.some(({ key }) => key === node));
  const own = tier?.listeners.flatMap(({ port, tls }) => [port, tls?.port]) ?? [];
  const reached = connections(plan)
    .filter(({ toNode }) => toNode === node)
    .map(({ port }) => port);
  return new Set([...own, ...reached].filter((port) => port !== undefined));
}

/** What listens on a machine is declared, so that firewall, diagram and reports know of it. */
export function undeclaredListeners(resource: Declared, plan: StackPlan<Tiers>): string[] {
  const { type, name, onMachine, inputs } = resource;
  if (type !== containerType || !onMachine || isJob(resource)) return [];
  const node = labelOf(resource, "holdfast.node");
  const tier = labelOf(resource, "holdfast.tier") ?? "";
  const known =
    node !== undefined && plan.tiers[tier]?.nodes.some(({ key }) => key === node) === true;
  const shared = ["host", undefined].includes(textAt(inputs, "networkMode"));
  const published = listAt(inputs, "ports").flatMap((entry) => {
    const external = mapping(entry)["external"];
    return typeof external === "number" ? [{ port: external, where: "its published ports" }] : [];
  });
  if (!known) {
    return shared || published.length > 0
      ? [
          `container ${name} is no node of a tier, and nothing declares what it listens on; make it a Node of a tier with listeners`,
        ]
      : [];
  }
  const ports = declaredPorts(plan, node);
  return [...listening(resource), ...published]
    .filter(({ port }) => !ports.has(port))
    .map(
      ({ port, where }) =>
        `container ${name} listens on port ${port} (${where}), which no connection declares; declare it in the listeners of ${tier}`,
    );
}
