/* What the supervisor of a web node does when something happens, without input or output. */

/** leaving: readiness fails while requests are still served. quitting: nginx finishes and exits. */
export type WebPhase = "serving" | "leaving" | "quitting" | "ending";

export type WebEvent = "terminate" | "drain time over" | "nginx exited";

export type WebAction =
  | { readonly kind: "fail readiness" }
  | { readonly kind: "start drain timer" }
  | { readonly kind: "quit nginx" }
  | { readonly kind: "exit"; readonly code: number };

export interface WebStep {
  readonly phase: WebPhase;
  readonly actions: readonly WebAction[];
}

/** The next phase and what to do, in order. Events that mean nothing now change nothing. */
export function nextWeb(phase: WebPhase, event: WebEvent): WebStep {
  switch (event) {
    case "terminate":
      if (phase !== "serving") break;
      return {
        phase: "leaving",
        actions: [{ kind: "fail readiness" }, { kind: "start drain timer" }],
      };
    case "drain time over":
      if (phase !== "leaving") break;
      return { phase: "quitting", actions: [{ kind: "quit nginx" }] };
    case "nginx exited":
      if (phase === "ending") break;
      return {
        phase: "ending",
        actions: [{ kind: "exit", code: phase === "quitting" ? 0 : 1 }],
      };
  }
  return { phase, actions: [] };
}
