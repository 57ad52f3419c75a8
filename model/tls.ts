import { z } from "zod";
import { port, type Listener } from "./tier";

/*
 * TLS between tiers, in stages, so that a stack that serves can be switched one stage an update:
 * whoever rolls first, users or nodes, the others can still be reached.
 */

const stages = ["off", "prefer", "require"] as const;

/**
 * `off`: without TLS. `prefer`: nodes listen on both ports, their users take TLS. `require`: TLS
 * alone; the plain port is left on the machine's loopback address, for its own checks.
 */
export type TlsStage = (typeof stages)[number];

export const tlsStage = z.enum(stages);

export interface TlsSettings {
  readonly port: number;
  readonly tls?: TlsStage | undefined;
  readonly tlsPort: number;
}

/**
 * Settings of a tier that can speak TLS, to be spread into its schema beside `port`. `fallback`: what
 * counts where nothing is written, a sentence.
 */
export function tlsSettings(fallback: string, more = "") {
  const what =
    "TLS to the nodes, with certificates of the stack's authority that are verified. `off`: none. `prefer`: nodes listen on both ports; load balancers take TLS, and the plain port while it reaches more nodes. `require`: TLS alone. A running stack is switched without a failed request from one to the next, an update for each: `off`, `prefer`, `require`, or back.";
  return {
    tls: tlsStage.optional().describe([what, ...(more ? [more] : []), fallback].join(" ")),
    tlsPort: port("Port of the nodes for TLS, where `tls` is not `off`.", 8443),
  };
}

/** The ports of a listener that speaks as the settings say. */
export function tlsListener(
  { port, tlsPort }: TlsSettings,
  stage: TlsStage,
): Pick<Listener, "port" | "tls"> {
  return {
    port,
    ...(stage !== "off" && { tls: { port: tlsPort, required: stage === "require" } }),
  };
}

/**
 * The listener with the TLS that `holdfast:pki.metricsTls` gives it, on its one port. That is every
 * one with metrics, or that an agent answers, but the application's, which has TLS of its own.
 */
export function withMetricsTls(listener: Listener, stage: TlsStage): Listener {
  const { port, metricsPath, balanced, eitherWay = false } = listener;
  const speaks = stage === "require" || (stage === "prefer" && eitherWay);
  return port === undefined || (metricsPath === undefined && !eitherWay) || balanced || !speaks
    ? listener
    : { ...listener, tls: { port, required: stage === "require" } };
}

export function stageOf({ tls }: Pick<Listener, "tls">): TlsStage {
  if (!tls) return "off";
  return tls.required ? "require" : "prefer";
}

/** How the nodes of a tier are spoken to where others use what they serve. */
export function servedStage({ listeners }: { readonly listeners: readonly Listener[] }): TlsStage {
  return stageOf(listeners.find(({ balanced }) => balanced) ?? {});
}

/**
 * Why a stage that is written cannot follow those that nodes are at; undefined where it can. `key`
 * is the setting's.
 */
export function stageSkipped(
  key: string,
  written: TlsStage,
  nodes: Readonly<Record<string, TlsStage>>,
): string | undefined {
  const opposite = { off: "require", require: "off", prefer: undefined }[written];
  const at = Object.keys(nodes).filter((node) => nodes[node] === opposite);
  return at.length === 0
    ? undefined
    : `${key}: found ${written}, allowed: prefer, because ${at.join(", ")} ${at.length === 1 ? "is" : "are"} at ${opposite} and could not be reached in the middle of the update`;
}

/**
 * As `stageSkipped`, for `holdfast:pki.metricsTls`. Nodes without a stage come from a version that
 * spoke plain text alone on those ports: they are to take either before anybody uses TLS.
 */
export function metricsStageSkipped(
  written: TlsStage,
  nodes: Readonly<Record<string, TlsStage | undefined>>,
): string | undefined {
  const key = "holdfast:pki.metricsTls";
  const known = Object.entries(nodes).flatMap(([node, at]) => (at ? [[node, at] as const] : []));
  const older = Object.keys(nodes).filter((node) => nodes[node] === undefined);
  return older.length > 0 && written !== "off"
    ? `${key}: found ${written}, allowed: off, because ${older.join(", ")} ${older.length === 1 ? "knows" : "know"} plain text alone on the ports for health and metrics; set off, then prefer, then require, an update for each`
    : stageSkipped(key, written, Object.fromEntries(known));
}

/** A port at which others reach a listener. */
export interface OpenPort {
  readonly port: number | undefined;
  readonly tls: boolean;
}

/**
 * The ports at which others reach a listener, the one that users take first. A port that takes both
 * TLS and plain text is one port.
 */
export function openPorts({ port, tls }: Pick<Listener, "port" | "tls">): readonly OpenPort[] {
  const plain = { port, tls: false };
  if (!tls) return [plain];
  const secure = { port: tls.port, tls: true };
  return tls.required || tls.port === port ? [secure] : [secure, plain];
}

/**
 * HAProxy's backend of the same servers without TLS, beside the one with it, where a tier has both.
 */
export const plainBackend = (backend: string): string => `${backend}-plain`;
