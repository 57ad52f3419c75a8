import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AllowedElement } from "../../model/connections";
import {
  firewallCloseScript,
  firewallGuardSeconds,
  firewallOpenScript,
  firewallRemoveScript,
  firewallShellCommand,
} from "../../model/firewall";
import { projectRoot } from "../../model/rendering";

/** One lab machine outside any stack; its firewall is changed as an update does it. */
const name = "holdfast-firewall-test";
const prefix = "10.83.0";
const address = `${prefix}.11`;

const docker = (...args: string[]) => execa("docker", args, { cwd: projectRoot });

/** Whether a new connection to a port gets through: nothing listens, so the machine refuses it. */
function reaches(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: address, port, timeout: 1000 });
    const done = (reached: boolean) => {
      socket.destroy();
      resolve(reached);
    };
    socket.once("connect", () => done(true));
    socket.once("timeout", () => done(false));
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code === "ECONNREFUSED"));
  });
}

async function eventually(port: number, reached: boolean, seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while ((await reaches(port)) !== reached) {
    if (Date.now() > deadline) throw new Error(`port ${port}: not ${reached} in ${seconds} s`);
    await sleep(300);
  }
}

const tcp = (port: number, source = "0.0.0.0/0"): AllowedElement => ({
  source,
  protocol: "tcp",
  port,
});

describe("the firewall of a machine", () => {
  let folder: string;

  const phase = (script: string) => {
    const options = [
      ...["-i", path.join(folder, "login"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"],
      ...["-o", "StrictHostKeyChecking=yes"],
      ...["-o", `UserKnownHostsFile=${path.join(folder, "known_hosts")}`],
      ...["-o", "LogLevel=ERROR", "-o", "ConnectTimeout=3", "-l", "root", address],
    ];
    return execa("sh", ["-c", firewallShellCommand("test", ["ssh", ...options])], {
      input: script,
      reject: false,
    });
  };
  const answers = async () => {
    for (let attempt = 0; (await phase("true")).exitCode === 255; attempt++) {
      if (attempt > 100) throw new Error("the machine's SSH server does not answer");
      await sleep(300);
    }
  };
  const remove = async () => {
    await execa("docker", ["rm", "-fv", name], { reject: false });
    await execa("docker", ["network", "rm", name], { reject: false });
  };

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "holdfast-firewall-"));
    await remove();
    const [login, hostKey] = ["login", "host"].map((file) => path.join(folder, file));
    for (const key of [login, hostKey]) {
      await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", String(key)]);
    }
    const publicKey = readFileSync(`${hostKey}.pub`, "utf8");
    writeFileSync(path.join(folder, "known_hosts"), `${address} ${publicKey}`);
    await docker("build", "-q", "-t", "holdfast-test/machine", "images/machine");
    await docker("network", "create", "--subnet", `${prefix}.0/24`, name);
    await docker(
      ...["create", "--name", name, "--network", name, "--ip", address, "--tmpfs", "/run"],
      ...["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "-v", "/var/lib/docker"],
      ...["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"],
      ...["--cgroupns", "host", "-v", "/sys/fs/cgroup:/sys/fs/cgroup", "holdfast-test/machine"],
    );
    await docker("cp", String(hostKey), `${name}:/etc/holdfast/ssh_host_ed25519_key`);
    await docker("cp", `${login}.pub`, `${name}:/root/.ssh/authorized_keys`);
    await docker("start", name);
    await answers();
  });

  afterAll(async () => {
    await remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it("lets everything in before it is there", async () => {
    expect(await reaches(8080)).toBe(true);
  });

  it("lets in what is allowed and drops the rest", async () => {
    expect(await phase(firewallOpenScript([tcp(22), tcp(8080)]))).toMatchObject({ exitCode: 0 });
    expect([await reaches(22), await reaches(8080), await reaches(8081)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it("goes by the source too", async () => {
    const script = firewallCloseScript([
      tcp(22),
      tcp(8080, `${prefix}.1/32`),
      tcp(8082, "192.0.2.0/24"),
    ]);
    expect(await phase(script)).toMatchObject({ exitCode: 0 });
    expect([await reaches(8080), await reaches(8082)]).toEqual([true, false]);
  });

  it("while it is open, keeps what was allowed before, over several updates that overlap", async () => {
    for (const elements of [
      [tcp(22), tcp(8080), tcp(8081, `${prefix}.0/24`)],
      [tcp(22), tcp(8081, `${prefix}.0/28`)],
      [tcp(22), tcp(8083)],
    ]) {
      expect(await phase(firewallOpenScript(elements))).toMatchObject({ exitCode: 0 });
    }
    expect([await reaches(8080), await reaches(8081), await reaches(8083)]).toEqual([
      true,
      true,
      true,
    ]);
  });

  it("closes what was allowed before, and touches no other table", async () => {
    await docker("exec", name, "nft", "add", "table", "inet", "other");
    expect(await phase(firewallCloseScript([tcp(22), tcp(8083)]))).toMatchObject({ exitCode: 0 });
    expect([await reaches(8080), await reaches(8081), await reaches(8083)]).toEqual([
      false,
      false,
      true,
    ]);
    expect((await docker("exec", name, "nft", "list", "tables")).stdout).toContain("inet other");
  });

  it("is there again after a restart", async () => {
    await docker("restart", name);
    // The firewall is loaded before the SSH server and the engine start.
    await answers();
    expect([await reaches(8080), await reaches(8083)]).toEqual([false, true]);
  });

  it("refuses to lock the deployer out, at once and with the reason", async () => {
    const result = await phase(firewallCloseScript([tcp(22, "192.0.2.1/32")]));
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain(
      `found an SSH connection from ${prefix}.1 to port 22, allowed: connections from holdfast:machines.adminNetworks to the machine's sshPort; the rules before are back`,
    );
    expect(await reaches(8083)).toBe(true);
    expect(await phase(firewallCloseScript([tcp(22), tcp(8083)]))).toMatchObject({ exitCode: 0 });
  });

  it("takes back rules that no new connection confirms", async () => {
    // Not over SSH, so that only the guard can notice.
    await execa("docker", ["exec", "-i", name, "bash", "-s"], {
      input: firewallCloseScript([tcp(22, "192.0.2.1/32")]),
    });
    expect(await reaches(22)).toBe(false);
    await eventually(22, true, firewallGuardSeconds + 15);
    expect(await reaches(8083)).toBe(true);
    const late = await execa("docker", ["exec", name, "/etc/holdfast/firewall/confirm"], {
      reject: false,
    });
    expect(late.exitCode).toBe(1);
    expect(late.stderr).toContain("no new connection confirmed the new rules within 30 s");
    expect(await phase(firewallCloseScript([tcp(22), tcp(8083)]))).toMatchObject({ exitCode: 0 });
  });

  it("leaves nothing behind when it is removed", async () => {
    await execa("docker", ["exec", "-i", name, "bash", "-s"], { input: firewallRemoveScript() });
    expect(await reaches(8080)).toBe(true);
    expect((await docker("exec", name, "nft", "list", "tables")).stdout).not.toContain(
      "inet holdfast",
    );
    expect((await docker("exec", name, "ls", "/etc/holdfast")).stdout).not.toContain("firewall");
  });
});
