import { describe, expect, it } from "vitest";
import { sizeFor, wishOf } from "../../toolchain/volumesInMemory";

const gigabyte = 1024 ** 3;

describe("the engine's volumes", () => {
  it("stay on disk unless memory is asked for", () => {
    expect([undefined, "", "disk", "memory"].map(wishOf)).toEqual([
      "disk",
      "disk",
      "disk",
      "memory",
    ]);
  });

  it("are neither where the wish is not understood", () => {
    expect(() => wishOf("ram")).toThrow(
      "HOLDFAST_ENGINE_VOLUMES is 'ram'; allowed are disk (the default) and memory",
    );
  });

  it("take half of the memory, of a computer that has enough", () => {
    expect(sizeFor(24 * gigabyte, [])).toBe(12 * gigabyte);
    expect(sizeFor(24 * gigabyte, ["metadata.db", "backingFsBlockDev"])).toBe(12 * gigabyte);
    expect(sizeFor(8 * gigabyte, [])).toBe("this computer has less than 15 GB of memory");
  });

  it("are left alone where there are any", () => {
    expect(sizeFor(24 * gigabyte, ["metadata.db", "someones-database"])).toBe(
      "there are volumes already",
    );
  });
});
