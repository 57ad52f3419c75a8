import * as pulumi from "@pulumi/pulumi";
import type { PlannedMachine, StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import { preflight } from "../operations/preflight";
import { sshOptions, storeKeys, type SshTarget } from "../operations/ssh";
import type { MachineHandle } from "./machine";
import type { MachineSource } from "./machines";
import { plainError } from "./plainError";
import type { Registry } from "./roleImage";

/** Existing VMs, reached over SSH with the key of the settings. Nothing on them is made here. */
export class Inventory implements MachineSource {
  readonly registry: Registry;
  /** Machines that were there before have no network of their own here. */
  readonly labNetwork = undefined;
  private readonly checked: Promise<void>;

  constructor(private readonly plan: StackPlan<Tiers>) {
    const { machines, registry } = plan.settings;
    this.registry = {
      push: registry.pushAddress ?? registry.address ?? "",
      pull: registry.address ?? "",
      auth: {
        address: `${registry.insecure ? "http://" : ""}${hostOf(registry.pushAddress ?? registry.address)}`,
        username: registry.username ?? "",
        password: pulumi.secret(registry.password ?? ""),
      },
      insecure: registry.insecure,
      ready: [],
    };
    for (const planned of plan.machines) {
      storeKeys(this.target(planned), machines.privateKey ?? "", planned.hostKey ?? "");
    }
    this.checked = preflight(plan, (planned) => this.target(planned)).catch((error: unknown) => {
      throw plainError(error);
    });
    // Reported where it is awaited; without this line Node would end the program first.
    this.checked.catch(() => undefined);
  }

  provide(planned: PlannedMachine): MachineHandle {
    const { machines, registry } = this.plan.settings;
    const target = this.target(planned);
    return {
      identity: pulumi.output(`${planned.address} ${planned.hostKey ?? ""}`),
      engine: pulumi.output(
        this.checked.then(() => `ssh://${target.user}@${target.host}:${target.port}`),
      ),
      sshOptions: sshOptions(target),
      privateKey: pulumi.secret(machines.privateKey ?? ""),
      hostKey: pulumi.output(planned.hostKey ?? ""),
      registryAuth: pulumi.secret(
        registry.username && registry.password
          ? [
              {
                address: hostOf(registry.address),
                username: registry.username,
                password: registry.password,
              },
            ]
          : [],
      ),
    };
  }

  private target({ key, ssh }: PlannedMachine): SshTarget {
    return { stack: pulumi.getStack(), machine: key, ...ssh };
  }
}

/** Host and port of a registry's name, without its path. */
function hostOf(name: string | undefined): string {
  return name?.split("/")[0] ?? "";
}
