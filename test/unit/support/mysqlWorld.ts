/*
 * A small model of machines, network and Group Replication, in which the decisions of several
 * agents are played against each other. What it leaves out (queues, elections, time) is not what
 * the decisions are about.
 */
import { decide, type Decision } from "../../../agents/mysql/decide";
import {
  hasQuorum,
  majority,
  type DatabaseReport,
  type MemberReport,
} from "../../../agents/mysql/state";

const groupName = "aaaaaaaa-0000-0000-0000-000000000001";

export interface WorldMember {
  readonly node: string;
  readonly address: string;
  /** New with every disk. */
  id: string;
  /** Is the machine with its mysqld and agent running? */
  up: boolean;
  state: "ONLINE" | "OFFLINE" | "ERROR";
  /** Ids of the members of its group as it last heard, and the number of that news. */
  view: readonly string[];
  version: number;
  /** Transactions are numbered in the order of the group; a member holds the first so many. */
  holds: number;
  record: MemberReport["record"];
  requested: boolean;
  /** Network that it is in: members of the same number reach each other. */
  network: number;
}

export class World {
  readonly members: WorldMember[];
  readonly decisions: { readonly node: string; readonly decision: Decision }[] = [];
  /** The last transaction that a client was told is safe. */
  acknowledged = 0;
  private ids = 0;
  private versions = 0;
  private reports = new Map<string, MemberReport>();

  constructor(size: number) {
    this.members = Array.from({ length: size }, (_, index) => ({
      node: `mysql-${"abcdefghi"[index]}`,
      address: `10.0.0.${index + 1}`,
      id: this.newId(),
      up: true,
      state: "OFFLINE",
      view: [],
      version: 0,
      holds: 0,
      record: "blank",
      requested: false,
      network: 0,
    }));
  }

  private newId(): string {
    this.ids += 1;
    return `id-${this.ids}`;
  }

  private setView(members: readonly WorldMember[], view: readonly string[]): void {
    this.versions += 1;
    for (const member of members) {
      member.view = view;
      member.version = this.versions;
    }
  }

  at(index: number): WorldMember {
    return this.members[index % this.members.length]!;
  }

  private reaches(one: WorldMember, other: WorldMember): boolean {
    return one.up && other.up && one.network === other.network;
  }

  /** Is it in the other's group, and can they talk? */
  private together(one: WorldMember, other: WorldMember): boolean {
    return (
      this.reaches(one, other) &&
      one.state === "ONLINE" &&
      other.state === "ONLINE" &&
      one.view.includes(other.id) &&
      other.view.includes(one.id)
    );
  }

  private database(member: WorldMember): DatabaseReport {
    const members =
      member.state === "ONLINE"
        ? member.view.map((id) => {
            const other = this.members.find((candidate) => candidate.id === id);
            const seen = other !== undefined && this.together(member, other);
            return {
              id,
              address: other?.address ?? "gone",
              state: seen ? ("ONLINE" as const) : ("UNREACHABLE" as const),
              role: null,
            };
          })
        : [{ id: member.id, address: member.address, state: member.state, role: null }];
    return {
      id: member.id,
      state: member.state,
      role: null,
      members,
      executed: member.holds > 0 ? `${groupName}:1-${member.holds}` : "",
      received: "",
      applyQueue: 0,
    };
  }

  private report(member: WorldMember): MemberReport {
    return {
      node: member.node,
      startedAt: 0,
      generation: 0,
      record: member.record,
      bootstrapRequested: member.requested,
      stopping: false,
      accountsApplied: false,
      database: this.database(member),
    };
  }

  /** Everybody's word as it is now, for those who decide on what they heard a while ago. */
  exchangeReports(): void {
    this.reports = new Map(
      this.members.filter(({ up }) => up).map((member) => [member.node, this.report(member)]),
    );
  }

  private decisionOf(member: WorldMember, reports: "now" | "before"): Decision {
    return decide({
      address: member.address,
      self: this.report(member),
      forced: false,
      peers: this.members
        .filter((other) => other !== member)
        .map((other) => ({
          node: other.node,
          address: other.address,
          report: !this.reaches(member, other)
            ? undefined
            : reports === "now"
              ? this.report(other)
              : this.reports.get(other.node),
        })),
    });
  }

  /** The agent of a member decides, by what it heard before, and acts. */
  tick(member: WorldMember): void {
    if (!member.up) return;
    const decision = this.decisionOf(member, "before");
    this.decisions.push({ node: member.node, decision });
    if (decision.kind === "leave") this.leave(member);
    if (decision.kind === "join") this.join(member);
    // Before a group is begun everybody is asked once more.
    if (decision.kind === "bootstrap" && this.decisionOf(member, "now").kind === "bootstrap") {
      member.record = member.record === "blank" ? "started" : member.record;
      member.state = "ONLINE";
      this.setView([member], [member.id]);
      member.requested = false;
    }
    this.note();
  }

  leave(member: WorldMember): void {
    const group = this.members.filter((other) => other !== member && this.together(member, other));
    this.setView(
      group,
      member.view.filter((id) => id !== member.id),
    );
    member.state = "OFFLINE";
    member.view = [];
  }

  private join(member: WorldMember): void {
    const donor = this.members.find(
      (other) => other !== member && this.reaches(member, other) && hasQuorum(this.database(other)),
    );
    if (!donor || donor.view.includes(member.id)) return;
    const group = this.members.filter((other) => this.together(donor, other));
    this.setView([...group, donor, member], [...donor.view, member.id]);
    member.state = "ONLINE";
    member.holds = donor.holds;
    member.record = member.record === "blank" ? "started" : member.record;
  }

  /** Members that reach each other again hear what they missed, also that they were expelled. */
  gossip(): void {
    for (const member of this.members) {
      for (const other of this.members) {
        const newer =
          this.reaches(member, other) &&
          member.state === "ONLINE" &&
          other.state === "ONLINE" &&
          member.view.includes(other.id) &&
          other.version > member.version;
        if (!newer) continue;
        if (other.view.includes(member.id)) {
          member.view = other.view;
          member.version = other.version;
        } else {
          member.state = "ERROR";
          member.view = [];
        }
      }
    }
    for (const member of this.members) {
      const group = this.members.filter((other) => this.together(member, other));
      member.holds = Math.max(member.holds, ...group.map(({ holds }) => holds));
    }
    this.note();
  }

  /** Groups with a majority expel those that are out of reach. */
  expel(): void {
    for (const member of this.members) {
      if (!member.up || !hasQuorum(this.database(member))) continue;
      const reached = this.members.filter(
        (other) => other === member || this.together(member, other),
      );
      if (reached.length < member.view.length) {
        this.setView(
          reached,
          reached.map(({ id }) => id),
        );
      }
    }
    this.gossip();
  }

  /** A member without majority has waited for long enough. */
  giveUp(member: WorldMember): void {
    if (member.up && member.state === "ONLINE" && !hasQuorum(this.database(member))) {
      member.state = "ERROR";
      member.view = [];
    }
  }

  /** A client writes at a member. Everybody in reach of the majority has it when it is safe. */
  write(member: WorldMember): void {
    if (!member.up || !hasQuorum(this.database(member))) return;
    const group = this.members.filter((other) => other === member || this.together(member, other));
    const next = Math.max(...group.map(({ holds }) => holds)) + 1;
    for (const other of group) other.holds = next;
    if (group.length >= majority(this.members.length)) this.acknowledged = next;
  }

  crash(member: WorldMember): void {
    member.up = false;
    member.state = "OFFLINE";
    member.view = [];
  }

  start(member: WorldMember): void {
    member.up = true;
  }

  /** The disk of a member that is down is replaced: only where the others hold everything. */
  wipe(member: WorldMember): boolean {
    const others = this.members.filter((other) => other !== member);
    const safe =
      !member.up && others.every(({ record, holds }) => record === "formed" && holds >= 1);
    if (!safe || !others.some(({ holds }) => holds >= this.acknowledged)) return false;
    member.id = this.newId();
    member.holds = 0;
    member.record = "blank";
    return true;
  }

  /** A member that serves remembers that it did. */
  private note(): void {
    for (const member of this.members) {
      const database = this.database(member);
      const online = database.members.filter(({ state }) => state === "ONLINE").length;
      if (member.up && hasQuorum(database) && online >= majority(this.members.length)) {
        member.record = "formed";
      }
    }
  }

  /** Groups that could accept writes, each as the sorted nodes of its members in reach. */
  groups(): string[] {
    const groups = this.members
      .filter((member) => member.up && hasQuorum(this.database(member)))
      .map((member) =>
        this.members
          .filter((other) => other === member || this.together(member, other))
          .map(({ node }) => node)
          .sort()
          .join(" "),
      );
    return [...new Set(groups)];
  }
}
