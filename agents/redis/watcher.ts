import { messageOf } from "../io";

/** An answer, and when the question was asked. */
export interface Seen<T> {
  readonly value: T;
  readonly askedAt: number;
}

/** Asks the same question over and over and keeps the last answer. Times are `performance.now()`. */
export class Watcher<T> {
  private last: Seen<T> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private failure = "not asked yet";

  constructor(
    private readonly ask: () => Promise<T>,
    /** Milliseconds between an answer and the next question. */
    private intervalMs: number,
  ) {}

  /** Starts to ask. Resolves after the first answer or failure. */
  async start(): Promise<void> {
    const askedAt = performance.now();
    try {
      this.last = { value: await this.ask(), askedAt };
      this.failure = "";
    } catch (error) {
      this.failure = messageOf(error);
    }
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.start();
    }, this.intervalMs);
  }

  /** The last answer, unless it is older than this. */
  latest(maxAgeMs: number): Seen<T> | undefined {
    return this.last && performance.now() - this.last.askedAt <= maxAgeMs ? this.last : undefined;
  }

  /** Why the last question was not answered; empty where it was. */
  get problem(): string {
    return this.failure;
  }

  /** Forgets the last answer, where what gave it is gone. */
  forget(): void {
    this.last = undefined;
  }

  /** Asks so often from now on. */
  hurry(intervalMs: number): void {
    this.intervalMs = intervalMs;
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    void this.start();
  }
}
