import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Sends the halves of a body 200 ms apart, then another request on the same connection. Resolves to
 * what had been answered between the halves, and to the statuses of both answers.
 */
export async function halvedBody(
  port: number,
  path: string,
  bytes: number,
): Promise<{ early: string; statuses: string[] }> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (part: string) => (text += part));
  const half = "x".repeat(bytes / 2);
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${2 * half.length}\r\n\r\n`;
  socket.write(`${head}${half}`);
  await sleep(200);
  const early = text;
  socket.write(`${half}GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  await once(socket, "close");
  return {
    early,
    statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status!),
  };
}
