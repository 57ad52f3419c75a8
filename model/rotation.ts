/*
 * The stages in which every generated secret and certificate is replaced. Pure: what is to be
 * written into the settings, one update after another.
 *
 * Nothing is used that somebody does not accept yet, and nothing stops being accepted that somebody
 * still uses: in the middle of every roll a node of the stage before meets one of the stage after.
 * So a new authority takes three updates: everybody trusts it, it signs, the old one is dropped.
 * Passwords take two, because their services come before their users within a roll: both are
 * accepted and the new one used, the old one ends. What is independent of each other goes together:
 * old passwords end, and leaves with new keys are signed by the new authority, in the same update.
 */
import type { PasswordsSettings, PkiSettings } from "./settings";

/** The settings that a rotation changes. */
export interface Rotating {
  readonly passwords: PasswordsSettings;
  readonly pki: PkiSettings;
}

/** The generations with which a rotation ends. */
export interface Goal {
  readonly passwords: number;
  readonly authority: number;
  readonly leaves: number;
}

/** What the next update changes, with what it means. */
export interface Stage {
  readonly settings: Rotating;
  readonly changes: readonly string[];
  /** From this update on the edge shows a certificate by an authority that clients may not know. */
  readonly newSigner: boolean;
}

/** What the nodes of a stack do now. */
export interface InForce {
  /** Authorities that there are. */
  readonly authorities: readonly number[];
  /** Authorities that signed a certificate that a node shows. */
  readonly signers: readonly number[];
  /** Generations of the passwords that are used: two after an update that stopped half-way. */
  readonly passwords: readonly number[];
}

/** True while two authorities are trusted. */
const isReplacing = ({ generation, previous }: PkiSettings) =>
  generation > 1 && previous !== "dropped";

/**
 * Where a rotation that begins now ends: everything one generation on. An authority that is being
 * replaced by hand is finished; with `keepAuthority` one is not begun.
 */
export function goalOf({ passwords, pki }: Rotating, keepAuthority: boolean): Goal {
  return {
    passwords: passwords.generation + 1,
    authority: pki.generation + (keepAuthority || isReplacing(pki) ? 0 : 1),
    leaves: pki.leafGeneration + 1,
  };
}

/** The change of one of them in the next update. */
interface Step<T> {
  readonly settings: T;
  readonly change: string;
}

function nextPasswords(now: PasswordsSettings, goal: number): Step<PasswordsSettings> | undefined {
  const { generation, acceptPrevious } = now;
  if (generation < goal) {
    const next = generation + 1;
    return {
      settings: { generation: next, acceptPrevious: true },
      change: `passwords of generation ${next} are used; those of ${generation} are accepted, too`,
    };
  }
  if (generation === 1 || !acceptPrevious) return undefined;
  return {
    settings: { generation, acceptPrevious: false },
    change: `passwords of generation ${generation - 1} are refused`,
  };
}

function nextAuthority(now: PkiSettings, goal: number): Step<PkiSettings> | undefined {
  const { generation, previous } = now;
  if (isReplacing(now)) {
    return previous === "signs"
      ? {
          settings: { ...now, previous: "trusted" },
          change: `authority ${generation} signs every certificate`,
        }
      : {
          settings: { ...now, previous: "dropped" },
          change: `authority ${generation - 1} is trusted no more, and removed`,
        };
  }
  if (generation >= goal) return undefined;
  return {
    settings: { ...now, generation: generation + 1, previous: "signs" },
    change: `authority ${generation + 1} is trusted beside ${generation}`,
  };
}

/** The next update on the way to the goal; undefined where it is reached. */
export function nextStage(now: Rotating, goal: Goal): Stage | undefined {
  const passwords = nextPasswords(now.passwords, goal.passwords);
  const authority = nextAuthority(now.pki, goal.authority);
  const signs = authority?.settings.previous === "trusted";
  // With a new authority to come, leaves wait for it: a roll less.
  const leaves = now.pki.leafGeneration < goal.leaves && (signs || !authority);
  if (!passwords && !authority && !leaves) return undefined;
  const pki = authority?.settings ?? now.pki;
  const leafGeneration = pki.leafGeneration + (leaves ? 1 : 0);
  return {
    settings: {
      passwords: passwords?.settings ?? now.passwords,
      pki: { ...pki, leafGeneration },
    },
    changes: [
      ...(passwords ? [passwords.change] : []),
      ...(authority ? [authority.change] : []),
      ...(leaves ? [`keys and certificates of generation ${leafGeneration}`] : []),
    ],
    newSigner: signs,
  };
}

/** Every update that is left, in order. */
export function stagesTo(now: Rotating, goal: Goal): Stage[] {
  const stage = nextStage(now, goal);
  return stage ? [stage, ...stagesTo(stage.settings, goal)] : [];
}

/** Whether the way to the goal replaces the authority, or ends a replacement that has begun. */
export function replacesAuthority(now: Rotating, goal: Goal): boolean {
  return isReplacing(now.pki) || now.pki.generation < goal.authority;
}

/**
 * Why nodes of these settings and those that run now could not do with each other in the middle of a
 * roll; empty where they can. So it is where a stage was left out, and with an old stack file.
 */
export function leaps({ passwords, pki }: Rotating, now: InForce): string[] {
  const { generation } = pki;
  const trusted = isReplacing(pki) ? [generation, generation - 1] : [generation];
  const signer = isReplacing(pki) && pki.previous === "signs" ? generation - 1 : generation;
  const accepted =
    passwords.acceptPrevious && passwords.generation > 1
      ? [passwords.generation, passwords.generation - 1]
      : [passwords.generation];
  const unknown = now.authorities.length > 0 && !now.authorities.includes(signer);
  const dropped = now.signers.filter((each) => !trusted.includes(each));
  const refused = now.passwords.filter((each) => !accepted.includes(each));
  return [
    ...(unknown
      ? [
          `holdfast:pki: authority ${signer} would sign, and the nodes trust ${now.authorities.join(" and ")}`,
        ]
      : []),
    ...(dropped.length > 0
      ? [
          `holdfast:pki: authority ${dropped.join(" and ")} would not be trusted, and nodes have certificates from it`,
        ]
      : []),
    ...(refused.length > 0
      ? [
          `holdfast:passwords: those of generation ${refused.join(" and ")} would be refused, and nodes use them`,
        ]
      : []),
  ];
}
