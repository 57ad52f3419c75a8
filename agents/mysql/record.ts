import { z } from "zod";
import { readWhole, writeWhole } from "../io";
import type { MemberRecord } from "./state";

const schema = z.object({
  record: z.enum(["blank", "started", "formed"]),
  /** The operator chose this member to go on without a majority; until one is there again. */
  alone: z.boolean(),
});

/** What a member remembers across starts, kept beside its data: it goes where they go. */
export class MemberMemory {
  private content: z.output<typeof schema>;

  constructor(private readonly file: string) {
    const text = readWhole(file);
    // A damaged file must not pass for that of a blank member.
    this.content =
      text === undefined ? { record: "blank", alone: false } : schema.parse(JSON.parse(text));
  }

  get record(): MemberRecord {
    return this.content.record;
  }

  get alone(): boolean {
    return this.content.alone;
  }

  /** Remembers; on disk when it returns. */
  set(change: Partial<z.output<typeof schema>>): void {
    const next = { ...this.content, ...change };
    if (next.record === this.content.record && next.alone === this.content.alone) return;
    writeWhole(this.file, `${JSON.stringify(next)}\n`);
    this.content = next;
  }
}
