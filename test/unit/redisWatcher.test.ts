import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Watcher } from "../../agents/redis/watcher";

describe("what a node watches", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("keeps the last answer until it is too old, and says why there is none newer", async () => {
    let answer: () => Promise<number> = () => Promise.resolve(1);
    const watcher = new Watcher(() => answer(), 500);
    expect(watcher.latest(1000)).toBeUndefined();
    expect(watcher.problem).toBe("not asked yet");
    await watcher.start();
    expect(watcher.latest(1000)?.value).toBe(1);
    expect(watcher.problem).toBe("");

    answer = () => Promise.reject(new Error("refused"));
    await vi.advanceTimersByTimeAsync(1000);
    expect(watcher.latest(1000)?.value).toBe(1);
    expect(watcher.problem).toBe("refused");
    await vi.advanceTimersByTimeAsync(1);
    expect(watcher.latest(1000)).toBeUndefined();

    answer = () => Promise.resolve(2);
    await vi.advanceTimersByTimeAsync(500);
    expect(watcher.latest(1000)?.value).toBe(2);
    watcher.forget();
    expect(watcher.latest(1000)).toBeUndefined();
  });

  it("hurries at once, and asks one question at a time", async () => {
    let asked = 0;
    let waiting = 0;
    let most = 0;
    const watcher = new Watcher(async () => {
      asked++;
      most = Math.max(most, ++waiting);
      await new Promise((resolve) => setTimeout(resolve, 10));
      waiting--;
    }, 60_000);
    const first = watcher.start();
    await vi.advanceTimersByTimeAsync(10);
    await first;
    watcher.hurry(40);
    watcher.hurry(40);
    expect(asked).toBe(2);
    await vi.advanceTimersByTimeAsync(500);
    expect(asked).toBe(12);
    expect(most).toBe(1);
  });
});
