import { slotSeconds } from "./slo";

/** A value at a moment: seconds since 1970, and the value. */
export type Sample = readonly [at: number, value: number];

/** What one Prometheus recorded. */
export interface MonitorSeries {
  /** `slo:down:bool` */
  readonly down: readonly Sample[];
  /** `slo:planned:bool` */
  readonly planned: readonly Sample[];
}

/** State of a slot: nobody looked; up; down. What is worse has the higher number. */
const states = { unseen: 0, up: 1, down: 2 } as const;

/** Slots of five seconds, one after the other. */
export interface Slots {
  /** Seconds since 1970 at which the first begins; a multiple of the slot's length. */
  readonly from: number;
  readonly states: Uint8Array;
  /** 1 where somebody was changing the stack. */
  readonly planned: Uint8Array;
}

/** So long may Prometheus miss its rounds before it counts as not having looked. */
export const bridgedSeconds = 15;

/** The greatest value that any monitor has for each slot; missing ones are 0. */
function greatest(
  series: readonly (readonly Sample[])[],
  from: number,
  count: number,
  value: (sample: number) => number,
): Uint8Array {
  const slots = new Uint8Array(count);
  for (const [at, sample] of series.flat()) {
    const slot = Math.floor((at - from) / slotSeconds);
    if (slot < 0 || slot >= count) continue;
    slots[slot] = Math.max(slots[slot] ?? 0, value(sample));
  }
  return slots;
}

/** A short gap gets the worse of the states on both sides of it. */
function bridged(slots: Uint8Array): Uint8Array {
  const filled = slots.slice();
  for (let start = 0; start < slots.length; start++) {
    if (slots[start] !== states.unseen) continue;
    let end = start;
    while (end < slots.length && slots[end] === states.unseen) end += 1;
    const [before, after] = [slots[start - 1], slots[end]];
    const seconds = (end - start) * slotSeconds;
    if (before !== undefined && after !== undefined && seconds <= bridgedSeconds) {
      filled.fill(Math.max(before, after), start, end);
    }
    start = end;
  }
  return filled;
}

/**
 * Slots from `from` to `to` (seconds since 1970, widened to whole slots) as all monitors saw them
 * together: a slot is down when one of them says so, unseen when none says anything.
 */
export function slotsOf(from: number, to: number, monitors: readonly MonitorSeries[]): Slots {
  const first = Math.floor(from / slotSeconds) * slotSeconds;
  const count = Math.ceil((to - first) / slotSeconds);
  if (!(count > 0))
    throw new RangeError(`found a time from ${from} to ${to}, allowed: its end last`);
  const isDown = (value: number) => (value > 0.5 ? states.down : states.up);
  const isPlanned = (value: number) => (value > 0.5 ? 1 : 0);
  return {
    from: first,
    states: bridged(
      greatest(
        monitors.map(({ down }) => down),
        first,
        count,
        isDown,
      ),
    ),
    planned: greatest(
      monitors.map(({ planned }) => planned),
      first,
      count,
      isPlanned,
    ),
  };
}

/** Seconds by what was the matter. All of them count as down. */
export interface DownSeconds {
  /** Down while somebody was changing the stack. */
  readonly planned: number;
  readonly unplanned: number;
  /** Nobody looked: what cannot be shown to have been up was not. */
  readonly unseen: number;
}

/** Sum of all that counts as down. */
export function sumOf({ planned, unplanned, unseen }: DownSeconds): number {
  return planned + unplanned + unseen;
}

/** Counts the slots with the numbers from `start` to before `end`. */
export function downSeconds(slots: Slots, start: number, end: number): DownSeconds {
  const counted = { planned: 0, unplanned: 0, unseen: 0 };
  for (let slot = start; slot < end; slot++) {
    const state = slots.states[slot];
    if (state === states.up || state === undefined) continue;
    if (state === states.unseen) counted.unseen += slotSeconds;
    else if (slots.planned[slot] === 1) counted.planned += slotSeconds;
    else counted.unplanned += slotSeconds;
  }
  return counted;
}

/** Times that are down, with what is up for less than a minute between them. */
export interface Incident {
  /** Seconds since 1970. */
  readonly from: number;
  /** Seconds since 1970; the first moment at which it was up again. */
  readonly to: number;
  readonly down: DownSeconds;
}

const sameIncidentSeconds = 60;

/** Every incident, in the order of time. */
export function incidentsOf(slots: Slots): readonly Incident[] {
  const runs: { start: number; end: number }[] = [];
  for (const [slot, state] of slots.states.entries()) {
    if (state === states.up) continue;
    const last = runs.at(-1);
    if (last && (slot - last.end) * slotSeconds < sameIncidentSeconds) last.end = slot + 1;
    else runs.push({ start: slot, end: slot + 1 });
  }
  return runs.map(({ start, end }) => ({
    from: slots.from + start * slotSeconds,
    to: slots.from + end * slotSeconds,
    down: downSeconds(slots, start, end),
  }));
}

/** A part of the time, for the chart. */
export interface Part {
  readonly from: number;
  readonly seconds: number;
  readonly down: DownSeconds;
}

const partLengths = [60, 300, 900, 1800, 3600, 14_400, 86_400, 604_800];
const mostParts = 120;

/** The time in at most 120 parts of the same handy length; the last may be shorter. */
export function partsOf(slots: Slots): readonly Part[] {
  const count = slots.states.length;
  const total = count * slotSeconds;
  const length =
    partLengths.find((seconds) => total / seconds <= mostParts) ??
    Math.ceil(total / mostParts / 604_800) * 604_800;
  const size = length / slotSeconds;
  return Array.from({ length: Math.ceil(count / size) }, (_, index) => {
    const [start, end] = [index * size, Math.min(count, (index + 1) * size)];
    return {
      from: slots.from + start * slotSeconds,
      seconds: (end - start) * slotSeconds,
      down: downSeconds(slots, start, end),
    };
  });
}
