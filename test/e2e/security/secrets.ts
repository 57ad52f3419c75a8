import { execa } from "execa";
import { expect, it } from "vitest";
import { mustRun } from "../../faults/fault";
import type { DataStack } from "../../support/dataStack";
import { findSecrets, generatedSecrets, type Place, type Secret } from "../../support/secretSearch";

/** What a machine shows of itself and its containers, a heading before each part. */
const shownByMachine = [
  "echo '== processes'; for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null; echo; done",
  "echo '== containers'; docker ps --all --quiet | xargs --no-run-if-empty docker inspect",
  "echo '== images'; docker images --quiet | sort --unique | xargs --no-run-if-empty -n 1 docker history --no-trunc",
  "echo '== image settings'; docker images --quiet | sort --unique | xargs --no-run-if-empty docker inspect",
  'echo "== logs"; for c in $(docker ps --all --quiet); do docker logs $c 2>&1; done',
].join("\n");

/** Everything of the stack that somebody without its passphrase may come to read. */
async function placesOf({ stack }: DataStack): Promise<Place[]> {
  const outputs = await stack.outputs();
  const machines = Object.keys(outputs.machines);
  const inside = await Promise.all(
    machines.map(async (machine) => ({
      name: machine,
      text: await mustRun(stack, machine, shownByMachine, { timeoutSeconds: 120 }),
    })),
  );
  const outside = await Promise.all(
    machines.flatMap((machine) =>
      ["inspect", "logs"].map(async (command) => {
        const { all } = await execa("docker", [command, stack.container(machine)], { all: true });
        return { name: `docker ${command} of ${machine}`, text: all };
      }),
    ),
  );
  return [
    ...inside,
    ...outside,
    { name: "state", text: await stack.state("encrypted") },
    { name: "outputs", text: JSON.stringify(outputs) },
    { name: "events of the last update", text: stack.lastEvents() },
  ];
}

export function secrets(data: DataStack): void {
  const { stack } = data;
  let known: readonly Secret[];

  it("shows none of its secrets in state, containers, images, processes and logs", async () => {
    known = generatedSecrets(await stack.state("in plain text"));
    // A certificate's key for each member, and a password for each account.
    expect(known.length).toBeGreaterThan(15);
    const places = await placesOf(data);
    for (const { name, text } of places) expect(text.length, name).toBeGreaterThan(0);
    expect(findSecrets(known, places)).toEqual([]);
  });

  it("would be found showing one, wherever it is", async () => {
    const [planted] = known;
    const [web] = await data.nodesOf("webPool");
    if (!planted || !web) throw new Error("there is no secret or no web node to plant it on");
    // By standard input and in one line: a command line is one of the places.
    const value = planted.value.replaceAll("\n", " ");
    const plant = [
      "set -eu",
      "read -r secret",
      `image=$(docker inspect --format '{{.Image}}' ${web.node})`,
      'docker run --detach --name planted --env "PLANTED=$secret" --entrypoint sh "$image" -c \'echo "$PLANTED"; sleep 600\' >/dev/null',
      "for attempt in $(seq 50); do docker logs planted 2>&1 | grep -q . && exit 0; sleep 0.2; done",
      "echo 'the planted secret is in no log' >&2; exit 1",
    ].join("\n");
    try {
      await mustRun(stack, web.machine, plant, { input: `${value}\n` });
      const text = await mustRun(stack, web.machine, shownByMachine, { timeoutSeconds: 120 });
      const parts = text
        .split(/^== /m)
        .map((part) => ({ name: part.split("\n")[0] ?? "", text: part }));
      const hits = findSecrets([planted], parts);
      const found = new Set(hits.map(({ place }) => place));
      expect(found, planted.name).toEqual(new Set(["containers", "logs"]));
    } finally {
      await stack.on(web.machine, "docker rm --force --volumes planted");
    }
  });
}
