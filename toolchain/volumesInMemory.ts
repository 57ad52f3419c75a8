import { mkdirSync, readdirSync, rmdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ask, run } from "./commands";
import { say } from "./progress";
import { messageOf } from "./tools";

/** `HOLDFAST_ENGINE_VOLUMES`: where an engine that is started here keeps its volumes. */
export type Wish = "disk" | "memory";

/** Bytes below which a computer keeps its memory for programs. */
const leastMemory = 15 * 1024 ** 3;
/** Folder of the engine's volumes. */
const folder = "/var/lib/docker/volumes";
/** The engine's own files in the folder of its volumes. */
const engineFiles = ["backingFsBlockDev", "metadata.db"];

/** What is asked for; throws where it is neither of the two. */
export function wishOf(value: string | undefined): Wish {
  if (value === undefined || value === "" || value === "disk") return "disk";
  if (value === "memory") return "memory";
  throw new Error(
    `HOLDFAST_ENGINE_VOLUMES is '${value}'; allowed are disk (the default) and memory`,
  );
}

/**
 * Bytes of memory for the volumes, or why they stay on disk. Measured on the stack of the data
 * suite, 13 machines under load: 5.6 GB of volumes, 4 GB for programs.
 */
export function sizeFor(totalMemory: number, names: readonly string[]): number | string {
  if (names.some((name) => !engineFiles.includes(name))) return "there are volumes already";
  if (totalMemory < leastMemory) return "this computer has less than 15 GB of memory";
  return Math.floor(totalMemory / 2);
}

/**
 * Puts the folder of the engine's volumes, and so the disks of lab machines, into memory: all
 * machines of a lab share the disk of this computer, and where that is slow, writes of one wait
 * for what another reads, as they would not on machines of their own. For computers that are
 * thrown away: what is in it ends with the computer.
 *
 * A file system on a block device, not memory itself: a container's memory limit would count what it
 * stores in the latter. Returns what came of it, for people.
 */
export async function keepVolumesInMemory(): Promise<string> {
  mkdirSync(folder, { recursive: true, mode: 0o701 });
  if ((await ask("mountpoint", ["-q", folder])) !== undefined) return "volumes in memory";
  const size = sizeFor(os.totalmem(), readdirSync(folder));
  if (typeof size === "string") return `volumes on disk: ${size}`;
  if (!(await mountCompressed(size)) && !(await mountFile(size))) {
    return "volumes on disk: this computer mounts no memory as a file system";
  }
  // The engine would take it for a volume.
  rmdirSync(path.join(folder, "lost+found"));
  return "volumes in memory";
}

/** It outlives no crash, so it needs no journal. */
const makeFileSystem = (device: string) =>
  run("mkfs.ext4", ["-q", "-O", "^has_journal", "-m", "0", device]);

/**
 * Mounts a device of compressed memory (zram). Who writes to it does the work: while the processors
 * are busy, 4 KB are safe after 0.3 ms in 99 of 100 cases, and after 13 ms in a file behind a loop
 * device, whose writes wait for threads of the kernel. False where the kernel has no such device.
 */
async function mountCompressed(size: number): Promise<boolean> {
  const device = await ask("zramctl", ["--find", "--size", String(size), "--algorithm", "lz4"]);
  if (device === undefined) return false;
  try {
    await makeFileSystem(device);
    await run("mount", ["-o", "discard,noatime", device, folder]);
    return true;
  } catch (error) {
    say(messageOf(error));
    // Without this the memory of a half-made device stays taken.
    await ask("zramctl", ["--reset", device]);
    return false;
  }
}

/** Mounts a file in memory through a loop device. False where that is not allowed. */
async function mountFile(size: number): Promise<boolean> {
  const store = "/run/holdfast/volumes";
  const image = path.join(store, "image");
  mkdirSync(store, { recursive: true });
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs", store]);
    await run("truncate", ["--size", String(size), image]);
    await makeFileSystem(image);
    await run("mount", ["-o", "loop,discard,noatime", image, folder]);
    return true;
  } catch (error) {
    say(messageOf(error));
    await ask("umount", [store]);
    return false;
  }
}
