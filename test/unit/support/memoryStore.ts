import type { CacheStore, EntryKeys } from "../../../apps/property/cache/store";

/** What the scripts of the cache do in Redis, in memory; without its expiry. */
export class MemoryStore implements CacheStore {
  readonly values = new Map<string, string>();
  /** True: every command fails. */
  down = false;
  /** Called before each command. */
  before: (command: string) => Promise<void> | void = () => {};
  readonly commands: string[] = [];

  async lookup({ value, tag }: EntryKeys) {
    await this.command("lookup");
    return [this.values.get(value) ?? null, this.values.get(tag) ?? null] as const;
  }

  async lease({ tag, lease }: EntryKeys, stamp: string, holder: string) {
    await this.command("lease");
    const text = this.values.get(tag) ?? `${stamp}\n`;
    this.values.set(tag, text);
    const granted = !this.values.has(lease);
    if (granted) this.values.set(lease, holder);
    return { tag: text, granted };
  }

  async fill({ value, tag, lease }: EntryKeys, stamp: string, body: string, holder: string) {
    await this.command("fill");
    if (this.values.get(lease) === holder) this.values.delete(lease);
    if (!this.values.get(tag)?.startsWith(`${stamp}\n`)) return false;
    this.values.set(value, body);
    return true;
  }

  async release({ lease }: EntryKeys, holder: string) {
    await this.command("release");
    if (this.values.get(lease) === holder) this.values.delete(lease);
  }

  async invalidate(tags: readonly string[], stamp: string, writes: readonly string[]) {
    await this.command("invalidate");
    for (const tag of tags) {
      const before = this.values.get(tag)?.split("\n")[1] ?? "";
      const list = [...before.split(";"), ...writes.map((write) => `${write}|1`)];
      this.values.set(tag, `${stamp}\n${list.filter((one) => one !== "").join(";")}`);
    }
  }

  private async command(name: string): Promise<void> {
    this.commands.push(name);
    await this.before(name);
    if (this.down) throw new Error("the store is down");
  }
}
