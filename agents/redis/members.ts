import type { RedisAgentView } from "../../model/views";
import { Link } from "./link";
import { redisState, wordOf, type RedisState } from "./replies";
import { same, type Address, type Word } from "./topology";
import { Watcher, type Seen } from "./watcher";

/** An answer older than this counts as none: one that is missing does not matter yet. */
const freshMs = 3000;
const timeoutMs = 1000;
/** Milliseconds between questions: each costs some CPU, on every node, all the time. */
const every = { ownRedis: 500, peerRedis: 2000, sentinel: 1000 };

/** A member with its Redis and its Sentinel, as this node sees them. */
export interface Member {
  readonly node: string;
  readonly address: Address;
  readonly redisLink: Link;
  readonly sentinelLink: Link;
  readonly redis: Watcher<RedisState>;
  readonly sentinel: Watcher<Word>;
}

/** The members of the cache, watched all the time. */
export class Members {
  readonly all: readonly Member[];
  readonly own: Member;
  readonly peers: readonly Member[];

  constructor(view: RedisAgentView, ca: string, user: string, passwords: readonly string[]) {
    this.all = view.members.map(({ node, address }): Member => {
      const common = { host: address, ca, user, passwords, timeoutMs };
      const redisLink = new Link({ ...common, port: view.port });
      const sentinelLink = new Link({ ...common, port: view.sentinelPort });
      return {
        node,
        address: { host: address, port: view.port },
        redisLink,
        sentinelLink,
        redis: new Watcher(
          async () =>
            redisState(
              String(await redisLink.ask("INFO", "replication", "persistence", "keyspace")),
            ),
          node === view.node ? every.ownRedis : every.peerRedis,
        ),
        sentinel: new Watcher(async () => {
          const [address, master] = await Promise.all([
            sentinelLink.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", view.masterName),
            sentinelLink.ask("SENTINEL", "MASTER", view.masterName),
          ]);
          return wordOf(node, address, master);
        }, every.sentinel),
      };
    });
    const own = this.all.find(({ node }) => node === view.node);
    if (!own) throw new Error(`agent.json: ${view.node} is not among the members`);
    this.own = own;
    this.peers = this.all.filter((member) => member !== own);
  }

  /** What the members' Sentinels said lately. */
  words(): Word[] {
    return this.all.flatMap(({ sentinel }) => sentinel.latest(freshMs)?.value ?? []);
  }

  /** What the own Redis said lately. */
  ownRedis(): Seen<RedisState> | undefined {
    return this.own.redis.latest(freshMs);
  }

  /** What the peers' Redis said lately. */
  peerRedis(): { readonly address: Address; readonly seen: Seen<RedisState> }[] {
    return this.peers.flatMap(({ address, redis }) => {
      const seen = redis.latest(freshMs);
      return seen ? [{ address, seen }] : [];
    });
  }

  /** Asks more often, while this node hands over. */
  watchClosely(): void {
    for (const { redis, sentinel } of this.all) {
      redis.hurry(40);
      sentinel.hurry(80);
    }
  }

  /** True where each follower of this master has all that was written, by answers since `since`. */
  caughtUp(self: Address, since: number): boolean {
    const own = this.ownRedis();
    if (!own || own.askedAt < since) return false;
    const followers = this.peerRedis().filter(({ seen }) => same(seen.value.master, self));
    return (
      followers.length > 0 &&
      followers.every(({ seen }) => seen.askedAt >= since && seen.value.offset >= own.value.offset)
    );
  }

  /** Asks a Sentinel to make a replica the master: a peer's, which stays, before the own one. */
  async askForFailover(masterName: string): Promise<string> {
    const answers: string[] = [];
    for (const { node, sentinelLink } of [...this.peers, this.own]) {
      try {
        await sentinelLink.ask("SENTINEL", "FAILOVER", masterName);
        return `${node} began`;
      } catch (error) {
        const answer = error instanceof Error ? error.message : String(error);
        if (answer.startsWith("INPROG")) return `${node}: one is in progress`;
        answers.push(`${node}: ${answer}`);
      }
    }
    return `no Sentinel began: ${answers.join("; ")}`;
  }
}
