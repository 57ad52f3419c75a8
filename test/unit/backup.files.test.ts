import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  backupAgentFile,
  backupSecretsFile,
  labStoreAddress,
  placeIn,
  storeAuthorityOf,
  storeEnvironment,
  usesLabStore,
} from "../../components/backup.files";
import { allowedElements } from "../../model/connections";
import { SettingsError } from "../../model/settings";
import { readPlan } from "../../model/stack";
import type { BackupAgentView } from "../../model/views";
import { newestKeyFile, parseBackupKey, type BackupKey } from "../../operations/backupKeys";
import { storeFor } from "../../operations/restore";
import { tiers } from "../../tiers";

const plan = (settings: Record<string, unknown>, others: Record<string, unknown> = {}) =>
  readPlan(tiers, { mysqlCluster: { count: 3 }, backup: { count: 1, ...settings }, ...others });

function problemsOf(...args: Parameters<typeof plan>) {
  try {
    plan(...args);
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.problems;
  }
}

const mistakes = (settings: Record<string, unknown>) =>
  problemsOf(settings).map(({ key, found, allowed }) => `${key}: ${found} | ${allowed}`);

const secrets = { accessKeyId: "a", secretAccessKey: "b" };

describe("settings of the backup", () => {
  it("has no node unless asked for, and one at most", () => {
    expect(readPlan(tiers, {}).tiers.backup.nodes).toEqual([]);
    expect(plan({}).tiers.backup.nodes.map(({ machine }) => machine.address)).toEqual([
      "10.77.0.71",
    ]);
    expect(mistakes({ count: 2 })[0]).toContain("holdfast:backup.count: 2 | ");
  });

  it.each(["/srv/backups", "s3:https://s3.example.com/bucket/a", "rest:http://10.0.0.9:8000/"])(
    "takes the store %s",
    (store) => {
      expect(mistakes({ store, secrets })).toEqual([]);
    },
  );

  it.each([
    "srv/backups",
    "s3:s3.example.com/bucket",
    "rest:https://user:secret@backup.example.com",
    "sftp:host:/srv",
    "",
  ])("refuses the store %j", (store) => {
    expect(mistakes({ store })).toEqual([
      expect.stringContaining("a folder of the backup machine such as /srv/backups"),
    ]);
  });

  it("takes schedules that will run, and no others", () => {
    expect(mistakes({ schedule: "*/15 1-5 * * 1,3" })).toEqual([]);
    for (const schedule of ["nightly", "0 2 * *", "0 2 * * * *", "0 25 * * *", "0 5-1 * * *"]) {
      expect(mistakes({ schedule })).toEqual([expect.stringContaining("backup.schedule")]);
    }
  });

  it("masks what opens the store", () => {
    const [mistake] = mistakes({ secrets: { secretAccessKey: 12345678 } });
    expect(mistake).toContain("a secret value");
    expect(mistake).not.toContain("12345678");
  });

  it("contradicts other settings by name", () => {
    const keys = (...args: Parameters<typeof plan>) => problemsOf(...args).map(({ key }) => key);
    expect(keys({})).toEqual([]);
    expect(keys({ count: 0 }, { mysqlCluster: { count: 0 } })).toEqual([]);
    expect(keys({}, { mysqlCluster: { count: 0 } })).toEqual(["holdfast:backup.count"]);
    expect(keys({ store: "s3:https://s3.example.com/b" })).toEqual(["holdfast:backup.secrets"]);
    expect(keys({ store: "s3:https://s3.example.com/b", secrets })).toEqual([]);
  });

  it("lets the operator see its metrics, and it reach the database", () => {
    const at = (machine: string, port: number) =>
      allowedElements(plan({}), machine)
        .filter((element) => element.port === port)
        .map(({ source }) => source);
    expect(at("vm-backup-a", 9202)).toEqual(["0.0.0.0/0"]);
    expect(at("vm-lb-a", 3306)).toContain("10.77.0.71/32");
    expect(at("vm-lb-a", 3307)).toContain("10.77.0.71/32");
    expect(at("vm-mysql-a", 3306)).not.toContain("10.77.0.71/32");
  });
});

describe("files of the backup node", () => {
  const viewOf = (settings: Record<string, unknown>) => {
    const planned = plan(settings);
    const text = backupAgentFile(planned, planned.tiers.backup.nodes[0]!, "rest:https://x/dev-1");
    return JSON.parse(text) as BackupAgentView;
  };

  it("names the endpoints of the database, and a reader's number that no server has", () => {
    expect(viewOf({})).toEqual({
      node: "backup-a",
      address: "10.77.0.71",
      agentPort: 9202,
      tls: "require",
      database: "app",
      primary: { host: "10.77.0.6", port: 3306 },
      replicas: { host: "10.77.0.6", port: 3307 },
      serverId: 65536 + 71,
      store: "rest:https://x/dev-1",
      storeAuthority: "/etc/holdfast/store-ca.pem",
      schedule: "0 2 * * *",
      retentionDays: 14,
    });
  });

  it("keeps backups in the lab's own store unless the settings name one", () => {
    expect(usesLabStore(plan({}))).toBe(true);
    expect(usesLabStore(plan({ count: 0 }))).toBe(false);
    expect(usesLabStore(plan({ store: "/srv" }))).toBe(false);
    expect(labStoreAddress(plan({}))).toBe("10.77.0.7");
  });

  it("verifies the store by the right authority", () => {
    const storeCertificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    expect(storeAuthorityOf(plan({}))).toBe("stack");
    expect(storeAuthorityOf(plan({ store: "/srv" }))).toBeUndefined();
    expect(storeAuthorityOf(plan({ store: "rest:https://x/", storeCertificate }))).toBe("settings");
    expect(viewOf({ store: "/srv" }).storeAuthority).toBeNull();
    expect(mistakes({ storeCertificate: "AAAA" })[0]).toContain("a certificate in PEM");
  });

  it("hands restic what opens the store, and nothing that is missing", () => {
    const secrets = { accessKeyId: "key", secretAccessKey: "secret" };
    expect(storeEnvironment(plan({ secrets, region: "eu" }).settings.backup)).toEqual({
      AWS_ACCESS_KEY_ID: "key",
      AWS_SECRET_ACCESS_KEY: "secret",
      AWS_DEFAULT_REGION: "eu",
    });
    const rest = { username: "u", password: "p" };
    expect(storeEnvironment(plan({ secrets: rest }).settings.backup)).toEqual({
      RESTIC_REST_USERNAME: "u",
      RESTIC_REST_PASSWORD: "p",
    });
    expect(storeEnvironment(plan({}).settings.backup)).toEqual({});
  });

  it("gives every stack a folder of its own", () => {
    expect(placeIn("/srv/backups//", "dev-1")).toBe("/srv/backups/dev-1");
    expect(placeIn("s3:https://h/b", "dev-1")).toBe("s3:https://h/b/dev-1");
    const store = { password: "k", environment: { A: "b" } };
    const file = backupSecretsFile({ backup: "x", restore: "y", store });
    expect(JSON.parse(file)).toEqual({ backup: "x", restore: "y", store });
  });
});

describe("where a restore finds the backups", () => {
  const key = (changes: Partial<BackupKey> = {}): BackupKey => ({
    name: "dev-0a1b2c3d",
    lab: true,
    repository: "rest:https://10.77.0.7:8000/dev-0a1b2c3d",
    password: "theirs",
    environment: { RESTIC_REST_PASSWORD: "theirs" },
    ...changes,
  });
  const fresh = key({
    name: "fresh-99",
    repository: "rest:https://10.78.0.7:8000/fresh-99",
    password: "own",
    environment: { RESTIC_REST_PASSWORD: "own" },
  });

  it("reaches a lab's store through that of its own lab", () => {
    expect(storeFor(key(), fresh)).toEqual({
      repository: "rest:https://10.78.0.7:8000/dev-0a1b2c3d",
      password: "theirs",
      environment: { RESTIC_REST_PASSWORD: "own" },
    });
    const abroad = { ...fresh, lab: false, repository: "s3:https://h/b/fresh-99" };
    expect(() => storeFor(key(), abroad)).toThrow("which only a lab reaches");
  });

  it("reaches any other store as the key says", () => {
    const s3 = key({ lab: false, repository: "s3:https://h/b/prod-1", environment: { A: "b" } });
    const { repository, password, environment } = s3;
    expect(storeFor(s3, fresh)).toEqual({ repository, password, environment });
  });

  it("wants a folder to be mounted", () => {
    const folder = key({ lab: false, repository: "/srv/backups/prod-1" });
    expect(() => storeFor(folder, fresh)).toThrow("set holdfast:backup.store to it");
    const beside = key({ lab: false, repository: "/srv/backups/fresh-1" });
    expect(storeFor(folder, beside).repository).toBe("/srv/backups/prod-1");
  });

  it("reads the key that an operator has kept", () => {
    expect(parseBackupKey(JSON.stringify(key()), "a file")).toEqual(key());
    for (const text of ["", "null", "{}", '{"name":"x"}']) {
      expect(() => parseBackupKey(text, "kept.json")).toThrow("kept.json: found something else");
    }
  });

  it("finds the newest key of a stack, or the one of that name", () => {
    const files = [
      "1000-dev-0a1b2c3d.json",
      "9000-dev-two-0a1b2c3d.json",
      "3000-dev-11111111.json",
      "20000-dev.old-22222222.json",
      "notes.txt",
    ];
    expect(newestKeyFile(files, "dev")).toBe("3000-dev-11111111.json");
    expect(newestKeyFile(files, "dev-0a1b2c3d")).toBe("1000-dev-0a1b2c3d.json");
    expect(newestKeyFile(files, "dev-two")).toBe("9000-dev-two-0a1b2c3d.json");
    expect(newestKeyFile(files, "dev.old")).toBe("20000-dev.old-22222222.json");
    expect(newestKeyFile(files, "devxold")).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (a, b) => {
        const two = [`${a}-dev-11111111.json`, `${b}-dev-22222222.json`];
        expect(newestKeyFile(two, "dev")).toBe(b >= a ? two[1] : two[0]);
      }),
    );
  });
});
