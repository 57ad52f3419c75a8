import { describe, expect, test } from "vitest";
import { kill, start } from "../../agents/backup/programs";

/** As restic does: heeds no signal before its output is taken, which is more than a pipe holds. */
const talkative = `
  process.on("SIGTERM", () => {});
  process.on("SIGINT", () => {});
  process.stdout.write("first\\n" + "x".repeat(50_000_000), () => process.exit(0));
`;

describe("End of a program", () => {
  test("comes though nobody takes its output", async () => {
    const program = start(process.execPath, ["-e", talkative], { stdout: "pipe" });
    for await (const part of program.process.stdout as AsyncIterable<Buffer>) {
      expect(part.toString()).toMatch(/^first/);
      await kill([program]);
      break;
    }
    await expect(program.ended).rejects.toThrow("was ended");
  });

  test("comes though it waits for input", async () => {
    const program = start(process.execPath, ["-e", "process.stdin.resume()"], { stdin: "pipe" });
    await kill([program]);
    await expect(program.ended).rejects.toThrow("was ended");
  });
});
