import type { StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";

/** Bits of the widest network that somebody may own: 10.0.0.0/8. */
const widest = 8;

/** SSH and the status pages are for administrators, not for whoever finds the machines. */
export function openAdministration({ settings }: StackPlan<Tiers>): string[] {
  return settings.machines.adminNetworks
    .filter((cidr) => Number(cidr.split("/")[1]) < widest)
    .map(
      (cidr) =>
        `holdfast:machines.adminNetworks has ${cidr}, which opens SSH and the status pages to strangers; name the networks that you deploy and administer from, such as 198.51.100.0/24`,
    );
}
