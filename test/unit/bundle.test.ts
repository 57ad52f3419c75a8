import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as esbuild from "esbuild";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { projectRoot } from "../../model/rendering";

vi.mock("esbuild", { spy: true });

const build = path.join(projectRoot, ".build");
mkdirSync(build, { recursive: true });
const folder = mkdtempSync(path.join(build, "bundle-test-"));
const entry = path.relative(projectRoot, path.join(folder, "main.ts"));
const write = (file: string, text: string) => writeFileSync(path.join(folder, file), text);

/** The bundle as another run of the program gets it, and how often it was made for that. */
async function bundled(): Promise<{ text: string; made: number }> {
  vi.resetModules();
  const before = vi.mocked(esbuild.buildSync).mock.calls.length;
  const { bundle } = await import("../../components/bundle");
  const text = Buffer.from(bundle(entry)).toString("utf8");
  return { text, made: vi.mocked(esbuild.buildSync).mock.calls.length - before };
}

describe("Bundle of a program", () => {
  beforeEach(() => {
    write("main.ts", 'import { word } from "./word";\nconsole.log(word);\n');
    write("word.ts", 'export const word = "first";\n');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("is made once, and anew when a file of it changes", async () => {
    const first = await bundled();
    expect(first.text).toContain('"first"');
    expect(await bundled()).toEqual({ text: first.text, made: 0 });
    write("word.ts", 'export const word = "second";\n');
    const second = await bundled();
    expect(second.made).toBe(1);
    expect(second.text).toContain('"second"');
  });

  test("is made anew when a file of it is gone", async () => {
    await bundled();
    rmSync(path.join(folder, "word.ts"));
    await expect(bundled()).rejects.toThrow("word");
  });
});
