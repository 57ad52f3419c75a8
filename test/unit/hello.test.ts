import { describe, expect, test } from "vitest";
import {
  answer,
  maxNonceLength,
  maxSlowMs,
  maxUrlLength,
  requestId,
} from "../../apps/hello/routes";
import { readSettings } from "../../apps/hello/settings";

const state = { greeting: "Good morning", node: "app-a", draining: false };
const get = (url: string, nonce?: string) => answer({ method: "GET", url, nonce }, state);

describe("answers", () => {
  test("/ greets, names the node and echoes the nonce of header or query", () => {
    expect(get("/", "n1")).toEqual({
      route: "/",
      status: 200,
      body: { message: "Good morning", node: "app-a", nonce: "n1" },
    });
    expect(get("/?nonce=n2").body).toMatchObject({ nonce: "n2" });
    expect(get("/?nonce=n2", "n1").body).toMatchObject({ nonce: "n2" });
  });

  test("/ping answers pong", () => {
    expect(get("/ping", "n1")).toMatchObject({
      status: 200,
      body: { message: "pong", nonce: "n1" },
    });
  });

  test("/slow waits within its bound", () => {
    expect(get("/slow?ms=250")).toMatchObject({ status: 200, delayMs: 250 });
    expect(get("/slow")).toMatchObject({ status: 200, delayMs: 1000 });
    expect(get(`/slow?ms=${maxSlowMs}`)).toMatchObject({ delayMs: maxSlowMs });
    for (const ms of [String(maxSlowMs + 1), "-1", "1.5", "x", "", "1e3"]) {
      expect(get(`/slow?ms=${ms}`)).toEqual({
        route: "/slow",
        status: 400,
        body: { error: `ms: found "${ms}", allowed: 0 to ${maxSlowMs}` },
      });
    }
  });

  test("while it drains only readiness changes", () => {
    const draining = { ...state, draining: true };
    const status = (url: string) => answer({ method: "GET", url }, draining).status;
    expect(status("/readyz")).toBe(404);
    expect(status("/healthz")).toBe(200);
    expect(status("/")).toBe(200);
    expect(get("/readyz").status).toBe(200);
  });

  test("unknown paths, other methods and long targets are refused", () => {
    for (const url of ["/nothing", "/pingpong", "/__proto__", "/constructor", "/toString", "*"]) {
      expect(get(url)).toMatchObject({ route: "other", status: 404 });
    }
    expect(answer({ method: "POST", url: "/" }, state)).toMatchObject({
      route: "/",
      status: 405,
      headers: { Allow: "GET, HEAD" },
    });
    expect(answer({ method: "HEAD", url: "/" }, state).status).toBe(200);
    expect(get(`/?nonce=${"x".repeat(maxUrlLength)}`)).toMatchObject({
      route: "other",
      status: 414,
    });
    expect(get("/ping", "x".repeat(maxNonceLength)).status).toBe(200);
    expect(get("/ping", "x".repeat(maxNonceLength + 1)).status).toBe(400);
  });

  test("a request id is taken over only where it is a plain token", () => {
    const made = () => "made";
    expect(requestId("lb-a:1f.2_3", made)).toBe("lb-a:1f.2_3");
    for (const bad of [undefined, "", "a b", "x\n", "x".repeat(129), '{"a":1}']) {
      expect(requestId(bad, made)).toBe("made");
    }
  });
});

describe("settings", () => {
  test("defaults", () => {
    expect(readSettings({ NODE_NAME: "app-a", GREETING: "" })).toEqual({
      host: "0.0.0.0",
      port: 8080,
      greeting: "Hello, world!",
      node: "app-a",
      drainMs: 2500,
      finishMs: 20_000,
      logLevel: "info",
    });
  });

  test("every mistake is named at once", () => {
    expect(() =>
      readSettings({ PORT: "80a", DRAIN_SECONDS: "61", FINISH_SECONDS: " ", LOG_LEVEL: "loud" }),
    ).toThrow(
      [
        "the environment of the hello application is wrong:",
        '  LOG_LEVEL: found "loud", allowed: one of fatal, error, warn, info, debug, trace, silent',
        '  PORT: found "80a", allowed: a whole number, 0 to 65535',
        '  DRAIN_SECONDS: found "61", allowed: a number, 0 to 60',
        '  FINISH_SECONDS: found " ", allowed: a number, 0 to 300',
      ].join("\n"),
    );
    expect(() => readSettings({ PORT: "80.5" })).toThrow(/PORT: found "80.5"/);
  });
});
