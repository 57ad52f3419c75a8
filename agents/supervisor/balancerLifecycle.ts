/*
 * What the supervisor of a load balancer does when something happens, as a state machine without
 * any input or output of its own.
 */

/**
 * starting: not yet fit to hold the virtual addresses. serving: fit. closing: handed over, clients
 * are told to reconnect. draining: HAProxy finishes what it holds and takes nothing new.
 * ending: about to exit.
 */
export type Phase = "starting" | "serving" | "closing" | "draining" | "ending";

export type BalancerEvent =
  | { readonly kind: "terminate" }
  | { readonly kind: "fit"; readonly fit: boolean }
  | { readonly kind: "haproxy exited" }
  | { readonly kind: "haproxy silent" }
  | { readonly kind: "keepalived exited" }
  | { readonly kind: "close time over" }
  | { readonly kind: "drain time over" };

export type BalancerAction =
  /** Tell keepalived whether this node may hold the virtual addresses; if not it hands them over. */
  | { readonly kind: "offer"; readonly fit: boolean }
  /** Answers carry `Connection: close` from now on. */
  | { readonly kind: "announce close" }
  /** Take the virtual addresses off the interface, should keepalived not have done so. */
  | { readonly kind: "remove addresses" }
  | { readonly kind: "start close timer" }
  /** HAProxy takes nothing new and exits when empty. */
  | { readonly kind: "soft stop" }
  | { readonly kind: "start drain timer" }
  | { readonly kind: "kill haproxy" }
  | { readonly kind: "stop heartbeat" }
  | { readonly kind: "exit"; readonly code: number };

export interface BalancerState {
  readonly phase: Phase;
  /** There is another load balancer to hand over to. */
  readonly hasPeer: boolean;
  /** Exit code once the drain is over: 0 for a planned stop. */
  readonly exitCode: number;
}

export interface Step {
  readonly state: BalancerState;
  readonly actions: readonly BalancerAction[];
}

export function initialState(hasPeer: boolean): BalancerState {
  return { phase: "starting", hasPeer, exitCode: 0 };
}

/** Leaves service without losing a connection. Alone there is nobody to hand over to. */
function drain(state: BalancerState): Step {
  if (!state.hasPeer) {
    return {
      state: { ...state, phase: "draining" },
      actions: [{ kind: "announce close" }, { kind: "soft stop" }, { kind: "start drain timer" }],
    };
  }
  return {
    state: { ...state, phase: "closing" },
    actions: [
      { kind: "announce close" },
      { kind: "offer", fit: false },
      { kind: "remove addresses" },
      { kind: "start close timer" },
    ],
  };
}

function end(state: BalancerState, code: number): Step {
  return {
    state: { ...state, phase: "ending" },
    actions: [
      { kind: "stop heartbeat" },
      { kind: "offer", fit: false },
      { kind: "remove addresses" },
      { kind: "exit", code },
    ],
  };
}

/** The next state and what to do, in order. Events that mean nothing now change nothing. */
export function next(state: BalancerState, event: BalancerEvent): Step {
  const unchanged: Step = { state, actions: [] };
  const inService = state.phase === "starting" || state.phase === "serving";
  switch (event.kind) {
    case "terminate":
      return inService ? drain(state) : unchanged;
    case "fit":
      if (!inService || event.fit === (state.phase === "serving")) return unchanged;
      return {
        state: { ...state, phase: event.fit ? "serving" : "starting" },
        actions: [{ kind: "offer", fit: event.fit }],
      };
    case "haproxy exited":
      // Not asked to: a dead process holds nothing, so the peer takes over at once.
      if (state.phase === "ending") return unchanged;
      return end(state, state.phase === "draining" ? state.exitCode : 1);
    case "haproxy silent":
      return inService ? { state, actions: [{ kind: "kill haproxy" }] } : unchanged;
    case "keepalived exited":
      // Nobody speaks for this node any more, the peer takes over: leave in order, come back new.
      return inService ? drain({ ...state, exitCode: 1 }) : unchanged;
    case "close time over":
      if (state.phase !== "closing") return unchanged;
      return {
        state: { ...state, phase: "draining" },
        actions: [{ kind: "soft stop" }, { kind: "start drain timer" }],
      };
    case "drain time over":
      return state.phase === "draining"
        ? { state, actions: [{ kind: "kill haproxy" }] }
        : unchanged;
  }
}
