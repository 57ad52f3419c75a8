import { writeFileSync } from "node:fs";
import os from "node:os";

/** The niceness that gives way to every ordinary process. */
export const lowest = os.constants.priority.PRIORITY_LOW;

/** From now on this process and what it starts get the processor only where nobody else wants it. */
export function yieldProcessor(): void {
  os.setPriority(lowest);
}

/**
 * The same for a process that leads a session, with all in it. Linux may weigh sessions against each
 * other, whatever the priority of what is in them ("autogroup", sched(7)); elsewhere nothing happens.
 */
export function yieldSession(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(lowest));
  } catch {
    // No Linux, no autogroups, or the process has ended.
  }
}
