import { readFileSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { projectRoot } from "../../model/rendering";
import { mustRun, type Fault } from "./fault";

const folder = "/mnt/holdfast-test";
const image = `${folder}.image`;
/** Of 490 KiB: 4 % are left. */
const filledKilobytes = 470;

/** An empty file system, ext2 of 512 KiB, compressed twice: machines have no program to make one. */
const disk = path.join(projectRoot, "test", "support", "smallDisk.b64");

const mount = [
  "set -e",
  "test -e /dev/loop-control || mknod /dev/loop-control c 10 237",
  "for n in $(seq 0 31); do test -e /dev/loop$n || mknod /dev/loop$n b 7 $n; done",
  `mount -o loop ${image} ${folder}`,
].join("\n");

/** Runs a script among a lab machine's files, with access to this computer's loop devices. */
async function withLoopDevices(container: string, script: string): Promise<void> {
  const { stdout } = await execa("docker", ["inspect", "-f", "{{.Image}}", container]);
  await execa("docker", [
    ...["run", "--rm", "--network", "none", "--pid", `container:${container}`],
    // As the machine has them, and the devices beside.
    ...["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"],
    ...["--security-opt", "apparmor=unconfined", "--security-opt", "seccomp=unconfined"],
    ...["--device-cgroup-rule", "b 7:* rwm", "--device-cgroup-rule", "c 10:237 rwm"],
    ...["--entrypoint", "nsenter", stdout.trim()],
    ...["--target", "1", "--mount", "sh", "-c", script],
  ]);
}

/** A machine gets a small disk of its own, while everything runs, and it is filled. */
export function diskFilled(machine: string): Fault {
  return {
    name: `a disk of ${machine} filled`,
    inject: async (stack) => {
      await mustRun(
        stack,
        machine,
        `mkdir -p ${folder} && base64 -d | gunzip | gunzip > ${image}`,
        { input: readFileSync(disk, "utf8") },
      );
      await withLoopDevices(stack.container(machine), mount);
      await mustRun(
        stack,
        machine,
        `head -c ${filledKilobytes}K /dev/zero > ${folder}/filled && sync ${folder}/filled`,
      );
    },
    heal: async (stack) => {
      await mustRun(stack, machine, `umount ${folder}; rm -rf ${folder} ${image}`);
    },
  };
}
