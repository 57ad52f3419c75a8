import { get as plainGet, type IncomingMessage } from "node:http";
import { get as secureGet } from "node:https";
import type { Page } from "../server";

/**
 * What a page answers, whatever its status. Over TLS only who shows a certificate of that authority
 * (PEM), valid for the name or address that is asked.
 */
export function ask(url: string, authority: string, patienceMs: number): Promise<Page> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(patienceMs);
    const answered = (response: IncomingMessage) => bodyOf(response).then(resolve, reject);
    const request = url.startsWith("https:")
      ? secureGet(url, { ca: authority, signal }, (response) => void answered(response))
      : plainGet(url, { signal }, (response) => void answered(response));
    request.on("error", reject);
  });
}

async function bodyOf(response: IncomingMessage): Promise<Page> {
  const parts: Buffer[] = [];
  for await (const part of response as AsyncIterable<Buffer>) parts.push(part);
  return {
    status: response.statusCode ?? 0,
    type: response.headers["content-type"] ?? "application/json",
    body: Buffer.concat(parts).toString("utf8"),
  };
}
