import { nameOf } from "./stackState";

interface EngineEvent {
  readonly diagnosticEvent?: {
    readonly urn?: string;
    readonly message: string;
    readonly severity: string;
  };
  readonly policyEvent?: {
    readonly resourceUrn?: string;
    /** The policy's description, a line break, and what is wrong. */
    readonly message: string;
    readonly policyName: string;
    readonly enforcementLevel: string;
  };
}

/** Lines that say that something failed but not what. */
const empty = /^(update|preview|destroy) failed$|^resource .* has a problem/;

// What Node prints around the message of an error that nobody caught.
const wrapping = /^\s*(at .*[:(].*|promise: Promise .*|\}|)$/;

function plain(message: string): string {
  return message
    .replace(/<\{%[^%]*%\}>/g, "")
    .replace(/\u001b\[[0-9;]*m/g, "")
    .replace(/^error: /, "")
    .replace(/^Running program '[^']*' failed with an unhandled exception:\n/, "")
    .replace(/^<ref \*\d+> /, "")
    .replace(/^Error: /, "")
    .replace(/^(error serializing property "[^"]*": )+/, "")
    .split("\n")
    .filter((line) => !wrapping.test(line))
    .join("\n")
    .replace(/ \{$/, "")
    .trim();
}

/** What a policy refuses. */
function refusal({ policyEvent }: EngineEvent): string[] {
  if (policyEvent?.enforcementLevel !== "mandatory") return [];
  const [description = "", ...rest] = policyEvent.message.trim().split("\n");
  return [`policy ${policyEvent.policyName}: ${rest.join("\n") || description}`];
}

/**
 * Why an update failed, from the engine's event log (one JSON object a line): each message once,
 * with the resource it is about, program stack traces left out.
 */
export function failureReasons(eventLog: string): string[] {
  const reasons = eventLog.split("\n").flatMap((line) => {
    if (line.includes('"policyEvent"')) return refusal(JSON.parse(line) as EngineEvent);
    if (!line.includes('"diagnosticEvent"')) return [];
    const { diagnosticEvent } = JSON.parse(line) as EngineEvent;
    if (diagnosticEvent?.severity !== "error") return [];
    const message = plain(diagnosticEvent.message);
    if (message === "" || empty.test(message)) return [];
    const { urn } = diagnosticEvent;
    const about = urn && !urn.includes("::pulumi:pulumi:Stack::") ? `${nameOf(urn)}: ` : "";
    return [`${about}${message}`];
  });
  return [...new Set(reasons)];
}

/** What to do about a failure, where its text tells. */
export function remedies(reasons: readonly string[], stack: string, platform: string): string[] {
  const text = reasons.join("\n");
  const found: string[] = [];
  if (
    /name "?\/?holdfast-[^ ]*"? is already in use|network with name holdfast-\S+ already/.test(text)
  ) {
    found.push(
      `the lab of stack ${stack} exists but its state does not hold it; remove it with: make down STACK=${stack}`,
    );
  }
  if (/the stack is currently locked/.test(text)) {
    found.push(
      `another update of stack ${stack} runs; wait for it, or if it is dead: pulumi cancel --stack ${stack}`,
    );
  }
  if (platform !== "linux" && /does not answer over SSH/.test(text)) {
    found.push(
      "this computer may have no route to the lab's network (Docker Desktop has none); run the lab on Linux, or in a Linux VM",
    );
  }
  return found;
}
