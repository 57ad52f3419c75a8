import { host, labHosts, network } from "../../model/addresses";
import { awaitInService } from "../../operations/gate";
import type { LiveStack, StackOutputs } from "./liveStack";
import { MailSink } from "./mails";
import { eventually } from "./measure";
import { PageSink } from "./pages";
import { activeAlerts, type Queried } from "./prometheus";

/** Where a node of the lab is. */
export const machineOf = (node: string) => `vm-${node}`;

type Settings = Readonly<Record<string, unknown>>;
type MonitoredOutputs = StackOutputs & { readonly prometheus: readonly string[] };

/** A live stack with monitors that tell of alerts by webhook and by mail, and who listens. */
export class MonitoredStack {
  readonly sink = new PageSink();
  readonly mails = new MailSink();
  private alerting: Settings | undefined;
  private learnt: MonitoredOutputs | undefined;

  /** `cidr`: the lab's network. */
  constructor(
    readonly stack: LiveStack,
    private readonly cidr: string,
  ) {}

  /** Listens from now on, and writes into the stack's settings where. */
  async listen(): Promise<void> {
    const gateway = host(network(this.cidr), labHosts.gateway);
    const url = `http://${gateway}:${await this.sink.listen()}`;
    this.alerting = {
      receivers: {
        sink: { webhook: `${url}/alerts` },
        oncall: { email: "oncall@example.com" },
      },
      smtp: { server: `${gateway}:${await this.mails.listen()}`, requireTls: false },
      deadMansSwitch: `${url}/alive`,
    };
    this.configure({});
  }

  /** Settings from now on: the stack's own, who is told, and these on top. */
  configure(changes: Settings): void {
    if (!this.alerting) throw new Error("nobody listens yet");
    this.stack.configure({ alerting: this.alerting, ...changes });
  }

  /** Learns where everything is; call after the first update. */
  async learn(): Promise<void> {
    this.learnt = (await this.stack.refreshMachines()) as MonitoredOutputs;
  }

  async close(): Promise<void> {
    await Promise.all([this.sink.close(), this.mails.close()]);
  }

  get outputs(): MonitoredOutputs {
    if (!this.learnt) throw new Error("the stack is not up yet");
    return this.learnt;
  }

  /** Each Prometheus. */
  get monitors(): readonly Queried[] {
    const { prometheus, caCertificate: authority } = this.outputs;
    return prometheus.map((url) => ({ url, authority }));
  }

  /** Where the same is asked of what all of them have recorded. */
  get readers(): readonly Queried[] {
    return this.monitors.map(({ url, authority }) => ({
      url: url.replace(/:\d+$/, ":9204"),
      authority,
    }));
  }

  /** Waits until the nodes are in service. */
  async inService(...nodes: readonly string[]): Promise<void> {
    for (const node of nodes) await awaitInService(await this.stack.gateOf(node));
  }

  /** The load balancer that does not hold the virtual addresses. */
  async standby(): Promise<string> {
    return (await this.stack.activeBalancer()) === "lb-a" ? "lb-b" : "lb-a";
  }

  /** Nothing is wrong any more, in the eyes of every monitor. */
  async allQuiet(seconds: number): Promise<void> {
    await eventually("no alert fires", seconds, async () => {
      const seen = await Promise.allSettled(this.monitors.map(firing));
      return seen.every((each) => each.status === "fulfilled" && each.value.length === 0);
    });
  }
}

async function firing(monitor: Queried): Promise<readonly string[]> {
  return (await activeAlerts(monitor))
    .filter(({ state }) => state === "firing")
    .map(({ labels }) => labels["alertname"] ?? "")
    .filter((name) => name !== "Watchdog");
}
