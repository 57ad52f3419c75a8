/*
 * Imported for its effect: the program runs in this test without machines to reach. Its own steps
 * that reach them do nothing; images that a stack can do without are there where UNIT_HAS_IMAGES is
 * `yes`.
 */
import { vi } from "vitest";
import type * as ssh from "../../../operations/ssh";

vi.mock("../../../operations/preflight", () => ({ preflight: async () => undefined }));
vi.mock("../../../operations/hasImage", () => ({
  hasImage: () => process.env["UNIT_HAS_IMAGES"] === "yes",
}));
vi.mock("../../../operations/reach", () => ({
  awaitEngine: async () => undefined,
  deployedBefore: () => false,
}));
vi.mock("../../../operations/ssh", async (original) => ({
  ...(await original<typeof ssh>()),
  storeKeys: () => undefined,
}));
