import { describe, expect, it } from "vitest";
import {
  initialState,
  next,
  type BalancerEvent,
  type BalancerState,
} from "../../agents/supervisor/balancerLifecycle";
import { parseShowStat } from "../../agents/supervisor/haproxyStats";
import {
  hasElements,
  heard,
  mustClear,
  parseConnections,
  unheard,
} from "../../agents/supervisor/peer";
import { nextWeb, type WebEvent, type WebPhase } from "../../agents/supervisor/webLifecycle";

/** Feeds events to the machine; returns its last state and all actions in order. */
function play(start: BalancerState, events: readonly BalancerEvent[]) {
  const actions: string[] = [];
  let state = start;
  for (const event of events) {
    const step = next(state, event);
    state = step.state;
    actions.push(
      ...step.actions.map((action) =>
        action.kind === "exit"
          ? `exit ${action.code}`
          : action.kind === "offer"
            ? `offer ${action.fit}`
            : action.kind,
      ),
    );
  }
  return { phase: state.phase, actions };
}

const serving: readonly BalancerEvent[] = [{ kind: "fit", fit: true }];

describe("load balancer's life", () => {
  it("offers itself once when fit, and takes the offer back when not", () => {
    const seen = play(initialState(true), [
      { kind: "fit", fit: false },
      { kind: "fit", fit: true },
      { kind: "fit", fit: true },
      { kind: "fit", fit: false },
    ]);
    expect(seen).toEqual({ phase: "starting", actions: ["offer true", "offer false"] });
  });

  it("hands over before it stops taking connections, and exits when empty", () => {
    const seen = play(initialState(true), [
      ...serving,
      { kind: "terminate" },
      { kind: "keepalived exited" },
      { kind: "close time over" },
      { kind: "haproxy exited" },
    ]);
    expect(seen).toEqual({
      phase: "ending",
      actions: [
        "offer true",
        "announce close",
        "offer false",
        "remove addresses",
        "start close timer",
        "soft stop",
        "start drain timer",
        "stop heartbeat",
        "offer false",
        "remove addresses",
        "exit 0",
      ],
    });
  });

  it("drains once, however often it is asked", () => {
    const twice = play(initialState(true), [
      ...serving,
      { kind: "terminate" },
      { kind: "terminate" },
      { kind: "fit", fit: false },
      { kind: "haproxy silent" },
    ]);
    expect(twice.actions.filter((action) => action === "announce close")).toHaveLength(1);
    expect(twice.phase).toBe("closing");
  });

  it("keeps the addresses until empty where there is no peer", () => {
    const seen = play(initialState(false), [
      ...serving,
      { kind: "terminate" },
      { kind: "haproxy exited" },
    ]);
    expect(seen.actions).toEqual([
      "offer true",
      "announce close",
      "soft stop",
      "start drain timer",
      "stop heartbeat",
      "offer false",
      "remove addresses",
      "exit 0",
    ]);
  });

  it("gives everything up at once when HAProxy dies", () => {
    const seen = play(initialState(true), [...serving, { kind: "haproxy exited" }]);
    expect(seen).toEqual({
      phase: "ending",
      actions: ["offer true", "stop heartbeat", "offer false", "remove addresses", "exit 1"],
    });
  });

  it("fails when HAProxy dies between hand-over and soft stop", () => {
    const seen = play(initialState(true), [
      ...serving,
      { kind: "terminate" },
      { kind: "haproxy exited" },
    ]);
    expect(seen.actions.at(-1)).toBe("exit 1");
  });

  it("drains and comes back new when keepalived dies", () => {
    const seen = play(initialState(true), [
      ...serving,
      { kind: "keepalived exited" },
      { kind: "close time over" },
      { kind: "haproxy exited" },
    ]);
    expect(seen.actions).toEqual([
      "offer true",
      "announce close",
      "offer false",
      "remove addresses",
      "start close timer",
      "soft stop",
      "start drain timer",
      "stop heartbeat",
      "offer false",
      "remove addresses",
      "exit 1",
    ]);
  });

  it("kills a HAProxy that never answers, or never gets empty", () => {
    expect(play(initialState(true), [{ kind: "haproxy silent" }]).actions).toEqual([
      "kill haproxy",
    ]);
    const stuck = play(initialState(true), [
      ...serving,
      { kind: "terminate" },
      { kind: "close time over" },
      { kind: "drain time over" },
      { kind: "haproxy exited" },
    ]);
    expect(stuck.actions.slice(-5)).toEqual([
      "kill haproxy",
      "stop heartbeat",
      "offer false",
      "remove addresses",
      "exit 0",
    ]);
  });
});

describe("web node's life", () => {
  const playWeb = (events: readonly WebEvent[]) => {
    let phase: WebPhase = "serving";
    const actions: string[] = [];
    for (const event of events) {
      const step = nextWeb(phase, event);
      phase = step.phase;
      actions.push(
        ...step.actions.map((action) =>
          action.kind === "exit" ? `exit ${action.code}` : action.kind,
        ),
      );
    }
    return actions;
  };

  it("fails readiness, waits, lets nginx finish, exits", () => {
    expect(playWeb(["terminate", "terminate", "drain time over", "nginx exited"])).toEqual([
      "fail readiness",
      "start drain timer",
      "quit nginx",
      "exit 0",
    ]);
  });

  it("fails when nginx dies", () => {
    expect(playWeb(["nginx exited"])).toEqual(["exit 1"]);
    expect(playWeb(["terminate", "nginx exited", "drain time over"]).at(-1)).toBe("exit 1");
  });
});

describe("show stat", () => {
  const header =
    "# pxname,svname,scur,status,type,check_status,check_code,check_duration,last_chk,";

  it("reads servers and nothing else", () => {
    const answer = [
      header,
      "web,FRONTEND,3,OPEN,0,,,,,",
      'web,web-a,2,UP,2,L7OK,200,1,"OK, ""fine""",',
      "web,web-b,0,UP 1/2,2,* L4CON,,0,,",
      "web,web-c,0,NOLB,2,L7OKC,404,0,,",
      "web,web-d,0,DOWN 1/2,2,L7OK,200,0,,",
      "web,web-e,0,MAINT (via web/web-a),2,,,,,",
      "web,web-f,0,no check,2,,,,,",
      "web,web-g,0,UP,2,INI,,,,",
      "web,BACKEND,2,UP,1,,,,,",
      "",
    ].join("\n");
    expect(
      parseShowStat(answer).map(({ server, status, currentSessions, check, checked }) => [
        server,
        status,
        currentSessions,
        check,
        checked,
      ]),
    ).toEqual([
      ["web-a", "UP", 2, "L7OK/200 in 1ms", true],
      ["web-b", "UP", 0, "L4CON in 0ms", true],
      ["web-c", "NOLB", 0, "L7OKC/404 in 0ms", true],
      ["web-d", "DOWN", 0, "L7OK/200 in 0ms", true],
      ["web-e", "MAINT", 0, "", true],
      ["web-f", "UP", 0, "", true],
      ["web-g", "UP", 0, "INI", false],
    ]);
  });

  it("refuses anything else", () => {
    expect(() => parseShowStat("Unknown command")).toThrow(/found "Unknown command"/);
    expect(() => parseShowStat("")).toThrow(/wanted a CSV header/);
  });
});

describe("peer", () => {
  it("is cleared once, by the holder of the addresses, after the firewall's own timeout", () => {
    const state = heard(1000);
    expect(mustClear(state, "MASTER", 2000)).toBe(false);
    expect(mustClear(state, "BACKUP", 3000)).toBe(false);
    expect(mustClear(state, "MASTER", 2101)).toBe(true);
    expect(mustClear({ ...state, cleared: true }, "MASTER", 9000)).toBe(false);
    expect(mustClear(unheard, "MASTER", 9000)).toBe(false);
  });

  it("reads its connections from nft's answer", () => {
    const set = (elem: unknown) =>
      JSON.stringify({ nftables: [{ metainfo: {} }, { set: { elem } }] });
    const concat = ["10.77.0.1", 40000, "10.77.0.5", 443];
    const wanted = [{ client: "10.77.0.1", clientPort: 40000, address: "10.77.0.5", port: 443 }];
    expect(parseConnections(set([{ elem: { val: { concat }, timeout: 3600 } }]))).toEqual(wanted);
    expect(parseConnections(set([{ concat }]))).toEqual(wanted);
    expect(parseConnections(JSON.stringify({ nftables: [{ set: {} }] }))).toEqual([]);
    expect(hasElements(set(["eth0"]))).toBe(true);
    expect(hasElements("{}")).toBe(false);
  });
});
