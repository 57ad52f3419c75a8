import { log } from "../io";

/** What is wrong, by what it is about: told once when it comes, once when it is over. */
export class Problems {
  private readonly open = new Map<string, string>();

  constructor(private readonly onProblem: () => void) {}

  /** The problem that there is, undefined where all is well. */
  get current(): string | undefined {
    return [...this.open.values()][0];
  }

  report(about: string, problem: string): void {
    this.onProblem();
    if (this.open.get(about) !== problem) log("problem", { about, problem });
    this.open.set(about, problem);
  }

  over(about: string): void {
    if (this.open.delete(about)) log("problem is over", { about });
  }
}
