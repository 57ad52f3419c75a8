import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  goalOf,
  leaps,
  nextStage,
  replacesAuthority,
  stagesTo,
  type Goal,
  type Rotating,
} from "../../model/rotation";
import { parseSettings, previousAuthority } from "../../model/settings";
import { endText, planText, recordedGoal, stageWritten, whatStays } from "../../operations/rotate";
import { settingsFrom, withConfig } from "../../operations/settingsFile";
import { inForce, type StackState, type StateResource } from "../../operations/stackState";
import { tiers } from "../../tiers";

const first: Rotating = {
  passwords: { generation: 1, acceptPrevious: true },
  pki: { generation: 1, previous: "signs", leafGeneration: 1, metricsTls: "require" },
};

const everything: Goal = { passwords: 2, authority: 2, leaves: 2 };

/** What a node of a stage trusts, accepts, shows and presents. */
function behaviour({ passwords, pki }: Rotating) {
  const two = pki.generation > 1 && pki.previous !== "dropped";
  const accepted = [passwords.generation];
  if (passwords.acceptPrevious && passwords.generation > 1) accepted.push(passwords.generation - 1);
  return {
    trusted: two ? [pki.generation, pki.generation - 1] : [pki.generation],
    signer: two && pki.previous === "signs" ? pki.generation - 1 : pki.generation,
    accepted,
    presented: passwords.generation,
  };
}

/** Every state that settings can say, as far as rotations go. */
const anyState: fc.Arbitrary<Rotating> = fc
  .record({
    passwords: fc.record({
      generation: fc.integer({ min: 1, max: 4 }),
      acceptPrevious: fc.boolean(),
    }),
    pki: fc.record({
      generation: fc.integer({ min: 1, max: 4 }),
      previous: fc.constantFrom(...previousAuthority),
      leafGeneration: fc.integer({ min: 1, max: 4 }),
      metricsTls: fc.constant("require" as const),
    }),
  })
  .filter(({ pki }) => pki.generation > 1 || pki.previous === "signs");

describe("a rotation", () => {
  it("takes three updates: trust and accept, use and refuse, drop", () => {
    expect(goalOf(first, false)).toEqual(everything);
    expect(stagesTo(first, everything)).toEqual([
      {
        settings: {
          passwords: { generation: 2, acceptPrevious: true },
          pki: { generation: 2, previous: "signs", leafGeneration: 1, metricsTls: "require" },
        },
        changes: [
          "passwords of generation 2 are used; those of 1 are accepted, too",
          "authority 2 is trusted beside 1",
        ],
        newSigner: false,
      },
      {
        settings: {
          passwords: { generation: 2, acceptPrevious: false },
          pki: { generation: 2, previous: "trusted", leafGeneration: 2, metricsTls: "require" },
        },
        changes: [
          "passwords of generation 1 are refused",
          "authority 2 signs every certificate",
          "keys and certificates of generation 2",
        ],
        newSigner: true,
      },
      {
        settings: {
          passwords: { generation: 2, acceptPrevious: false },
          pki: { generation: 2, previous: "dropped", leafGeneration: 2, metricsTls: "require" },
        },
        changes: ["authority 1 is trusted no more, and removed"],
        newSigner: false,
      },
    ]);
  });

  it("takes two where the authority stays", () => {
    const goal = goalOf(first, true);
    expect(goal).toEqual({ ...everything, authority: 1 });
    expect(replacesAuthority(first, goal)).toBe(false);
    expect(stagesTo(first, goal).map(({ changes }) => changes)).toEqual([
      [
        "passwords of generation 2 are used; those of 1 are accepted, too",
        "keys and certificates of generation 2",
      ],
      ["passwords of generation 1 are refused"],
    ]);
  });

  it("ends a replacement of the authority that was begun by hand, and begins no other", () => {
    const pki = {
      generation: 3,
      previous: "trusted",
      leafGeneration: 1,
      metricsTls: "require",
    } as const;
    const goal = goalOf({ ...first, pki }, false);
    expect(goal.authority).toBe(3);
    expect(replacesAuthority({ ...first, pki }, goalOf({ ...first, pki }, true))).toBe(true);
    const end = stagesTo({ ...first, pki }, goal).at(-1)?.settings;
    expect(end?.pki).toEqual({
      generation: 3,
      previous: "dropped",
      leafGeneration: 2,
      metricsTls: "require",
    });
  });

  it("from anywhere ends one generation on, with nothing of the one before", () => {
    fc.assert(
      fc.property(anyState, fc.boolean(), (now, keep) => {
        const goal = goalOf(now, keep);
        const stages = stagesTo(now, goal);
        expect(stages.length).toBeLessThanOrEqual(3);
        const end = stages.at(-1)?.settings ?? now;
        expect(end.passwords).toEqual({ generation: goal.passwords, acceptPrevious: false });
        expect(end.pki.generation).toBe(goal.authority);
        expect(end.pki.leafGeneration).toBe(goal.leaves);
        expect(behaviour(end).trusted).toEqual([goal.authority]);
        expect(nextStage(end, goal)).toBeUndefined();
      }),
    );
  });

  it("lets nodes of two stages that follow each other do with each other", () => {
    fc.assert(
      fc.property(anyState, fc.boolean(), (now, keep) => {
        let before = now;
        for (const { settings: after, newSigner } of stagesTo(now, goalOf(now, keep))) {
          const [old, new_] = [behaviour(before), behaviour(after)];
          expect(old.trusted).toContain(new_.signer);
          expect(new_.trusted).toContain(old.signer);
          expect(new_.accepted).toContain(old.presented);
          // Services are rolled before their users, so that a new password is known when it is used.
          if (new_.presented !== old.presented) expect(new_.accepted).toContain(new_.presented);
          expect(newSigner).toBe(new_.signer !== old.signer);
          before = after;
        }
      }),
    );
  });
});

/** The state of a stack after an update with these settings; nodes with their passwords' generation. */
function deployed(settings: Rotating, nodes: Readonly<Record<string, number>> = {}): StackState {
  const { trusted, signer, accepted } = behaviour(settings);
  const resource = (
    type: string,
    name: string,
    more: Pick<StateResource, "inputs" | "outputs">,
  ): StateResource => ({ urn: `urn:pulumi:dev::holdfast::${type}::${name}`, type, ...more });
  const pem = (generation: number) => `authority ${generation}`;
  const password = (name: string) =>
    resource("random:index/randomPassword:RandomPassword", name, { outputs: {} });
  const authorities = trusted.map((each) =>
    resource("tls:index/selfSignedCert:SelfSignedCert", each === 1 ? "pki-ca" : `pki-ca-${each}`, {
      outputs: { certPem: pem(each) },
    }),
  );
  const leaf = resource("tls:index/locallySignedCert:LocallySignedCert", "pki-mysql-a", {
    inputs: { caCertPem: pem(signer) },
  });
  const gates = Object.entries(nodes).map(([node, generation]) => {
    const spec = { node, service: { passwords: generation }, members: [{ node }] };
    const environment = { HOLDFAST_GATE: JSON.stringify(spec) };
    return resource("command:local:Command", `${node}-gate`, { inputs: { environment } });
  });
  const passwords = accepted.map((each) => password(`passwords-mysql-app-${each}`));
  return {
    version: 3,
    deployment: {
      resources: [...authorities, leaf, ...passwords, password("passwords-backup-store"), ...gates],
    },
  };
}

describe("an update", () => {
  const stages = [first, ...stagesTo(first, everything).map(({ settings }) => settings)];

  it("finds in the state what is in force", () => {
    expect(stages.map((each) => inForce(deployed(each)))).toEqual([
      { authorities: [1], signers: [1], passwords: [1] },
      { authorities: [1, 2], signers: [1], passwords: [2] },
      { authorities: [1, 2], signers: [2], passwords: [2] },
      { authorities: [2], signers: [2], passwords: [2] },
    ]);
    const nothing = { version: 3, deployment: {} };
    expect(inForce(nothing)).toEqual({ authorities: [], signers: [], passwords: [] });
    for (const settings of stages) expect(leaps(settings, inForce(nothing))).toEqual([]);
  });

  it("of a rotation is never refused, nor one that repeats it", () => {
    fc.assert(
      fc.property(anyState, fc.boolean(), (now, keep) => {
        let before = now;
        for (const { settings } of stagesTo(now, goalOf(now, keep))) {
          expect(leaps(settings, inForce(deployed(before)))).toEqual([]);
          expect(leaps(settings, inForce(deployed(settings)))).toEqual([]);
          before = settings;
        }
      }),
    );
  });

  it("that leaves a stage out, or goes back with an old stack file, is refused", () => {
    const [start, trusted, signed, dropped] = stages as [Rotating, Rotating, Rotating, Rotating];
    expect(leaps(signed, inForce(deployed(start)))).toEqual([
      "holdfast:pki: authority 2 would sign, and the nodes trust 1",
      "holdfast:passwords: those of generation 1 would be refused, and nodes use them",
    ]);
    expect(leaps(dropped, inForce(deployed(trusted)))).toEqual([
      "holdfast:pki: authority 1 would not be trusted, and nodes have certificates from it",
    ]);
    expect(leaps(start, inForce(deployed(dropped)))).toEqual([
      "holdfast:pki: authority 1 would sign, and the nodes trust 2",
      "holdfast:pki: authority 2 would not be trusted, and nodes have certificates from it",
      "holdfast:passwords: those of generation 2 would be refused, and nodes use them",
    ]);
  });

  it("that refuses passwords of nodes at which the one before did not arrive is refused", () => {
    const [start, both, ended] = stages as [Rotating, Rotating, Rotating];
    const halfWay = inForce(deployed(both, { "mysql-a": 2, "app-a": 1 }));
    expect(halfWay.passwords).toEqual([1, 2]);
    expect(leaps(both, halfWay)).toEqual([]);
    const { passwords } = ended;
    expect(leaps({ ...both, passwords }, halfWay)).toEqual([
      "holdfast:passwords: those of generation 1 would be refused, and nodes use them",
    ]);
    // Nothing uses the new ones yet: back is a way, too.
    const begun = inForce(deployed(both, { "mysql-a": 1, "app-a": 1 }));
    expect(leaps({ ...both, passwords: start.passwords }, begun)).toEqual([]);
  });
});

const file = `# Ours.
encryptionsalt: v1:salt
config:
  # A network of our own.
  holdfast:machines:
    network: 10.77.0.0/24
  holdfast:appPool:
    secrets:
      api-key:
        secure: v1:${"A".repeat(150)}
  other:key: kept
`;

/** What a stack file says of what a rotation changes. */
function read(text: string): Rotating {
  const { passwords: writtenPasswords, pki: writtenPki } = settingsFrom(text);
  const { passwords, pki } = parseSettings({}, { passwords: writtenPasswords, pki: writtenPki });
  return { passwords, pki };
}

describe("the stack file of a rotation", () => {
  it("keeps all else, comments and secrets too", () => {
    const text = stageWritten(file, first, stagesTo(first, everything)[0]!.settings, everything);
    expect(text).toBe(
      `${file}  holdfast:passwords:\n    generation: 2\n  holdfast:pki:\n    generation: 2\n  rotation:goal:\n    passwords: 2\n    authority: 2\n    leaves: 2\n`,
    );
  });

  it("says after every interruption how to go on to the same end", () => {
    const goal = goalOf(read(file), false);
    let text = file;
    const written: string[] = [];
    for (let stage = nextStage(read(text), goal); stage; stage = nextStage(read(text), goal)) {
      text = stageWritten(text, read(text), stage.settings, goal);
      written.push(text);
    }
    expect(written).toHaveLength(3);
    const end = read(text);
    for (const interrupted of written) {
      // Another process, which knows nothing but the file.
      const known = recordedGoal(interrupted);
      expect(known).toEqual(goal);
      expect(stagesTo(read(interrupted), known!).at(-1)?.settings ?? read(interrupted)).toEqual(
        end,
      );
    }
    const done = withConfig(text, { "rotation:goal": undefined });
    expect(recordedGoal(done)).toBeUndefined();
    expect(read(done)).toEqual(end);
    expect(done.startsWith(file)).toBe(true);
    // The next one is another rotation.
    expect(goalOf(read(done), false)).toEqual({ passwords: 3, authority: 3, leaves: 3 });
  });

  it.each(["", "config:\n", "config: {}\n", "config:\n  holdfast:pki:\n", "# nothing\n"])(
    "may be %j",
    (text) => {
      const next = stagesTo(first, everything)[1]!.settings;
      const stage = stageWritten(text, first, next, everything);
      expect(read(stage)).toEqual(next);
      expect(recordedGoal(stage)).toEqual(everything);
    },
  );

  it("is refused with a record that cannot be read", () => {
    const text = "config:\n  rotation:goal:\n    passwords: two\n";
    expect(() => recordedGoal(text)).toThrow(
      'rotation:goal: found {"passwords":"two"}, allowed: passwords, authority and leaves',
    );
  });
});

describe("make rotate", () => {
  it("says what it will do, in how many updates, and what stays", () => {
    const settings = parseSettings(tiers, { mysqlCluster: { count: 3 }, backup: { count: 1 } });
    const stays = whatStays(settings);
    expect(stays).toHaveLength(2);
    const text = planText("dev", settings, everything, false, stays);
    expect(text).toContain("rotation of stack dev in 3 updates, after one that brings it");
    expect(text).toMatch(/\n {2}3\. authority 1 is trusted no more, and removed\n {2}these stay:/);
    expect(text).toContain("the key of the backups");
    const last = stagesTo(first, everything)[1]!.settings;
    expect(planText("dev", last, everything, true, [])).toBe(
      [
        "holdfast: the rotation of stack dev goes on where it was interrupted: first the update that was under way, then 1 update is left",
        "  1. authority 1 is trusted no more, and removed",
      ].join("\n"),
    );
  });

  it("ends with what is in force", () => {
    const stack = { name: "dev", reference: "acme/dev", configFile: "/somewhere/Pulumi.dev.yaml" };
    const end = stagesTo(first, everything).at(-1)!.settings;
    const certificateExpiry = { certificate: "pki-edge-2", notAfter: "2027-11-22T00:00:00.000Z" };
    expect(endText(stack, end, { certificateExpiry })).toBe(
      [
        "holdfast: stack acme/dev is rotated; in force are",
        "  passwords of generation 2, no others",
        "  authority 2, no other",
        "  keys and certificates of generation 2; the first to end is pki-edge-2, on 2027-11-22",
        "Pulumi.dev.yaml has changed: commit it; make up refuses an older one",
      ].join("\n"),
    );
    expect(endText(stack, end, { grafana: ["https://x"] })).toContain("grafanaPassword");
  });
});
