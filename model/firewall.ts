/*
 * A machine's firewall, as text: the nftables file and the scripts that put it there.
 *
 * An update changes it in two phases. *Open*, before the nodes roll: what is allowed from now on,
 * and still what was allowed before. *Close*, after the roll: only what is allowed from now on. So a
 * node that leaves can be talked to until nobody does any more.
 *
 * Each phase needs two SSH connections: the first runs the script, which applies the rules and
 * starts a guard that takes them back; the second, opened through the new rules, runs
 * `firewallConfirmCommand`. Only confirmed rules are kept in `firewallFile`, so a reboot in between
 * takes them back too. Both belong into one resource (see `firewallShellCommand`): if an update ends
 * between the two, the next one must run both again.
 *
 * `firewallFile` is loaded before the Docker engine starts: by the lab machine's init, and by a
 * systemd unit on other machines.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { AllowedElement } from "./connections";
import { projectRoot, renderTemplate } from "./rendering";

/** The rules that were confirmed last, on the machine. */
export const firewallFile = "/etc/holdfast/firewall.nft";

/** Run on the machine over a new connection: the rules applied last are kept. */
export const firewallConfirmCommand = "/etc/holdfast/firewall/confirm";

/** Seconds after which rules that nobody confirmed are taken back. */
export const firewallGuardSeconds = 30;

/** The element as a rule, the form in which the machine remembers what it allowed before. */
function ruleOf({ source, protocol, port }: AllowedElement): string {
  return protocol === "vrrp"
    ? `ip saddr ${source} meta l4proto 112 accept`
    : `ip saddr ${source} ${protocol} dport ${port} accept`;
}

/** The nftables file that lets in `elements` (minimal, as `allowedElements` gives them). */
export function firewallRules(elements: readonly AllowedElement[]): string {
  return renderTemplate("firewall/holdfast.nft.hbs", {
    allowed: elements.map((element) => ({ rule: ruleOf(element) })),
    ports: elements.filter(({ protocol }) => protocol !== "vrrp"),
    vrrp: elements.filter(({ protocol }) => protocol === "vrrp"),
  });
}

function applyScript(elements: readonly AllowedElement[], keepPrevious: boolean): string {
  return renderTemplate("firewall/apply.sh.hbs", {
    guardSeconds: firewallGuardSeconds,
    keepPrevious,
    rules: firewallRules(elements).trimEnd(),
    unit: readFileSync(
      path.join(projectRoot, "configs/firewall/holdfast-firewall.service"),
      "utf8",
    ).trimEnd(),
  });
}

/** Bash for the machine, as root: allow `elements` beside what was allowed before. */
export function firewallOpenScript(elements: readonly AllowedElement[]): string {
  return applyScript(elements, true);
}

/** Bash for the machine, as root: allow `elements` and nothing else. */
export function firewallCloseScript(elements: readonly AllowedElement[]): string {
  return applyScript(elements, false);
}

/** Bash for the machine, as root: no trace of the firewall is left; the machine is open. */
export function firewallRemoveScript(): string {
  return [
    "set -euo pipefail",
    "rm -rf /etc/holdfast/firewall",
    `rm -f ${firewallFile}`,
    "if [ -e /etc/systemd/system/holdfast-firewall.service ]; then",
    "  systemctl --quiet disable holdfast-firewall.service",
    "  rm -f /etc/systemd/system/holdfast-firewall.service",
    "  systemctl daemon-reload",
    "fi",
    "nft delete table inet holdfast 2>/dev/null || true",
    "",
  ].join("\n");
}

/**
 * A line for the deployer's shell that runs a whole phase: the script on its standard input, then
 * the confirmation over a connection of its own. `ssh` is the `ssh` command with its options, the
 * machine's name or address last; `machine` is the machine's key.
 */
export function firewallShellCommand(machine: string, ssh: readonly string[]): string {
  const [program, ...options] = ssh.map(quoted);
  const apply = [program, ...options, quoted("bash -s")].join(" ");
  // Of an option given twice, ssh takes the first.
  const fresh = "-o ControlMaster=no -o ControlPath=none";
  const confirm = [program, fresh, ...options, quoted(firewallConfirmCommand)].join(" ");
  const failure = `machine ${machine}: its new firewall was not confirmed over a new SSH connection and is taken back within ${firewallGuardSeconds} s; check holdfast:machines.adminNetworks`;
  return `${apply} && { ${confirm} </dev/null || { echo ${quoted(failure)} >&2; exit 1; }; }`;
}

function quoted(word: string): string {
  // A tilde is quoted too: it is ssh's to expand, by the user's home and not by HOME.
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
