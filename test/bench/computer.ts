import os from "node:os";
import { execa } from "execa";

const idleSeconds = 30;

/** CPU seconds used by the whole computer so far, idle time left out. */
export function busySeconds(): number {
  return (
    os.cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) /
    1000
  );
}

/** Memory in use on this computer in GB, caches left out. */
export async function usedGigabytes(): Promise<number> {
  const { stdout } = await execa("free", ["-m"]);
  return Number(/^Mem:\s+\d+\s+(\d+)/m.exec(stdout)?.[1] ?? 0) / 1024;
}

/** CPU cores in use on average while nothing is asked of the computer. */
export async function idleCores(): Promise<number> {
  const before = busySeconds();
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
  return (busySeconds() - before) / idleSeconds;
}

/** CPU cores that each lab machine of a stack uses now, by machine. */
export async function coresByMachine(stack: string): Promise<ReadonlyMap<string, number>> {
  const { stdout } = await execa("docker", [
    ...["stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}}"],
  ]);
  const prefix = `holdfast-${stack}-`;
  return new Map(
    stdout.split("\n").flatMap((line) => {
      const [name = "", share = ""] = line.split(" ");
      return name.startsWith(prefix)
        ? [[name.slice(prefix.length), Number.parseFloat(share) / 100] as const]
        : [];
    }),
  );
}
