import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { differingBodies, throughput } from "../../loadtests/throughput";

async function measured(answer: (path: string, count: number) => readonly [number, string]) {
  let count = 0;
  const server = createServer((request, response) => {
    const [status, body] = answer(request.url ?? "", (count += 1));
    response.writeHead(status).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await throughput({
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      networks: [],
      paths: ["/a", "/b"],
      connections: 3,
      seconds: 0.3,
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("counts what came, what failed, and the bodies", async () => {
  const steady = await measured((path) => [200, path]);
  expect(steady.requests).toBeGreaterThan(20);
  expect(steady.failed).toBe(0);
  expect(steady.p95Ms).toBeGreaterThanOrEqual(steady.p50Ms);
  expect([...steady.bodies.keys()].sort()).toEqual(["/a", "/b"]);
  const failing = await measured((path, count) => [count % 2 ? 200 : 500, path]);
  expect(failing.failed).toBeGreaterThan(5);
  expect(differingBodies(steady, failing).length).toBeLessThan(2);
});

test("tells bodies that changed, and paths that one run lacks", async () => {
  const steady = await measured((path) => [200, path]);
  expect(differingBodies(steady, steady)).toEqual([]);
  const other = await measured((path) => [200, path === "/a" ? "other" : path]);
  expect(differingBodies(steady, other)).toEqual(["/a"]);
  const changing = await measured((path, count) => [200, path === "/b" ? String(count) : path]);
  expect(differingBodies(changing, changing)).toEqual(["/b"]);
  const lacking = await measured((path) => [path === "/a" ? 404 : 200, path]);
  expect(differingBodies(steady, lacking)).toEqual(["/a"]);
});

test("goes nowhere but to the stack's own addresses", async () => {
  const options = { networks: ["10.87.0.0/24"], paths: ["/"], connections: 1, seconds: 1 };
  await expect(throughput({ ...options, origin: "http://192.0.2.1" })).rejects.toThrow("192.0.2.1");
});
