import { setTimeout as sleep } from "node:timers/promises";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";
import { mustRun, type Fault } from "../faults/fault";
import { machineCutOff } from "../faults/machineCutOff";
import { machinesKilled } from "../faults/machinesKilled";
import { processesFrozen } from "../faults/processesFrozen";
import { processKilled } from "../faults/processKilled";
import type { Sample, Scenario } from "./chaos";
import type { DataStack, Watched } from "./dataStack";
import type { Member } from "./members";
import { scanMachine } from "./portScan";

interface Told {
  readonly name: string;
  readonly repetitions: number;
  readonly bars: Sample;
  /** What breaks; the first of the nodes is the primary or the master. */
  readonly fault: (nodes: readonly [Member, ...Member[]]) => Fault;
  /** How long it lasts before it is healed, in seconds. */
  readonly lastsSeconds?: number;
  readonly of?: (data: DataStack) => Promise<readonly [Member, ...Member[]]>;
}

/** What clients saw and what was stored, as figures. */
function figuresOf({ seen, books, violations }: Watched<unknown>): Sample {
  return {
    violations: violations.length,
    failedReads: seen.failed - seen.notSent + books.reads.failed,
    unwritableSeconds: books.longestSilenceMs / 1000,
    refusedWrites: books.writes.refused,
    unknownWrites: books.writes.unknown,
    longestReadMs: Math.max(seen.longestMs, books.longestReadMs),
    longestWriteMs: books.longestWriteMs,
  };
}

function scenario({
  name,
  repetitions,
  bars,
  fault,
  lastsSeconds = 0,
  of = (data) => data.members(),
}: Told): Scenario<DataStack> {
  return {
    name,
    repetitions,
    bars: { violations: 0, ...bars },
    once: async (data) => {
      const nodes = await of(data);
      const broken = fault(nodes);
      const watched = await data.watch(async () => {
        const from = Date.now();
        await broken.inject(data.stack);
        await sleep(Math.max(2, lastsSeconds) * 1000);
        await broken.heal(data.stack);
        await data.inService(...nodes.map(({ node }) => node));
        return (Date.now() - from) / 1000;
      });
      return { ...figuresOf(watched), recoverySeconds: watched.result };
    },
  };
}

/**
 * Every port that there is, from one machine to all others and the virtual addresses; each time
 * another machine asks.
 */
const everyPort: Scenario<DataStack> = {
  name: "every port scanned from a machine",
  repetitions: 13,
  bars: { notAsDeclared: 0 },
  once: async ({ stack }, repetition) => {
    const plan = readPlan(tiers, stack.configured);
    const from = plan.machines[repetition % plan.machines.length];
    if (!from) throw new Error("the stack has no machines");
    const begun = Date.now();
    // A machine remembers what was silent for two minutes, and its table is not endless.
    const remember = (seconds: number) =>
      mustRun(
        stack,
        from.key,
        `sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_syn_sent=${seconds}`,
      );
    await remember(2);
    try {
      const { wrong } = await scanMachine(plan, from, stack.container(from.key), () => "all");
      for (const difference of wrong) console.log(difference);
      return { notAsDeclared: wrong.length, seconds: (Date.now() - begun) / 1000 };
    } finally {
      await remember(120);
    }
  },
};

const writable = { failedReads: 0, unwritableSeconds: 30 };

export const dataScenarios: readonly Scenario<DataStack>[] = [
  scenario({
    name: "mysqld killed on the primary",
    repetitions: 20,
    bars: writable,
    fault: ([{ node, machine }]) => processKilled(node, machine, "mysqld"),
  }),
  scenario({
    name: "primary frozen for 30 s",
    repetitions: 20,
    bars: writable,
    lastsSeconds: 30,
    fault: ([{ node, machine }]) => processesFrozen(node, machine),
  }),
  scenario({
    name: "primary's machine cut off for 30 s",
    repetitions: 20,
    bars: writable,
    lastsSeconds: 30,
    fault: ([{ machine }]) => machineCutOff(machine),
  }),
  scenario({
    name: "two of three members killed for 10 s",
    repetitions: 10,
    bars: {},
    lastsSeconds: 10,
    fault: (nodes) => machinesKilled(nodes.slice(0, 2).map(({ machine }) => machine)),
  }),
  scenario({
    name: "all members killed at once",
    repetitions: 10,
    bars: { unwritableSeconds: 120 },
    fault: (nodes) => machinesKilled(nodes.map(({ machine }) => machine)),
  }),
  scenario({
    name: "machine of the cache's master killed",
    repetitions: 20,
    bars: { failedReads: 0, refusedWrites: 0, unknownWrites: 0 },
    lastsSeconds: 10,
    of: (data) => data.caches(),
    fault: ([{ machine }]) => machinesKilled([machine]),
  }),
  scenario({
    name: "machine of the active load balancer killed, with database sessions",
    repetitions: 10,
    bars: { unwritableSeconds: 10 },
    lastsSeconds: 5,
    of: async (data) => {
      const active = await data.stack.activeBalancer();
      return [{ node: active, machine: `vm-${active}` }];
    },
    fault: ([{ machine }]) => machinesKilled([machine]),
  }),
  everyPort,
];
