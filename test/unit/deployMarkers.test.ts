import { describe, expect, it } from "vitest";
import { changedNodes, changeFile, markerFile } from "../../model/deployMarkers";
import { gatesOfTier, type StackState } from "../../operations/stackState";

const values = (text: string) => text.split("\n").filter((line) => line && !line.startsWith("#"));

describe("markers", () => {
  it("are open until the update has ended", () => {
    expect(values(markerFile({ started: 100 }))).toEqual([
      "holdfast_deploy_started_timestamp_seconds 100",
    ]);
    expect(values(markerFile({ started: 100, finished: 160 }))).toEqual([
      "holdfast_deploy_started_timestamp_seconds 100",
      "holdfast_deploy_finished_timestamp_seconds 160",
    ]);
    expect(values(markerFile({ started: 100, stopped: 130 }))).toEqual([
      "holdfast_deploy_started_timestamp_seconds 100",
      "holdfast_deploy_stopped_timestamp_seconds 130",
    ]);
  });

  it("say what was changed, by whom, from what", () => {
    const change = { at: 160, version: "v1-dirty", by: 'a"b\\c', nodes: ["web-a", "web-b"] };
    expect(values(changeFile(change))).toEqual([
      'holdfast_deploy_change_timestamp_seconds{version="v1-dirty",by="a\\"b\\\\c",nodes="web-a web-b"} 160',
    ]);
  });
});

const nodeUrn = (node: string, part: string) =>
  `urn:pulumi:dev::holdfast::holdfast:index:WebPool$holdfast:index:Node$docker:index/container:Container::${node}-${part}`;
const step = (
  kind: "resOutputsEvent" | "resOpFailedEvent" | "resourcePreEvent",
  op: string,
  urn: string,
) => JSON.stringify({ sequence: 1, timestamp: 2, [kind]: { metadata: { op, urn, type: "x" } } });

describe("nodes that an update changed", () => {
  it("are those whose containers were touched, also where that failed", () => {
    const log = [
      step("resourcePreEvent", "replace", nodeUrn("web-c", "container")),
      step("resOutputsEvent", "delete-replaced", nodeUrn("web-b", "container")),
      step("resOutputsEvent", "create-replacement", nodeUrn("web-b", "container")),
      step("resOpFailedEvent", "create", nodeUrn("web-a", "container")),
      step("resOutputsEvent", "same", nodeUrn("app-a", "container")),
      step(
        "resOutputsEvent",
        "update",
        nodeUrn("app-a", "container").replace("Container::", "Image::"),
      ),
      step(
        "resOutputsEvent",
        "create",
        "urn:pulumi:dev::holdfast::holdfast:index:Machine$docker:index/container:Container::vm-web-a-machine",
      ),
      "",
    ].join("\n");
    expect(changedNodes(log)).toEqual(["web-a", "web-b"]);
    expect(changedNodes("")).toEqual([]);
  });
});

describe("the nodes of a tier in a state", () => {
  const container = (node: string, tier: string) => ({
    urn: nodeUrn(node, "container"),
    type: "docker:index/container:Container",
    inputs: {
      labels: [
        { label: "holdfast.node", value: node },
        { label: "holdfast.tier", value: tier },
      ],
    },
  });
  const gate = (node: string) => ({
    urn: `urn:pulumi:dev::holdfast::x$command:local:Command::${node}-gate`,
    type: "command:local:Command",
    inputs: { environment: { HOLDFAST_GATE: JSON.stringify({ node, members: [{ node }] }) } },
  });

  it("are known by their label", () => {
    const state: StackState = {
      version: 3,
      deployment: {
        resources: [
          container("web-a", "webPool"),
          gate("web-a"),
          container("monitor-a", "monitoring"),
          gate("monitor-a"),
        ],
      },
    };
    expect(gatesOfTier(state, "monitoring").map(({ node }) => node)).toEqual(["monitor-a"]);
    expect(gatesOfTier(state, "backup")).toEqual([]);
  });
});
