import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PathSpec } from "../../../loadtests/client";
import { mustRun } from "../../faults/fault";
import { expectNothingFailed } from "../../support/dataExpectations";
import type { DataStack } from "../../support/dataStack";
import { accepting, passwordsOf, type AppPasswords } from "../../support/passwords";

const dataNodes = ["mysql-a", "mysql-b", "mysql-c", "redis-a", "redis-b", "redis-c"];

/** Two rolls over every node, under load: over half an hour where two processors do it all. */
const rotationMs = 3_300_000;

const certificatesIn = (text: string) =>
  (text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []).map(
    (block) => new X509Certificate(block),
  );

const fingerprints = (text: string) => certificatesIn(text).map((each) => each.fingerprint256);

/** Every file of authorities that a container may have. */
const trustFiles = [
  "/etc/holdfast/tls/ca.pem",
  "/etc/holdfast/store-ca.pem",
  "/run/secrets/ca.pem",
].join(" ");

/** The certificate that a server shows, whoever signed it. */
function shownAt(host: string, port: number): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: 5000 });
    socket.once("secureConnect", () => {
      const shown = socket.getPeerX509Certificate();
      socket.destroy();
      if (shown) resolve(shown);
      else reject(new Error(`${host}:${port} shows no certificate`));
    });
    socket.once("timeout", () => socket.destroy(new Error(`${host}:${port} is silent`)));
    socket.once("error", reject);
  });
}

export function rotation(data: DataStack, paths: readonly PathSpec[]): void {
  const { stack, figures } = data;

  /** What each node trusts: fingerprints by node and those of the lab's store; none left out. */
  async function trust(): Promise<Record<string, string[]>> {
    const { nodes } = await stack.outputs();
    const found: Record<string, string[]> = {};
    const members = Object.values(nodes).flatMap((tier) => Object.entries(tier));
    for (const [node, { machine }] of members) {
      // A file that is not there is no failure.
      const text = await mustRun(
        stack,
        machine,
        `docker exec ${node} sh -c 'cat ${trustFiles} 2>/dev/null; true'`,
      );
      found[node] = [...new Set(fingerprints(text))];
    }
    found["backup-store"] = fingerprints(await ofStore("ca.pem"));
    return Object.fromEntries(Object.entries(found).filter(([, trusted]) => trusted.length > 0));
  }

  /** A file of the lab's store of backups, in what `docker cp` makes of it: an archive. */
  async function ofStore(name: string): Promise<string> {
    const from = `${stack.container("backup-store")}:/etc/holdfast/tls/${name}`;
    return (await execa("docker", ["cp", from, "-"])).stdout;
  }

  /** A certificate of every kind, by who shows it. */
  async function leaves(): Promise<Record<string, X509Certificate>> {
    const { vip } = await stack.outputs();
    const found: Record<string, X509Certificate> = { edge: await shownAt(vip, 443) };
    for (const tier of ["mysqlCluster", "redisCache"]) {
      for (const { node, machine } of await data.nodesOf(tier)) {
        const text = await mustRun(
          stack,
          machine,
          `docker exec ${node} cat /etc/holdfast/tls/node.pem`,
        );
        found[node] = certificatesIn(text)[0]!;
      }
    }
    found["backup-store"] = certificatesIn(await ofStore("node.pem"))[0]!;
    return found;
  }

  /** Those of the certificates that this authority did not sign. */
  const notBy = (authority: X509Certificate, shown: Record<string, X509Certificate>) =>
    Object.entries(shown)
      .filter(([, leaf]) => !leaf.checkIssued(authority) || !leaf.verify(authority.publicKey))
      .map(([node]) => node);

  describe("the rotation of every generated secret, under 200 requests a second", () => {
    let first: AppPasswords;
    let old: X509Certificate;
    let keys: readonly string[];
    const keysOf = (shown: Record<string, X509Certificate>) =>
      Object.values(shown).map(({ publicKey }) =>
        publicKey.export({ type: "spki", format: "pem" }).toString(),
      );

    beforeAll(async () => {
      // Without the limits of the tests before.
      stack.configure({});
      await stack.mustUp();
      first = await passwordsOf(data, await data.application());
      old = certificatesIn((await stack.outputs()).caCertificate)[0]!;
      const shown = await leaves();
      expect(notBy(old, shown)).toEqual([]);
      keys = keysOf(shown);
    });

    afterAll(async () => {
      await data.stopLoad();
    });

    it(
      "has everybody trust a new authority, takes new passwords, and can be killed then",
      async () => {
        await data.startLoad(paths);
        const watched = await data.watch(async () => {
          const started = Date.now();
          const child = stack.interruptible("rotate", { CONFIRM: "clients" });
          let output = "";
          await new Promise<void>((resolve) => {
            child.all.on("data", (chunk: Buffer) => {
              output += chunk.toString();
              if (output.includes("update 1 of 3 is done")) resolve();
            });
            void child.then(() => resolve());
          });
          process.kill(-(child.pid ?? 0), "SIGKILL");
          await child;
          return { output, seconds: (Date.now() - started) / 1000 };
        });
        const { output, seconds } = watched.result;
        expect(output).toContain("update 1 of 3 is done");
        expectNothingFailed(watched);
        figures.record("rotation: new passwords and trust", seconds, "s");
        const { caCertificate } = await stack.outputs();
        const both = fingerprints(caCertificate);
        expect(both).toHaveLength(2);
        expect(both[1]).toBe(old.fingerprint256);
        for (const [node, trusted] of Object.entries(await trust())) {
          expect(trusted, node).toEqual(both);
        }
        const shown = await leaves();
        expect(notBy(old, shown)).toEqual([]);
        const second = await passwordsOf(data, await data.application());
        expect(second.mysql).not.toBe(first.mysql);
        expect(second.redis).not.toBe(first.redis);
        expect(await accepting(data, second)).toEqual(dataNodes);
        expect(await accepting(data, first)).toEqual(dataNodes);
        await data.stopLoad();
      },
      rotationMs,
    );

    it(
      "goes on from there to the end",
      async () => {
        expect(stack.settingsText()).toContain("rotation:goal");
        // Clients have got what the output says by now: both authorities.
        await data.startLoad(paths);
        const watched = await data.watch(() => stack.make("rotate", { CONFIRM: "clients" }));
        const { ok, output, seconds } = watched.result;
        expect(ok, output).toBe(true);
        expect(output).toContain("goes on where it was interrupted");
        expect(output).toContain("update 2 of 2 is done");
        expect(output).toContain("authority 2, no other");
        expectNothingFailed(watched);
        figures.record("rotation: new certificates, the old ones dropped", seconds, "s");
        await data.stopLoad();
      },
      rotationMs,
    );

    it("leaves every certificate signed by the new authority, with a key of its own", async () => {
      const { caCertificate } = await stack.outputs();
      const [authority, ...others] = certificatesIn(caCertificate);
      expect(others).toEqual([]);
      expect(authority!.fingerprint256).not.toBe(old.fingerprint256);
      const shown = await leaves();
      expect(notBy(authority!, shown)).toEqual([]);
      // The check would find one that it did not sign.
      expect(notBy(old, shown)).toEqual(Object.keys(shown));
      expect(keysOf(shown).filter((key) => keys.includes(key))).toEqual([]);
    });

    it("leaves nobody who trusts the old authority, or takes an old password", async () => {
      const { caCertificate } = await stack.outputs();
      const trusted = await trust();
      expect(Object.keys(trusted)).toEqual(
        expect.arrayContaining([...dataNodes, "app-a", "app-b", "backup-a", "backup-store"]),
      );
      for (const [node, found] of Object.entries(trusted)) {
        expect(found, node).toEqual(fingerprints(caCertificate));
      }
      expect(await accepting(data, first)).toEqual([]);
      const current = await passwordsOf(data, await data.application());
      expect(await accepting(data, current)).toEqual(dataNodes);
    });

    it("leaves a stack file that says so, and nothing to change", async () => {
      expect(stack.settingsText()).not.toContain("rotation:goal");
      const again = await stack.mustUp();
      expect(again.changes, again.output).toEqual({});
    });

    it("is not taken back by an old stack file", async () => {
      const written = stack.settingsText();
      stack.configure({});
      expect(stack.settingsText()).not.toBe(written);
      const run = await stack.make("up");
      expect(run.ok).toBe(false);
      expect(run.output).toContain("authority 1 would sign, and the nodes trust 2");
      expect(run.output).toContain("nothing was changed");
    });
  });
}
