import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { projectRoot } from "../../model/rendering";

/** Machines made beforehand, as an inventory has them: known by address, host key and login key. */
export interface VirtualMachines {
  /** Settings `machines` and `registry` of a stack that uses them. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Ends them all and removes what they left. */
  remove(): Promise<void>;
}

// Of this test alone: the password and its bcrypt hash.
const password = "inventory-test";
const passwordHash = "$2b$05$Xj5Rr36yom/v5HLaq1KQ4.20Q7AcY92Hwc9TIwVg.H/jfV0epVS7W";

const label = "holdfast.test=inventory";

/**
 * Starts lab machines by hand, outside any stack, with a registry beside them. `addresses` is
 * machine key -> last octet in `prefix` (`10.81.0`).
 */
export async function startVirtualMachines(
  prefix: string,
  addresses: Readonly<Record<string, number>>,
): Promise<VirtualMachines> {
  const folder = path.join(projectRoot, ".build", "inventory");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await remove();
  const name = "holdfast-inventory";
  await execa("docker", ["build", "-q", "-t", `${name}-machine`, "images/machine"], {
    cwd: projectRoot,
  });
  await execa("docker", ["build", "-q", "-t", `${name}-registry`, "images/registry"], {
    cwd: projectRoot,
  });
  await execa("docker", [
    "network",
    "create",
    "--label",
    label,
    "--subnet",
    `${prefix}.0/24`,
    name,
  ]);
  makeKey(path.join(folder, "login"));
  const port = 5000 + Number(prefix.split(".")[1]) + 100;
  await startRegistry(name, `${prefix}.4`, port, folder);

  const list: Record<string, object> = {};
  for (const [key, octet] of Object.entries(addresses)) {
    const hostKey = path.join(folder, `host-${key}`);
    makeKey(hostKey);
    const container = `${name}-${key}`;
    await execa("docker", [
      ...["create", "--name", container, "--hostname", key, "--label", label],
      ...["--network", name, "--ip", `${prefix}.${octet}`],
      ...["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"],
      ...["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"],
      ...["--cgroupns", "host", "-v", "/sys/fs/cgroup:/sys/fs/cgroup", "--tmpfs", "/run"],
      ...["-v", "/var/lib/docker", "-e", `LAB_REGISTRY_NETWORK=${prefix}.0/24`],
      `${name}-machine`,
    ]);
    await execa("docker", ["cp", hostKey, `${container}:/etc/holdfast/ssh_host_ed25519_key`]);
    await execa("docker", [
      "cp",
      path.join(folder, "login.pub"),
      `${container}:/root/.ssh/authorized_keys`,
    ]);
    await execa("docker", ["start", container]);
    list[key] = {
      address: `${prefix}.${octet}`,
      hostKey: readFileSync(`${hostKey}.pub`, "utf8").split(" ").slice(0, 2).join(" ").trim(),
    };
  }
  return {
    settings: {
      machines: {
        source: "inventory",
        network: `${prefix}.0/24`,
        privateKey: readFileSync(path.join(folder, "login"), "utf8"),
        list,
      },
      registry: {
        address: `${prefix}.4:5000`,
        username: "tester",
        password,
        pushAddress: `127.0.0.1:${port}`,
        insecure: true,
      },
    },
    remove,
  };
}

function makeKey(file: string): void {
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", file]);
}

async function startRegistry(
  name: string,
  address: string,
  port: number,
  folder: string,
): Promise<void> {
  writeFileSync(path.join(folder, "htpasswd"), `tester:${passwordHash}\n`);
  await execa("docker", [
    ...["create", "--name", `${name}-registry`, "--label", label, "--network", name],
    ...["--ip", address, "-p", `127.0.0.1:${port}:5000`, `${name}-registry`],
  ]);
  await execa("docker", [
    "cp",
    path.join(folder, "htpasswd"),
    `${name}-registry:/etc/docker/registry/htpasswd`,
  ]);
  await execa("docker", ["start", `${name}-registry`]);
}

async function remove(): Promise<void> {
  const { stdout: containers } = await execa("docker", ["ps", "-aq", "--filter", `label=${label}`]);
  if (containers) await execa("docker", ["rm", "-fv", ...containers.split("\n")]);
  const { stdout: networks } = await execa("docker", [
    "network",
    "ls",
    "-q",
    "--filter",
    `label=${label}`,
  ]);
  if (networks) await execa("docker", ["network", "rm", ...networks.split("\n")]);
}
