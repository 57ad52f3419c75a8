import { describe, expect, it } from "vitest";
import {
  crashLoopRestarts,
  firstWords,
  judge,
  mayWaitToForm,
  refusal,
  type BalancerObservation,
  type NodeObservation,
  type Verdict,
} from "../../model/gate";

const seen: NodeObservation = {
  node: "web-a",
  reachable: true,
  container: { state: "running", restarts: 0, exitCode: 0 },
  ready: true,
  probe: 200,
};
const balancer = (node: string, status?: string): BalancerObservation => ({
  node,
  servers: status === undefined ? undefined : [{ backend: "web", server: "web-a", status }],
});
const both = [balancer("lb-a", "UP"), balancer("lb-b", "UP")];
const service = { probe: { port: 8080, path: "/readyz" }, backends: ["web"] };
const serving: Verdict = { kind: "in service" };
const out = (reason: string, hopeless = false): Verdict => ({
  kind: "not in service",
  reason,
  hopeless,
});

describe("judge", () => {
  it("finds a node in service when it answers and every load balancer has it UP", () => {
    expect(judge(service, seen, both)).toEqual(serving);
  });

  it("judges by the load balancers that answer", () => {
    expect(judge(service, seen, [balancer("lb-a"), balancer("lb-b", "UP")])).toEqual(serving);
    expect(judge(service, seen, [balancer("lb-a"), balancer("lb-b")])).toEqual(
      out("no load balancer answers"),
    );
  });

  it("needs no load balancer where the stack has none", () => {
    expect(judge(service, seen, [])).toEqual(serving);
  });

  it("takes the node's own report where it has one", () => {
    expect(judge({ statusPort: 9200 }, { ...seen, ready: true }, [])).toEqual(serving);
    expect(judge({ statusPort: 9200 }, { ...seen, ready: false }, [])).toEqual(
      out("it reports that it is not ready"),
    );
    expect(judge({ statusPort: 9200 }, { ...seen, ready: undefined }, [])).toEqual(
      out("it reports that it is not ready"),
    );
  });

  it("takes the health check of a program that has no more to say", () => {
    const healthy = (health?: string) => ({
      ...seen,
      container: { state: "running", restarts: 0, exitCode: 0, health },
    });
    expect(judge({ healthCheck: true }, healthy("healthy"), [])).toEqual(serving);
    expect(judge({ healthCheck: true }, healthy("starting"), [])).toEqual(
      out("its health check says starting"),
    );
    expect(judge({ healthCheck: true }, healthy(), [])).toEqual(
      out("its health check says nothing"),
    );
  });

  it.each([
    ["a silent machine", { reachable: false }, out("its machine does not answer over SSH")],
    ["no container", { container: undefined }, out("its container does not exist", true)],
    [
      "a container that keeps crashing",
      { container: { state: "restarting", restarts: crashLoopRestarts, exitCode: 7 } },
      out("its container stopped 3 times, last with exit code 7", true),
    ],
    [
      "a container that crashed less often",
      { container: { state: "restarting", restarts: crashLoopRestarts - 1, exitCode: 7 } },
      out("its container is restarting (exit code 7)"),
    ],
    [
      "a stopped container",
      { container: { state: "exited", restarts: 0, exitCode: 137 } },
      out("its container is exited (exit code 137)"),
    ],
    ["a silent port", { probe: undefined }, out("nothing answers /readyz on port 8080")],
    ["a draining node", { probe: 503 }, out("/readyz on port 8080 answers 503")],
    [
      "a node that says why it is not ready",
      { probe: 503, reason: "a migration is missing" },
      out("/readyz on port 8080 answers 503: a migration is missing"),
    ],
  ])("finds %s not in service", (_, change, verdict) => {
    expect(judge(service, { ...seen, ...change }, both)).toEqual(verdict);
  });

  it.each(["DOWN", "DRAIN", "NOLB", "MAINT"])(
    "finds a server that is %s not in service",
    (status) => {
      expect(judge(service, seen, [balancer("lb-a", "UP"), balancer("lb-b", status)])).toEqual(
        out(`lb-b has it ${status} in web`),
      );
    },
  );

  describe("while the load balancers may reach it with TLS or without", () => {
    const reached = (withTls: string, without: string): BalancerObservation => ({
      node: "lb-a",
      servers: [
        { backend: "web", server: "web-a", status: withTls },
        { backend: "web-plain", server: "web-a", status: without },
        { backend: "web-unchecked", server: "web-a", status: "UP" },
      ],
    });

    it("counts a node that is yet to be switched as in service either way", () => {
      expect(judge(service, seen, [reached("DOWN", "UP")])).toEqual(serving);
      expect(judge(service, seen, [reached("UP", "DOWN")])).toEqual(serving);
      expect(judge(service, seen, [reached("DOWN", "DOWN")])).toEqual(
        out("lb-a has it DOWN in web"),
      );
    });

    it("counts one that speaks TLS only where that works", () => {
      const secure = { ...service, tls: "prefer" as const };
      expect(judge(secure, seen, [reached("UP", "DOWN")])).toEqual(serving);
      expect(judge(secure, seen, [reached("DOWN", "UP")])).toEqual(out("lb-a has it DOWN in web"));
    });
  });

  it("is content with one of several backends where that is enough", () => {
    const member = { oneOfBackends: ["primary", "replicas"] };
    const states = (node: string, primary: string, replicas: string): BalancerObservation => ({
      node,
      servers: [
        { backend: "primary", server: "web-a", status: primary },
        { backend: "replicas", server: "web-a", status: replicas },
      ],
    });
    const up = states("lb-a", "DOWN", "UP");
    expect(judge(member, seen, [up, states("lb-b", "UP", "DOWN")])).toEqual(serving);
    expect(judge(member, seen, [up, states("lb-b", "DOWN", "NOLB")])).toEqual(
      out("lb-b has it DOWN in primary, lb-b has it NOLB in replicas"),
    );
    expect(judge(member, seen, [balancer("lb-a")])).toEqual(out("no load balancer answers"));
  });

  it("repeats the node's own reason", () => {
    const waiting = { ...seen, ready: false, reason: "catching up" };
    expect(judge({ statusPort: 9200 }, waiting, [])).toEqual(
      out("it reports that it is not ready: catching up"),
    );
  });

  it("waits for a load balancer that does not know the node yet", () => {
    expect(judge(service, { ...seen, node: "web-c" }, both)).toEqual(
      out("lb-a does not know it in backend web"),
    );
  });
});

describe("a member that waits for the first start of its group", () => {
  const forming = { ...seen, ready: false, forming: true };

  it.each<[string, NodeObservation[]]>([
    ["is the only one", []],
    ["meets others that wait too", [forming, forming]],
    [
      "is there before the others",
      [
        { ...seen, reachable: false },
        { ...seen, container: undefined },
      ],
    ],
  ])("counts as made when it %s", (_, others) => {
    expect(mayWaitToForm(forming, others)).toBe(true);
  });

  it.each<[string, NodeObservation, NodeObservation[]]>([
    ["another is in a group", forming, [forming, seen]],
    ["another is there and says nothing", forming, [{ ...seen, ready: undefined }]],
    ["it does not wait for that", { ...seen, ready: false }, [forming]],
  ])("does not count as made when %s", (_, own, others) => {
    expect(mayWaitToForm(own, others)).toBe(false);
  });
});

describe("refusal", () => {
  const broken = out("its container is exited (exit code 1)");

  it("lets a node of a healthy tier go", () => {
    expect(
      refusal("web-a", serving, [{ node: "web-b", verdict: serving }], 1, "s"),
    ).toBeUndefined();
  });

  it("never holds back what is out of service itself", () => {
    expect(refusal("web-a", broken, [{ node: "web-b", verdict: broken }], 1, "s")).toBeUndefined();
  });

  it("lets the only node of a tier go", () => {
    expect(refusal("web-a", serving, [], 1, "s")).toBeUndefined();
  });

  it("keeps the last serving node and names what to repair", () => {
    expect(refusal("web-a", serving, [{ node: "web-b", verdict: broken }], 1, "s")).toBe(
      [
        "web-a stays: stopping it would leave 0 of the 1 other nodes that must serve",
        "  web-b: its container is exited (exit code 1)",
        "repair first: make repair NODE=web-b STACK=s",
      ].join("\n"),
    );
  });

  it("keeps a majority where nodes vote", () => {
    const others = [
      { node: "db-b", verdict: serving },
      { node: "db-c", verdict: broken },
    ];
    expect(refusal("db-a", serving, others, 2, "s")).toContain(
      "repair first: make repair NODE=db-c STACK=s",
    );
    expect(
      refusal("db-a", serving, [others[0]!, { node: "db-c", verdict: serving }], 2, "s"),
    ).toBeUndefined();
  });

  it("asks for no more others than there are", () => {
    expect(refusal("db-a", serving, [{ node: "db-b", verdict: serving }], 2, "s")).toBeUndefined();
  });
});

describe("what a page says", () => {
  it("is one line, and short", () => {
    expect(firstWords('{\n  "detail": "a migration\tis missing"\n}\r\n')).toBe(
      '{ "detail": "a migration is missing" }',
    );
    expect(firstWords("\u001b[31mred")).toBe("[31mred");
    expect(firstWords("x".repeat(1000))).toHaveLength(300);
  });

  it("is nothing where there is none", () => {
    expect(firstWords(" \r\n")).toBeUndefined();
  });
});
