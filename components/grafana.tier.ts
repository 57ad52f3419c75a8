import { z } from "zod";
import { port, type Listener, type TierDeclaration } from "../model/tier";

/*
 * The last minor version of 12, which is cared for longest. From 13.2 on the Prometheus data source
 * is a plugin of its own, which Grafana renews from the internet; a closed network has none.
 */
const officialImage = "docker.io/grafana/grafana:12.4.4";

const settings = z.strictObject({
  wanted: z
    .enum(["auto", "always", "never"])
    .default("auto")
    .describe(
      "`auto`: where its image can be had; else the stack goes without it and says so. `always`: an update that cannot have it is refused. `never`: none.",
    ),
  image: z
    .string()
    .min(1)
    .default(officialImage)
    .describe(
      "Official image that the nodes' own is made from, on this computer. In a closed network: a copy of it in a registry that this computer reaches.",
    ),
  port: port("Port of Grafana, HTTPS.", 3000),
  memoryMegabytes: z.int().min(128).default(512).describe("Memory limit of a node in MiB."),
  startTimeoutSeconds: z
    .int()
    .min(15)
    .max(3600)
    .default(180)
    .describe("Seconds that a new node may take to read its dashboards."),
});

export type GrafanaSettings = z.output<typeof settings>;

function listeners(values: GrafanaSettings): readonly Listener[] {
  return [
    {
      name: "https",
      protocol: "tcp",
      port: values.port,
      from: ["admin"],
      purpose: "dashboards",
    },
  ];
}

export const grafana = {
  name: "grafana",
  key: "grafana",
  summary:
    "Grafana beside each monitoring node, with the dashboards of this stack: they follow from its code, and what is made by hand lasts as long as the node. It asks the readers of the monitoring nodes, its own machine's or another's, so the loss of one leaves no hole. Where the image cannot be had, the stack comes up without it.",
  serviceClass: "non-critical",
  settings,
  beside: ({ wanted }) => (wanted === "never" ? undefined : "monitoring"),
  optionalImage: ({ image, wanted }) => ({ name: image, required: wanted === "always" }),
  withoutIt: "Everything is watched and told of; only the pictures are missing.",
  listeners,
} as const satisfies TierDeclaration<typeof settings>;
