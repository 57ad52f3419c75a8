import { applierBlocked } from "../../faults/applierBlocked";
import { authorityUnreachable } from "../../faults/authorityUnreachable";
import { backupStoreStopped } from "../../faults/backupStoreStopped";
import { certificateShown } from "../../faults/certificateShown";
import { connectionsRefused } from "../../faults/connectionsRefused";
import { connectionsTracked } from "../../faults/connectionsTracked";
import { diskFilled } from "../../faults/diskFilled";
import { edgeBlinking } from "../../faults/edgeBlinking";
import { memberExpelled } from "../../faults/memberExpelled";
import { nodesKilled } from "../../faults/nodesKilled";
import { nodeStopped } from "../../faults/nodeStopped";
import { programDead } from "../../faults/programDead";
import { receiverSilent } from "../../faults/receiverSilent";
import { requestsSent } from "../../faults/requestsSent";
import { rulePlanted } from "../../faults/rulePlanted";
import { together } from "../../faults/together";
import { updateStopped } from "../../faults/updateStopped";
import { vrrpBlocked } from "../../faults/vrrpBlocked";
import { mysqlEndpoints } from "../../../components/mysqlCluster.tier";
import type { AlertLab, LiveCase } from "../../support/alertLab";
import { edgeCertificate } from "../../support/edgeCertificates";
import type { Member } from "../../support/members";
import { machineOf } from "../../support/monitoredStack";

/** Transactions that may wait on a replica of this stack: few, so that a test need not write many. */
export const maxApplyQueue = 100;

const edgeName = "edge.example.com";

/**
 * Settings of the stack beside those of every data stack. A month is 80 minutes: three days are
 * eight minutes, a day is 160 s, six hours are 40 s, and the shorter windows are 15 s.
 *
 * The objectives are lower than usual, so that one probe that is lost on a busy computer spends
 * less than the shares of the budget that alerts look for.
 */
export const settings = {
  slo: { timeScale: 540, availabilityPercent: 98, latencyPercent: 95 },
  // A name that stays the same, whoever the edge's certificate comes from.
  loadBalancer: { count: 2, hostnames: [edgeName] },
  monitoring: { count: 2 },
  mysqlCluster: { count: 3, maxApplyQueue },
  // The age of a full backup is scaled too: that of a month is two hours, and none becomes too old.
  backup: { count: 1, schedule: "0 3 1 * *" },
  appPool: { count: 2, sample: "property", startTimeoutSeconds: 30 },
} as const;

/** Alerts that no fault can cause in the lab, each with its reason. */
export const cannotBeCaused: Readonly<Record<string, string>> = {
  ClockOffset: "the lab's machines share this computer's clock",
};

/** Alerts that nobody is told of; what they do instead has tests of its own. */
export const ofTheirOwn = ["DeployRunning", "Watchdog"] as const;

const node = (key: string): Member => ({ node: key, machine: machineOf(key) });

/** One of the database's members that take no writes. */
async function secondary({ data }: AlertLab): Promise<Member> {
  const [, replica] = await data.members();
  if (!replica) throw new Error("the database has one member");
  return replica;
}

/** Requests of which one in `oneIn` takes longer than is promised. */
const slowRequests = (lab: AlertLab, oneIn: number) =>
  requestsSent({
    name: oneIn === 1 ? "every request is slow" : `one request in ${oneIn} is slow`,
    perSecond: 15,
    url: (n) => lab.edge(n % oneIn === 0 ? "/slow?ms=700" : "/ping"),
  });

const recordedSlowly =
  "a share of the budget has to be spent first, and windows are recorded every 15 s";
const afterTheFirst =
  "the budget of the longer windows is spent by the same outage, a little later";
const lastToComeBack = "the nodes do not come back in the same second";

/** Nothing else explains or silences these alerts: their faults may last at the same time. */
export const besideEachOther: readonly LiveCase[] = [
  {
    alert: "AvailabilityBudgetBurnSlow",
    // One slot or two of eight are down: a pause that is longer than the windows of the fast burn.
    fault: async ({ balancers }) =>
      Promise.resolve(
        edgeBlinking({
          machines: balancers.map(({ machine }) => machine),
          ports: [80],
          refusedSeconds: 4.5,
          pauseSeconds: 33.5,
        }),
      ),
    within: { seconds: 190, because: recordedSlowly },
  },
  {
    alert: "LatencyBudgetBurnSlow",
    fault: async (lab) => Promise.resolve(slowRequests(lab, 5)),
    within: { seconds: 100, because: recordedSlowly },
  },
  {
    alert: "TargetDown",
    fault: async () => Promise.resolve(nodeStopped("machine-vm-web-a", "vm-web-a")),
  },
  {
    alert: "MysqlMemberExpelled",
    fault: async (lab) => {
      const [primary] = await lab.data.members();
      return memberExpelled(await secondary(lab), primary);
    },
    overWithin: { seconds: 200, because: "it looks back two minutes at least" },
    nodes: ["mysql-a", "mysql-b", "mysql-c"],
  },
  {
    alert: "DiskFilling",
    fault: async () => Promise.resolve(diskFilled("vm-app-b")),
  },
  {
    alert: "ConntrackNearlyFull",
    fault: async () => Promise.resolve(connectionsTracked("vm-web-b")),
    overWithin: {
      seconds: 240,
      because: "entries end after 90 s, and the kernel sweeps them out a minute later at most",
    },
  },
  {
    alert: "PrometheusRuleFailing",
    fault: async () => Promise.resolve(rulePlanted("monitor-b", "vm-monitor-b")),
    overWithin: { seconds: 150, because: "it looks back a minute at least" },
  },
  {
    alert: "CertificateNearExpiry",
    fault: async ({ stack, monitored, balancers }) =>
      certificateShown(
        "a certificate of 20 days at the edge",
        balancers,
        await edgeCertificate(stack, monitored.outputs, 20),
      ),
  },
  {
    alert: "BackupTooOld",
    fault: async ({ data }) => {
      const [primary] = await data.members();
      return backupStoreStopped(primary);
    },
    within: {
      seconds: 250,
      because: "the store may be three minutes behind, whatever the scale: a minute from then on",
    },
    overWithin: { seconds: 240, because: "restic tries again after a minute at most" },
  },
];

/** The others explain or silence each other: one fault at a time. */
export const oneAfterTheOther: readonly LiveCase[] = [
  {
    alert: "NodeOutOfService",
    fault: async () => Promise.resolve(nodeStopped("web-b", "vm-web-b")),
  },
  {
    alert: "LoadBalancerWithoutStandby",
    fault: async ({ monitored }) => {
      const { node: standby, machine } = node(await monitored.standby());
      return nodeStopped(standby, machine);
    },
  },
  {
    alert: "PrometheusDown",
    fault: async () => Promise.resolve(programDead("monitor-b", "vm-monitor-b", "prometheus")),
  },
  {
    alert: "AlertmanagerDown",
    fault: async () =>
      Promise.resolve(programDead("monitor-b", "vm-monitor-b", "prometheus-alertmanager")),
  },
  {
    alert: "SloDataMissing",
    fault: async () =>
      Promise.resolve(
        together(
          "nobody probes the edge",
          ...["monitor-a", "monitor-b"].map((monitor) =>
            programDead(monitor, machineOf(monitor), "prometheus-blackbox-exporter"),
          ),
        ),
      ),
    alongside: {
      TargetDown: "a ticket for each machine says which program it is that does not answer",
    },
  },
  {
    alert: "AlertmanagerCannotNotify",
    fault: async ({ monitored }) => Promise.resolve(receiverSilent(monitored.sink)),
    within: {
      seconds: 90,
      because: "a message has to fail first: the next of the dead man's switch, half a minute away",
    },
    overWithin: { seconds: 150, because: "it looks back a minute at least" },
    byMailAlone: true,
  },
  {
    alert: "MysqlMemberMissing",
    fault: async (lab) => nodesKilled([await secondary(lab)]),
    nodes: ["mysql-a", "mysql-b", "mysql-c"],
  },
  {
    alert: "MysqlReplicationLagging",
    fault: async (lab) => {
      const [primary] = await lab.data.members();
      return applierBlocked(await secondary(lab), primary, 3 * maxApplyQueue);
    },
  },
  {
    alert: "MysqlNoPrimary",
    fault: async ({ data }) => nodesKilled((await data.members()).slice(0, 2)),
    overWithin: { seconds: 180, because: "the members have to agree who held what" },
    afterwards: { MysqlMemberMissing: lastToComeBack },
    nodes: ["mysql-a", "mysql-b", "mysql-c"],
  },
  {
    alert: "RedisNoMaster",
    fault: async ({ data }) => nodesKilled(await data.caches()),
    afterwards: { TargetDown: lastToComeBack },
    nodes: ["redis-a", "redis-b", "redis-c"],
  },
  {
    alert: "AvailabilityBudgetBurnFast",
    // The ports take turns: no address is away for long enough to page, and yet two slots of three
    // are down.
    fault: async ({ balancers }) =>
      Promise.resolve(
        edgeBlinking({
          machines: balancers.map(({ machine }) => machine),
          ports: [80, 443],
          refusedSeconds: 4.2,
          pauseSeconds: 3.3,
        }),
      ),
    within: { seconds: 90, because: recordedSlowly },
    alongside: { AvailabilityBudgetBurnSlow: afterTheFirst },
    afterwards: { AvailabilityBudgetBurnSlow: afterTheFirst },
  },
  {
    alert: "LatencyBudgetBurnFast",
    fault: async (lab) => Promise.resolve(slowRequests(lab, 1)),
    within: { seconds: 90, because: recordedSlowly },
    alongside: { LatencyBudgetBurnSlow: afterTheFirst },
    afterwards: { LatencyBudgetBurnSlow: afterTheFirst },
  },
  {
    alert: "DeployStoppedHalfWay",
    fault: async ({ monitored }) =>
      Promise.resolve(
        updateStopped({
          broken: () =>
            monitored.configure({
              appPool: { command: ["node", "-e", "console.error('broken'); process.exit(3)"] },
            }),
          good: () => monitored.configure({}),
        }),
      ),
    alongside: {
      NodeOutOfService: "the node at which it stopped is out, and no update explains that any more",
    },
    afterwards: { NodeOutOfService: lastToComeBack },
  },
  {
    alert: "EdgeCertificateMissing",
    // The probes trust the stack's own authority, so that they alone do not see what clients see.
    fault: async ({ monitored }) =>
      Promise.resolve(
        authorityUnreachable({
          unreachable: () =>
            monitored.configure({
              loadBalancer: {
                certificate: "acme",
                acme: {
                  directory: "https://127.0.0.1:1/directory",
                  email: "ops@example.com",
                  termsAgreed: true,
                  issuingAuthority: monitored.outputs.caCertificate,
                },
              },
            }),
          good: () => monitored.configure({}),
        }),
      ),
    within: { seconds: 120, because: "an order may take a minute before somebody is told" },
    overWithin: {
      seconds: 240,
      because: "the update back replaces the load balancers and the monitors",
    },
    afterwards: { TargetDown: lastToComeBack, PrometheusDown: lastToComeBack },
  },
  {
    alert: "RequestsFailing",
    // The database is well, and cannot be reached by the application.
    fault: async (lab) => {
      const { endpoints, internalVip } = lab.monitored.outputs;
      const ports = Object.values(mysqlEndpoints).flatMap((name) => endpoints[name]?.port ?? []);
      const apps = await lab.data.nodesOf("appPool");
      return together(
        "no application node reaches the database",
        connectionsRefused(
          apps.map(({ machine }) => machine),
          internalVip,
          ports,
        ),
        // Each id is new, so that the cache cannot help.
        requestsSent({
          name: "clients read",
          perSecond: 4,
          url: (n) => lab.edge(`/api/property/${1_000_000 + n}`),
        }),
      );
    },
  },
  {
    alert: "LoadBalancerTwoMasters",
    fault: async ({ balancers }) =>
      Promise.resolve(vrrpBlocked(balancers.map(({ machine }) => machine))),
    afterwards: {
      VipProbeFailing: "the network believes in the right one a moment later",
      RequestsFailing: "the network believes in the right one a moment later",
    },
  },
  {
    alert: "VipProbeFailing",
    fault: async ({ balancers }) => Promise.resolve(nodesKilled(balancers)),
    afterwards: { LoadBalancerWithoutStandby: lastToComeBack },
  },
];
