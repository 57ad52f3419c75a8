import { describe, expect, it } from "vitest";
import { webPoolFiles } from "../../components/webPool.files";
import { SettingsError } from "../../model/settings";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";

/** Lines of nginx' configuration on the first web node, without comments. */
function lines(raw: Record<string, unknown>): readonly string[] {
  const plan = readPlan(tiers, raw);
  const [node] = plan.tiers.webPool.nodes;
  if (!node) throw new Error("no web node in the plan");
  const text = webPoolFiles(plan, node)["/etc/nginx/nginx.conf"] ?? "";
  return text.split("\n").map((line) => line.trim());
}

const starting = (all: readonly string[], ...words: readonly string[]) =>
  all.filter((line) => words.some((word) => line.startsWith(word)));

const problems = (raw: Record<string, unknown>) => {
  try {
    readPlan(tiers, raw);
    return [];
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return error.problems.map(({ key, found, allowed }) => `${key}: ${found} | ${allowed}`);
  }
};

const alone = { loadBalancer: { count: 0 }, webPool: { count: 1 }, appPool: { count: 1 } };

describe("a web node", () => {
  it.each([
    ["off", ["listen 8080 default_server backlog=4096;"]],
    [
      "prefer",
      ["listen 8080 default_server backlog=4096;", "listen 8443 ssl default_server backlog=4096;"],
    ],
    [
      "require",
      ["listen 127.0.0.1:8080 default_server;", "listen 8443 ssl default_server backlog=4096;"],
    ],
  ])("listens as stage %s says", (tls, expected) => {
    const all = lines({ webPool: { tls } });
    const own = starting(all, "listen ").filter((line) => !line.includes(":8090"));
    expect(own).toEqual(expected);
    expect(starting(all, "ssl_protocols")).toEqual(
      tls === "off" ? [] : ["ssl_protocols TLSv1.2 TLSv1.3;"],
    );
  });

  it("reaches the application's endpoint over TLS and verifies its name", () => {
    for (const tls of ["prefer", "require"]) {
      const all = lines({ appPool: { tls } });
      expect(starting(all, "server 10.")).toEqual(
        Array(2).fill("server 10.77.0.6:8443 max_fails=0;"),
      );
      expect(starting(all, "proxy_pass", "proxy_ssl_")).toEqual([
        "proxy_pass https://app;",
        "proxy_ssl_verify on;",
        "proxy_ssl_verify_depth 2;",
        "proxy_ssl_trusted_certificate /etc/holdfast/tls/ca.pem;",
        "proxy_ssl_name app;",
        "proxy_ssl_server_name on;",
        "proxy_ssl_session_reuse on;",
        "proxy_ssl_protocols TLSv1.2 TLSv1.3;",
      ]);
    }
    expect(starting(lines({ appPool: { tls: "off" } }), "proxy_pass", "proxy_ssl_")).toEqual([
      "proxy_pass http://app;",
    ]);
  });

  it("reaches the application itself by the node's name without load balancers", () => {
    const all = lines({ ...alone, appPool: { count: 1, tls: "require", tlsPort: 9443 } });
    expect(starting(all, "server 10.", "proxy_ssl_name")).toEqual([
      "server 10.77.0.31:9443 max_fails=2 fail_timeout=2s;",
      "proxy_ssl_name app-a;",
    ]);
  });
});

describe("settings of TLS that contradict others", () => {
  it("are refused: clients would meet the certificate of a node", () => {
    expect(problems({ ...alone, webPool: { count: 1, tls: "prefer" } })).toEqual([
      "holdfast:webPool.tls: prefer | off, because the stack has no load balancers: clients reach the node itself, and its certificate is not for them",
    ]);
  });

  it("are refused: a secret would take the place of the node's own file", () => {
    const secrets = { "tls.key": "mine", "api-key": "x" };
    expect(problems({ appPool: { secrets } })).toEqual([
      "holdfast:appPool.secrets.tls.key: a secret value | another name, because holdfast:appPool.tls is require and the stack's own file is called so",
    ]);
    expect(problems({ appPool: { tls: "off", secrets } })).toEqual([]);
  });

  it("are refused: a port that is taken, were it only on loopback", () => {
    expect(problems({ webPool: { count: 1, tls: "require", tlsPort: 8080 } })).toEqual([
      "holdfast:webPool.port: tcp port 8080 on machine vm-web-a | a port that nothing else uses there; listener http of web-a does",
    ]);
    const machines = ["vm-app-a", "vm-app-b"];
    expect(
      problems({ webPool: { machines, port: 80, tls: "prefer" }, appPool: { tls: "prefer" } }),
    ).toEqual(
      machines.map(
        (machine, index) =>
          `holdfast:webPool.tlsPort: tcp port 8443 on machine ${machine} | a port that nothing else uses there; listener http of app-${"ab"[index]} does`,
      ),
    );
  });

  it("are refused: an image of which nobody said whether it speaks TLS", () => {
    expect(problems({ appPool: { image: "shop:1" } })).toEqual([
      "holdfast:appPool.tls: nothing | off, where image shop:1 serves plain HTTP; require, where it serves TLS on the port in TLS_PORT",
    ]);
    for (const tls of ["off", "prefer", "require"]) {
      expect(problems({ appPool: { image: "shop:1", tls } })).toEqual([]);
    }
  });

  it("are refused: another word", () => {
    expect(problems({ appPool: { tls: "on" } })).toEqual([
      'holdfast:appPool.tls: "on" | one of "off", "prefer", "require"',
    ]);
  });
});
