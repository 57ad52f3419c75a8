import type { Fault } from "./fault";

/** Requests that clients send at a steady rate. */
export interface Requests {
  /** What they do, for people: `one request of five is slow`. */
  readonly name: string;
  readonly perSecond: number;
  /** Address of the n-th. */
  readonly url: (n: number) => string;
}

/** Milliseconds that a client waits: longer than anything answers, since one that leaves counts itself. */
const patienceMs = 40_000;

/** Clients ask for what makes the stack slow, or fail. */
export function requestsSent({ name, perSecond, url }: Requests): Fault {
  let timer: NodeJS.Timeout | undefined;
  const open = new Set<Promise<unknown>>();
  const send = (n: number) => {
    const signal = AbortSignal.timeout(patienceMs);
    const request = fetch(url(n), { signal })
      .then((response) => response.arrayBuffer())
      // What becomes of it is counted by the stack.
      .catch(() => undefined);
    open.add(request);
    void request.finally(() => open.delete(request));
  };
  return {
    name,
    inject: () => {
      let sent = 0;
      timer = setInterval(() => send(sent++), 1000 / perSecond);
      return Promise.resolve();
    },
    heal: async () => {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}
