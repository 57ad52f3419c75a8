/* What is known of the other load balancer, without input or output. */

/** Milliseconds without a heartbeat after which the peer is taken for gone; as in the firewall. */
const peerTimeoutMs = 1000;
/** Milliseconds between heartbeats. */
export const heartbeatIntervalMs = 200;

export interface PeerState {
  /** Time of its last heartbeat in milliseconds, undefined before the first. */
  readonly heardAt: number | undefined;
  /** True once its left-over connections have been reset after it was last heard. */
  readonly cleared: boolean;
}

export const unheard: PeerState = { heardAt: undefined, cleared: true };

export function heard(now: number): PeerState {
  return { heardAt: now, cleared: false };
}

/**
 * Are there connections of a peer that is gone, which this node must end? Only the holder of the
 * virtual addresses may. A margin lets the firewall's own timeout pass first.
 */
export function mustClear(state: PeerState, vrrp: string, now: number): boolean {
  return (
    !state.cleared &&
    state.heardAt !== undefined &&
    vrrp === "MASTER" &&
    now - state.heardAt > peerTimeoutMs + 100
  );
}

/** Its heartbeats arrive. */
export const isAlive = ({ heardAt }: PeerState, now: number): boolean =>
  heardAt !== undefined && now - heardAt < peerTimeoutMs;

/** A connection of a client, as it would be seen in one of its packets. */
export interface ClientConnection {
  readonly client: string;
  readonly clientPort: number;
  readonly address: string;
  readonly port: number;
}

/** Connections in the answer of `nft -j list set` for a set of that shape. */
export function parseConnections(json: string): ClientConnection[] {
  const answer = JSON.parse(json) as {
    nftables?: { set?: { elem?: unknown[] } }[];
  };
  const elements = (answer.nftables ?? []).flatMap(({ set }) => set?.elem ?? []);
  return elements.flatMap((element) => {
    const wrapped = element as { elem?: { val?: unknown } };
    const value = (wrapped.elem?.val ?? element) as { concat?: unknown };
    if (!Array.isArray(value.concat)) return [];
    const [client, clientPort, address, port] = value.concat as unknown[];
    return [
      {
        client: String(client),
        clientPort: Number(clientPort),
        address: String(address),
        port: Number(port),
      },
    ];
  });
}

/** Does the answer of `nft -j list set` hold an element? */
export function hasElements(json: string): boolean {
  const answer = JSON.parse(json) as { nftables?: { set?: { elem?: unknown[] } }[] };
  return (answer.nftables ?? []).some(({ set }) => (set?.elem?.length ?? 0) > 0);
}
