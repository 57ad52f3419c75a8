import { union, type GtidSet } from "../mysql/gtid";

interface Run {
  readonly first: bigint;
  readonly last: bigint;
}

/** Numbers that come out of order leave gaps for a while; more than so many are joined now and then. */
const maxRuns = 100;

/** Gathers GTIDs one by one: cheap where they come in order, right in any order. */
export class GtidCollector {
  private readonly runs = new Map<string, Run[]>();
  private known: GtidSet | undefined;

  constructor(private base: GtidSet = new Map()) {}

  add(source: string, first: bigint, last: bigint = first): void {
    this.known = undefined;
    const runs = this.runs.get(source);
    const newest = runs?.at(-1);
    if (runs && newest && first === newest.last + 1n) {
      runs[runs.length - 1] = { first: newest.first, last };
    } else if (runs) runs.push({ first, last });
    else this.runs.set(source, [{ first, last }]);
    if (runs && runs.length > maxRuns) {
      this.base = this.set();
      this.runs.clear();
    }
  }

  has(source: string, number: bigint): boolean {
    const within = ({ first, last }: Run) => first <= number && number <= last;
    return (
      (this.runs.get(source)?.some(within) ?? false) ||
      (this.base.get(source)?.some(within) ?? false)
    );
  }

  /** All of them, with what it began with. */
  set(): GtidSet {
    this.known ??= union(
      this.base,
      new Map([...this.runs].map(([source, runs]) => [source, [...runs]])),
    );
    return this.known;
  }
}
