import { describe, expect, it } from "vitest";
import { loadBalancerFiles } from "../../components/loadBalancer.files";
import { readPlan } from "../../model/stack";
import { tiers } from "../../tiers";

/** The rendered configuration of the first load balancer, its sections by their first line. */
function sections(raw: Record<string, unknown> = {}): ReadonlyMap<string, readonly string[]> {
  const plan = readPlan(tiers, raw);
  const [node] = plan.tiers.loadBalancer.nodes;
  if (!node) throw new Error("no load balancer in the plan");
  const text = loadBalancerFiles(plan, node)["/etc/holdfast/haproxy.cfg"] ?? "";
  const found = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of text.split("\n")) {
    if (/^\w/.test(line)) found.set(line, (lines = []));
    else if (line.trim() !== "" && !/^\s*#/.test(line)) lines.push(line.trim());
  }
  return found;
}

function section(name: string, raw?: Record<string, unknown>): readonly string[] {
  const lines = sections(raw).get(name);
  if (!lines) throw new Error(`no section ${name}`);
  return lines;
}

const edge = (raw?: Record<string, unknown>) => section("frontend web from http", raw);
const internal = (raw?: Record<string, unknown>) => section("frontend app from http", raw);

describe("what one client may take", () => {
  it("is limited by settings: connections, requests in a time, bytes of header and body", () => {
    const lines = edge({
      loadBalancer: {
        maxConnections: 200,
        connectionsPerClient: 20,
        requestsPerClient: 30,
        clientWindowSeconds: 5,
        maxHeaderBytes: 2048,
        maxBodyBytes: 4096,
      },
    });
    expect(lines).toContain("maxconn 200");
    expect(lines).toContain("tcp-request connection reject if { sc0_conn_cur gt 20 }");
    expect(lines).toContain("stick-table type ip size 100k expire 5s store gpc0_rate(5s),conn_cur");
    expect(lines.find((line) => line.includes("status 429"))).toMatch(
      /at most 30 in 5 seconds.* hdr Retry-After 5 hdr Cache-Control no-store if \{ sc0_gpc0_rate ge 30 \}$/,
    );
    expect(lines.find((line) => line.includes("status 431"))).toMatch(
      /at most 2048 bytes in all.* if \{ req\.hdrs,length gt 2048 \}$/,
    );
    expect(lines).toContain("http-request deny deny_status 413 if { req.body_size gt 4096 }");
  });

  it("counts what is passed on, after the limit and before everything else", () => {
    const lines = edge();
    const at = (part: string) => lines.findIndex((line) => line.includes(part));
    expect(at("track-sc0")).toBeLessThan(at("sc0_conn_cur"));
    expect(at("set-var(txn.request_id)")).toBeLessThan(at("status 429"));
    expect(at("status 429")).toBeLessThan(at("sc-inc-gpc0"));
    expect(at("sc-inc-gpc0")).toBeLessThan(at("status 431"));
    expect(at("deny_status 413")).toBeLessThan(at("wait-for-body"));
  });

  it("leaves room for the tiers, which are not limited", () => {
    expect(section("global", { loadBalancer: { maxConnections: 200 } })).toContain("maxconn 400");
    for (const word of ["maxconn", "stick-table", "reject", "429", "wait-for-body"]) {
      expect(internal().join("\n")).not.toContain(word);
    }
  });
});

describe("what a client says about itself", () => {
  it("is removed before what is true is set", () => {
    const lines = edge();
    const removed = lines.findIndex((line) => line.includes("del-header x-forwarded- -m beg"));
    for (const name of ["For", "Proto", "Port", "Host"]) {
      const set = lines.findIndex((line) => line.includes(`set-header X-Forwarded-${name}`));
      expect(set, name).toBeGreaterThan(removed);
    }
    expect(lines).toContain("http-request set-var(txn.request_id) uuid");
  });

  const removed = () => {
    const line = edge().find((entry) => entry.includes("-m reg")) ?? "";
    return new RegExp(/del-header (\S+) -m reg/.exec(line)?.[1] ?? "$^", "i");
  };

  it.each([
    "Forwarded",
    "X-Real-IP",
    "True-Client-IP",
    "X-Original-URL",
    "Proxy",
    "HTTP2-Settings",
  ])("is removed from %s", (name) => expect(removed().test(name)).toBe(true));

  it.each(["Authorization", "Cookie", "X-Proxy-Token", "Forwarded-By", "TE"])(
    "stays in %s",
    (name) => expect(removed().test(name)).toBe(false),
  );

  it("is believed of the tiers", () => {
    expect(internal()).toContain("http-request set-var(txn.request_id) req.hdr(x-request-id)");
    expect(internal().join("\n")).not.toContain("del-header");
  });
});

describe("HTTPS", () => {
  const redirects = (raw?: Record<string, unknown>) =>
    edge(raw).filter((line) => line.startsWith("http-request redirect"));

  it("is where everybody is sent, by setting, but for health and ACME", () => {
    const raw = { loadBalancer: { redirectToHttps: true } };
    expect(redirects(raw)).toEqual([
      "http-request redirect location https://%[req.hdr(host),regsub(:[0-9]+$,)]%[pathq] code 308 if !{ ssl_fc } !without_tls",
    ]);
    expect(edge(raw)).toContain("acl without_tls path_beg /.well-known/acme-challenge/");
    expect(edge(raw)).toContain("acl without_tls path /healthz");
    expect(redirects({ ...raw, webPool: { edgeHttpsPort: 8443 } })[0]).toContain(
      "regsub(:[0-9]+$,)]:8443%[pathq]",
    );
    expect(redirects()).toEqual([]);
    expect(internal(raw).join("\n")).not.toContain("redirect");
  });

  it("is said to be the only way, by setting, where TLS is spoken", () => {
    const said = (raw?: Record<string, unknown>) =>
      edge(raw).filter((line) => line.includes("Strict-Transport-Security"));
    expect(said({ loadBalancer: { hstsSeconds: 300 } })).toEqual([
      "http-after-response set-header Strict-Transport-Security max-age=300 if { ssl_fc }",
    ]);
    expect(said()).toEqual([]);
  });

  it("is TLS 1.2 at least, and HTTP/2 is offered", () => {
    expect(section("global")).toContain("ssl-default-bind-options ssl-min-ver TLSv1.2");
    expect(edge().find((line) => line.includes(":443 "))).toMatch(/ alpn h2,http\/1\.1$/);
  });
});

describe("answers", () => {
  it("name no program and no version", () => {
    expect(edge()).toContain("http-response del-header Server");
    expect(edge()).toContain("http-response del-header X-Powered-By");
    expect(section("frontend status from http")).toContain("stats hide-version");
  });
});

describe("a pool of which no server passes its check", () => {
  it("is asked regardless, where it serves HTTP and has others to try", () => {
    const lines = section("backend web from http", { webPool: { tls: "off" } });
    expect(lines).toContain("option allbackups");
    expect(lines.filter((line) => line.startsWith("server "))).toEqual([
      "server web-a 10.77.0.21:8080 tcp-ut 3s check",
      "server web-b 10.77.0.22:8080 tcp-ut 3s check",
      "server web-a-unchecked 10.77.0.21:8080 tcp-ut 3s backup",
      "server web-b-unchecked 10.77.0.22:8080 tcp-ut 3s backup",
    ]);
  });

  const servers = (name: string, raw: Record<string, unknown>) =>
    section(name, raw).filter((line) => line.startsWith("server "));
  const verified = (name: string) =>
    `ssl verify required ca-file /etc/holdfast/tls/ca.pem verifyhost ${name} sni str(${name})`;

  it("is asked with TLS and without where it may speak either", () => {
    const raw = { webPool: { tls: "prefer" } };
    expect(section("backend web-unchecked from http", raw)).toContain("option allbackups");
    expect(servers("backend web-unchecked from http", raw)).toEqual([
      `server web-a-unchecked 10.77.0.21:8443 ${verified("web-a")} alpn http/1.1 tcp-ut 3s backup`,
      `server web-b-unchecked 10.77.0.22:8443 ${verified("web-b")} alpn http/1.1 tcp-ut 3s backup`,
      "server web-a-plain-unchecked 10.77.0.21:8080 tcp-ut 3s backup",
      "server web-b-plain-unchecked 10.77.0.22:8080 tcp-ut 3s backup",
    ]);
    const one = sections({ webPool: { count: 1, tls: "prefer" } });
    expect(one.has("backend web-unchecked from http")).toBe(false);
    expect(one.get("frontend web from http")?.join("\n")).not.toContain("unchecked");
  });

  it("is not where there is one server, or where the check says who may be written to", () => {
    const unchecked = (name: string, raw: Record<string, unknown>) =>
      section(name, raw).filter((line) => line.endsWith(" backup"));
    expect(unchecked("backend web from http", { webPool: { count: 1 } })).toEqual([]);
    const database = { mysqlCluster: { count: 3 }, appPool: { sample: "property" } };
    expect(unchecked("backend mysql-primary from tcp", database)).toEqual([]);
  });
});

describe("TLS to the nodes", () => {
  const servers = (name: string, raw: Record<string, unknown>) =>
    section(name, raw).filter((line) => line.startsWith("server "));
  const verified = (name: string) =>
    `ssl verify required ca-file /etc/holdfast/tls/ca.pem verifyhost ${name} sni str(${name}) check-sni ${name} alpn http/1.1 tcp-ut 3s check`;
  const secure = [
    `server app-a 10.77.0.31:8443 ${verified("app-a")}`,
    `server app-b 10.77.0.32:8443 ${verified("app-b")}`,
  ];

  it("gives a busy server time for the handshake, and does not take it for a broken one", () => {
    const patience = [
      "timeout connect 3s",
      "http-reuse aggressive",
      "default-server fall 3 observe layer4 error-limit 100 pool-purge-delay 5s",
    ];
    const found = (name: string, tls: string) =>
      section(name, { appPool: { tls } }).filter((line) => patience.includes(line));
    expect(found("backend app from http", "require")).toEqual(patience);
    expect(found("backend app from http", "off")).toEqual([]);
    expect(found("backend app from http", "prefer")).toEqual(patience);
    expect(found("backend app-plain from http", "prefer")).toEqual([]);
    expect(found("backend app-unchecked from http", "prefer")).toEqual(patience);
  });

  it("verifies authority and name, in checks too", () => {
    expect(servers("backend app from http", {}).slice(0, 2)).toEqual(secure);
    expect(section("backend app from http").join("\n")).not.toContain(":8080");
    expect(section("global")).toContain("ssl-default-server-options ssl-min-ver TLSv1.2");
  });

  it("is taken first where either may be spoken; without it where that reaches more", () => {
    const raw = { appPool: { tls: "prefer" } };
    expect(servers("backend app from http", raw)).toEqual(secure);
    expect(servers("backend app-plain from http", raw)).toEqual([
      "server app-a 10.77.0.31:8080 tcp-ut 3s check",
      "server app-b 10.77.0.32:8080 tcp-ut 3s check",
    ]);
    expect(internal(raw).slice(-4)).toEqual([
      "http-request set-var(txn.with_tls) nbsrv(app)",
      "use_backend app-unchecked if { nbsrv(app) eq 0 } { nbsrv(app-plain) eq 0 }",
      "use_backend app-plain if { nbsrv(app-plain),sub(txn.with_tls) gt 0 }",
      "default_backend app",
    ]);
    for (const pool of ["app", "app-plain"]) {
      expect(section(`backend ${pool} from http`, raw)).toContain("http-check disable-on-404");
      expect(section(`backend ${pool} from http`, raw).join("\n")).not.toContain("backup");
    }
  });

  it("ends at the endpoint with a certificate for tiers, without HTTP/2", () => {
    const binds = (tls: string) =>
      internal({ appPool: { tls } }).filter((line) => line.startsWith("bind "));
    const plain = "bind 10.77.0.6:8080";
    const withTls = "bind 10.77.0.6:8443 ssl crt /etc/holdfast/tls/endpoints.pem alpn http/1.1";
    expect(binds("off")).toEqual([plain, withTls]);
    expect(binds("prefer")).toEqual([withTls, plain]);
    expect(binds("require")).toEqual([withTls]);
  });
});

describe("TLS for health and metrics", () => {
  const raw = (metricsTls: string) => ({
    mysqlCluster: { count: 3 },
    appPool: { sample: "property" },
    pki: { metricsTls },
  });
  const checks = (endpoint: string, stage: string) =>
    section(`backend ${endpoint} from tcp`, raw(stage)).filter((line) =>
      line.startsWith("server "),
    );
  const status = (stage: string) =>
    section("frontend status from http", raw(stage)).filter((line) => line.startsWith("bind "));

  it("is in checks of the database as soon as agents take it, with authority and name", () => {
    for (const endpoint of ["mysql-primary", "mysql-replicas"]) {
      expect(checks(endpoint, "off")[0]).toBe(
        "server mysql-a 10.77.0.41:3306 check port 9200 on-marked-down shutdown-sessions",
      );
      for (const stage of ["prefer", "require"]) {
        expect(checks(endpoint, stage)).toEqual(
          ["a", "b", "c"].map(
            (letter, index) =>
              `server mysql-${letter} 10.77.0.4${index + 1}:3306 check port 9200 check-ssl verify required ca-file /etc/holdfast/tls/ca.pem verifyhost mysql-${letter} check-sni mysql-${letter} fall 3 on-marked-down shutdown-sessions`,
          ),
        );
      }
    }
  });

  it("leaves checks of HTTP as they are", () => {
    for (const backend of ["backend web from http", "backend app from http"]) {
      expect(section(backend, raw("require"))).toEqual(section(backend, raw("off")));
    }
  });

  it("is required of whoever asks for statistics from elsewhere, in the end", () => {
    const loopback = "bind 127.0.0.1:8404";
    for (const stage of ["off", "prefer"]) {
      expect(status(stage)).toEqual(["bind 10.77.0.11:8404", loopback]);
    }
    expect(status("require")).toEqual([
      "bind 10.77.0.11:8404 ssl crt /etc/holdfast/tls/endpoints.pem alpn http/1.1",
      loopback,
    ]);
  });
});
