import { eventually } from "../support/measure";
import { sql, type Member } from "../support/members";
import type { Fault } from "./fault";
import { processesFrozen } from "./processesFrozen";

const online =
  "SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE MEMBER_STATE = 'ONLINE'";

/** A database member stands still until the group goes on without it, and is resumed at once. */
export function memberExpelled({ node, machine }: Member, witness: Member): Fault {
  const frozen = processesFrozen(node, machine);
  return {
    name: `${node} frozen until it was expelled`,
    inject: async (stack) => {
      const members = async () => Number(await sql(stack, witness, online));
      const before = await members();
      await frozen.inject(stack);
      try {
        await eventually(`${witness.node} no longer counts ${node}`, 20, async () => {
          return (await members()) < before;
        });
      } finally {
        await frozen.heal(stack);
      }
    },
    heal: async () => undefined,
  };
}
