import { PoolTimeout } from "./errors";

export interface PoolOptions<C> {
  /** Opens a connection, within a time of its own. `lost` is called when the other side ends it. */
  readonly connect: (lost: () => void) => Promise<C>;
  readonly destroy: (connection: C) => void;
  readonly size: number;
  /** Age in ms from which a connection is not used again. */
  readonly maxAgeMs: number;
  /** Most requests that may wait for a connection. */
  readonly maxWaiting: number;
  readonly now?: () => number;
  readonly random?: () => number;
}

interface Member<C> {
  readonly connection: C;
  readonly expires: number;
  lost: boolean;
}

interface Waiter<C> {
  readonly resolve: (member: Member<C>) => void;
  readonly reject: (error: Error) => void;
}

/** How a pool is used at this moment. */
export interface PoolUse {
  readonly inUse: number;
  readonly idle: number;
  readonly waiting: number;
}

/**
 * Connections that are used in turn, none longer than `maxAgeMs`: a load balancer that is being
 * replaced gets rid of its old connections by that. The driver's own pool knows neither an age nor
 * a limit to the wait for a connection.
 */
export class Pool<C> {
  private idle: Member<C>[] = [];
  private readonly busy = new Set<Member<C>>();
  private waiting: Waiter<C>[] = [];
  private opening = 0;
  private closed = false;
  private readonly now: () => number;
  private readonly sweeper: NodeJS.Timeout;

  constructor(private readonly options: PoolOptions<C>) {
    this.now = options.now ?? Date.now;
    this.sweeper = setInterval(() => this.sweep(), 1000);
    this.sweeper.unref();
  }

  use(): PoolUse {
    return { inUse: this.busy.size, idle: this.idle.length, waiting: this.waiting.length };
  }

  /**
   * Runs the work with a connection of its own. `keep` says of an error whether the connection is
   * good for others afterwards. Rejects with PoolTimeout where none was free in time.
   */
  async with<T>(
    acquireMs: number,
    keep: (error: unknown) => boolean,
    work: (connection: C) => Promise<T>,
  ): Promise<T> {
    const member = await this.acquire(acquireMs);
    try {
      const result = await work(member.connection);
      this.release(member, true);
      return result;
    } catch (error) {
      this.release(member, keep(error));
      throw error;
    }
  }

  /** Ends connections that nobody uses: those in use tell for themselves. */
  discardIdle(): void {
    for (const { connection } of this.idle.splice(0)) this.options.destroy(connection);
  }

  /** Ends all connections; nothing can be acquired afterwards. */
  close(): void {
    this.closed = true;
    clearInterval(this.sweeper);
    this.discardIdle();
    for (const { connection } of this.busy) this.options.destroy(connection);
    for (const waiter of this.waiting.splice(0)) waiter.reject(new PoolTimeout("closed"));
  }

  private acquire(acquireMs: number): Promise<Member<C>> {
    if (this.closed) return Promise.reject(new PoolTimeout("the pool is closed"));
    for (let member = this.idle.pop(); member; member = this.idle.pop()) {
      if (!this.stale(member)) {
        this.busy.add(member);
        return Promise.resolve(member);
      }
      this.options.destroy(member.connection);
    }
    if (this.waiting.length >= this.options.maxWaiting) {
      const message = `${this.waiting.length} requests already wait for a connection`;
      return Promise.reject(new PoolTimeout(message));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting = this.waiting.filter((other) => other !== waiter);
        reject(new PoolTimeout(`no connection within ${Math.round(acquireMs)} ms`));
      }, acquireMs);
      const waiter: Waiter<C> = {
        resolve: (member) => {
          clearTimeout(timer);
          resolve(member);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.waiting.push(waiter);
      this.grow();
    });
  }

  /** Opens a connection where one is waited for and there is room. */
  private grow(): void {
    const room = this.options.size - this.busy.size - this.idle.length - this.opening;
    if (this.closed || room <= 0 || this.waiting.length <= this.opening) return;
    this.opening += 1;
    void this.open().then(
      (member) => {
        this.opening -= 1;
        if (this.closed) this.options.destroy(member.connection);
        else this.hand(member);
      },
      (error: unknown) => {
        this.opening -= 1;
        // One failure is one answer: the others may be luckier.
        this.waiting.shift()?.reject(error instanceof Error ? error : new Error(String(error)));
        this.grow();
      },
    );
  }

  private async open(): Promise<Member<C>> {
    let lost = false;
    let member: Member<C> | undefined;
    const connection = await this.options.connect(() => {
      lost = true;
      if (member) this.forget(member);
    });
    // Spread over the last fifth, so that not all are renewed at once.
    const random = this.options.random ?? Math.random;
    const age = this.options.maxAgeMs * (1 - random() / 5);
    return (member = { connection, expires: this.now() + age, lost });
  }

  private release(member: Member<C>, usable: boolean): void {
    this.busy.delete(member);
    if (this.closed || !usable || this.stale(member)) {
      this.options.destroy(member.connection);
      this.grow();
      return;
    }
    this.hand(member);
  }

  private hand(member: Member<C>): void {
    const waiter = this.waiting.shift();
    if (waiter) {
      this.busy.add(member);
      waiter.resolve(member);
    } else {
      this.idle.push(member);
    }
  }

  private forget(member: Member<C>): void {
    member.lost = true;
    if (!this.idle.includes(member)) return;
    this.idle = this.idle.filter((other) => other !== member);
    this.options.destroy(member.connection);
  }

  private stale({ expires, lost }: Member<C>): boolean {
    return lost || this.now() >= expires;
  }

  private sweep(): void {
    for (const member of this.idle.filter((one) => this.stale(one))) this.forget(member);
  }
}
