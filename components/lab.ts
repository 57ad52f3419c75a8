import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import * as tls from "@pulumi/tls";
import { host, labHosts } from "../model/addresses";
import { labShares } from "../model/labShares";
import { labRegistryAddress, type PlannedMachine, type StackPlan } from "../model/stack";
import type { Tiers } from "../model/tier";
import { awaitEngine, deployedBefore } from "../operations/reach";
import { sshOptions, storeKeys, type SshTarget } from "../operations/ssh";
import type { MachineHandle } from "./machine";
import { plainError } from "./plainError";
import type { MachineSource } from "./machines";
import { RoleImage, type Registry } from "./roleImage";

const registryUser = "holdfast";
const registryPort = 5000;

/**
 * Machines on this computer: each is a container that behaves as a small VM, with its own address,
 * SSH server, firewall and Docker engine; and an image registry beside them.
 */
export class Lab extends pulumi.ComponentResource implements MachineSource {
  static readonly type = "holdfast:index:Lab";

  readonly registry: Registry;
  /** Name of the network, for what stands beside the machines. */
  readonly labNetwork: pulumi.Output<string>;
  private readonly network: docker.Network;
  private readonly keyPair: tls.PrivateKey;
  private readonly machineImage: RoleImage;
  private readonly registryPassword: random.RandomPassword;
  private readonly deployedMachines: Promise<unknown>;

  constructor(
    name: string,
    private readonly plan: StackPlan<Tiers>,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super(Lab.type, name, {}, opts);
    this.keyPair = new tls.PrivateKey(`${name}-key`, { algorithm: "ED25519" }, { parent: this });
    this.network = new docker.Network(
      `${name}-network`,
      {
        name: this.objectName(),
        driver: "bridge",
        ipamConfigs: [{ subnet: plan.network.cidr, gateway: host(plan.network, labHosts.gateway) }],
        labels: this.labels(),
      },
      { parent: this, deleteBeforeReplace: true },
    );
    this.labNetwork = this.network.name;
    this.machineImage = new RoleImage(
      `${name}-machine-image`,
      { role: "machine", context: "images/machine" },
      { parent: this },
    );
    this.registryPassword = new random.RandomPassword(
      `${name}-registry-password`,
      { length: 32, special: false },
      { parent: this },
    );
    this.registry = this.startRegistry(`${name}-registry`);
    // A dead machine is found before the first change, not in the middle of a roll.
    this.deployedMachines = Promise.all(
      plan.machines
        .map((planned) => this.target(planned))
        .filter(deployedBefore)
        .map((target) => awaitEngine(target, 15)),
    ).catch((error: unknown) => {
      throw plainError(error);
    });
    // Reported where it is awaited; without this line Node would end the program first.
    this.deployedMachines.catch(() => undefined);
    this.registerOutputs({ registry: this.registry.pull });
  }

  provide(
    planned: PlannedMachine,
    parent: pulumi.Resource,
    dependsOn: pulumi.Resource[],
  ): MachineHandle {
    const hostKey = new tls.PrivateKey(
      `${planned.key}-host-key`,
      { algorithm: "ED25519" },
      { parent },
    );
    const container = this.machineContainer(planned, hostKey, parent, dependsOn);
    const target = this.target(planned);
    return {
      identity: container.id,
      // Reachable by its address alone: nothing secret in it, though secrets were needed to know.
      engine: pulumi.unsecret(
        pulumi
          .all([this.keyPair.privateKeyOpenssh, hostKey.publicKeyOpenssh, container.id])
          .apply(async ([privateKey, publicKey]) => {
            await this.deployedMachines;
            storeKeys(target, privateKey, publicKey);
            await awaitEngine(target, 30).catch((error: unknown) => {
              throw plainError(error);
            });
            return `ssh://${target.user}@${target.host}:${target.port}`;
          }),
      ),
      sshOptions: sshOptions(target),
      privateKey: this.keyPair.privateKeyOpenssh,
      hostKey: hostKey.publicKeyOpenssh,
      registryAuth: this.registryPassword.result.apply((password) => [
        { address: this.registry.pull, username: registryUser, password },
      ]),
    };
  }

  private target({ key, ssh }: PlannedMachine): SshTarget {
    return { stack: pulumi.getStack(), machine: key, ...ssh };
  }

  /** Name of a Docker object of this stack on this computer's engine. */
  private objectName(part?: string): string {
    return ["holdfast", pulumi.getStack(), ...(part ? [part] : [])].join("-");
  }

  private labels(): { label: string; value: string }[] {
    return [{ label: "holdfast.stack", value: pulumi.getStack() }];
  }

  private volume(name: string, part: string, parent: pulumi.Resource): docker.Volume {
    return new docker.Volume(
      `${name}-volume`,
      { name: this.objectName(part), labels: this.labels() },
      { parent },
    );
  }

  private machineContainer(
    planned: PlannedMachine,
    hostKey: tls.PrivateKey,
    parent: pulumi.Resource,
    dependsOn: pulumi.Resource[],
  ): docker.Container {
    const volume = this.volume(planned.key, planned.key, parent);
    return new docker.Container(
      `${planned.key}-machine`,
      {
        name: this.objectName(planned.key),
        hostname: planned.key,
        image: this.machineImage.imageId,
        envs: [`LAB_REGISTRY_NETWORK=${this.plan.network.cidr}`],
        networkMode: "bridge",
        networksAdvanced: [{ name: this.network.name, ipv4Address: planned.address }],
        // Plain privileged fails on hosts whose root lacks SYS_RESOURCE.
        capabilities: { adds: ["ALL"], drops: ["CAP_SYS_RESOURCE"] },
        securityOpts: ["apparmor=unconfined", "seccomp=unconfined"],
        volumes: [{ volumeName: volume.name, containerPath: "/var/lib/docker" }],
        tmpfs: { "/run": "" },
        cpuShares: labShares(this.plan, planned),
        uploads: [
          {
            file: "/etc/holdfast/ssh_host_ed25519_key",
            content: hostKey.privateKeyOpenssh,
            permissions: "0600",
          },
          {
            file: "/root/.ssh/authorized_keys",
            content: this.keyPair.publicKeyOpenssh,
            permissions: "0600",
          },
        ],
        restart: "unless-stopped",
        logDriver: "json-file",
        logOpts: { "max-file": "2", "max-size": "10m" },
        stopTimeout: 90,
        destroyGraceSeconds: 90,
        labels: [...this.labels(), { label: "holdfast.machine", value: planned.key }],
      },
      {
        parent,
        deleteBeforeReplace: true,
        dependsOn,
        replaceOnChanges: ["tmpfs"],
        // Given when a machine is made; no reason to touch one that is there.
        ignoreChanges: ["cpuShares"],
      },
    );
  }

  private startRegistry(name: string): Registry {
    const { network } = this.plan;
    const publishPort = this.plan.settings.registry.publishPort ?? publishPortOf(host(network, 0));
    const image = new RoleImage(
      `${name}-image`,
      { role: "registry", context: "images/registry" },
      { parent: this },
    );
    const volume = this.volume(name, "registry", this);
    const container = new docker.Container(
      name,
      {
        name: this.objectName("registry"),
        hostname: "registry",
        image: image.imageId,
        networkMode: "bridge",
        networksAdvanced: [{ name: this.network.name, ipv4Address: labRegistryAddress(network) }],
        ports: [{ internal: registryPort, external: publishPort, ip: "127.0.0.1" }],
        volumes: [{ volumeName: volume.name, containerPath: "/var/lib/docker-registry" }],
        uploads: [
          {
            file: "/etc/docker/registry/htpasswd",
            content: pulumi.interpolate`${registryUser}:${this.registryPassword.bcryptHash}\n`,
            permissions: "0444",
          },
        ],
        restart: "unless-stopped",
        logDriver: "json-file",
        logOpts: { "max-file": "2", "max-size": "10m" },
        labels: this.labels(),
      },
      { parent: this, deleteBeforeReplace: true },
    );
    const listening = new command.local.Command(
      `${name}-listening`,
      {
        // Docker's own proxy accepts connections before the registry does: only an answer counts.
        create: `for _ in $(seq 100); do if exec 3<>/dev/tcp/127.0.0.1/${publishPort} && printf 'GET /v2/ HTTP/1.0\\r\\n\\r\\n' >&3 && read -r -t 2 answer <&3 && [[ $answer == HTTP/* ]]; then exit 0; fi 2>/dev/null; sleep 0.1; done; echo "the lab's registry does not answer on 127.0.0.1:${publishPort}" >&2; exit 1`,
        interpreter: ["/bin/bash", "-c"],
        triggers: [container.id],
        addPreviousOutputInEnv: false,
      },
      { parent: this, deleteBeforeReplace: true },
    );
    const push = `127.0.0.1:${publishPort}`;
    return {
      push,
      pull: `${labRegistryAddress(network)}:${registryPort}`,
      // The scheme tells the provider that this registry speaks plain HTTP.
      auth: {
        address: `http://${push}`,
        username: registryUser,
        password: this.registryPassword.result,
      },
      insecure: true,
      ready: [listening],
    };
  }
}

/** Loopback port of a network's registry: its own for each network, below the ephemeral ports. */
function publishPortOf(networkAddress: string): number {
  const [, second = 0, third = 0] = networkAddress.split(".").map(Number);
  return 20000 + ((256 * second + third) % 12000);
}
