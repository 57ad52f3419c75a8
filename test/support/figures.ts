import { mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { projectRoot } from "../../model/rendering";

interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly aim?: string;
}

/** Measurements that are recorded and not asserted, kept in `reports/<name>.json`. */
export class Figures {
  private readonly figures: Figure[] = [];
  private readonly texts: Record<string, string> = {};

  constructor(private readonly name: string) {}

  record(what: string, value: number, unit: string, aim?: string): void {
    this.figures.push({ what, value: Math.round(value * 100) / 100, unit, ...(aim && { aim }) });
    console.log(`${what}: ${value.toFixed(2)} ${unit}${aim ? ` (aim ${aim})` : ""}`);
  }

  /** Keeps a text, such as a plan of the database. */
  note(what: string, text: string): void {
    this.texts[what] = text;
    console.log(`${what}:\n${text}`);
  }

  /** Writes the file and returns its path. */
  write(): string {
    const folder = path.join(projectRoot, "reports");
    mkdirSync(folder, { recursive: true });
    const file = path.join(folder, `${this.name}.json`);
    const machine = { cpus: os.cpus().length, model: os.cpus()[0]?.model, memory: os.totalmem() };
    const content = { machine, figures: this.figures, texts: this.texts };
    writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
    return path.relative(process.cwd(), file);
  }
}
