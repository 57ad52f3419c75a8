/*
 * Runs the vitest projects named as arguments, one after the other, and prints what failed
 * and, as the last line, the total: "N passed, N failed". Exit code 1 where a test failed or none ran.
 * ONLY in the environment: only tests with that in their name.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { projectRoot } from "../model/rendering";
import { failures, tally, verdict, type JsonReport, type Tally } from "./support/tally";

const folder = path.join(projectRoot, ".build", "test");
mkdirSync(folder, { recursive: true });

const only = process.env["ONLY"];

async function runProject(project: string): Promise<Tally> {
  const file = path.join(folder, `${project}.json`);
  rmSync(file, { force: true });
  const { exitCode } = await execa(
    "vitest",
    [
      "run",
      "--project",
      project,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
      // On a live stack that is broken every further test fails, after all of its waiting.
      ...(project === "unit" ? [] : ["--bail=4"]),
      ...(only ? ["--testNamePattern", only] : []),
    ],
    { cwd: projectRoot, reject: false, preferLocal: true, stdio: "inherit" },
  );
  let report: JsonReport | undefined;
  try {
    report = JSON.parse(readFileSync(file, "utf8")) as JsonReport;
  } catch {
    failed.push(`FAILED ${project}: it left no report`);
  }
  failed.push(...failures(report).map((text) => `FAILED ${project}: ${text}`));
  return tally(report, exitCode ?? 1);
}

const failed: string[] = [];
const tallies: Tally[] = [];
for (const project of process.argv.slice(2)) tallies.push(await runProject(project));
const { line, ok } = verdict(tallies);
for (const text of failed) console.log(`\n${text}`);
console.log(line);
process.exitCode = ok ? 0 : 1;
