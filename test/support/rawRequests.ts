import net from "node:net";

/** Bytes that no well-behaved client sends. `marker` is in every path that must not be reached. */
export interface RawRequest {
  readonly what: string;
  readonly bytes: (marker: string) => string;
  /** True where what stands first is a request in order and may be answered as one. */
  readonly firstIsGood?: true;
}

const request = (method: string, lines: readonly string[], body: string) => (marker: string) =>
  `${method} /${marker} HTTP/1.1\r\n${["Host: a", ...lines].join("\r\n")}\r\n\r\n${body}`;

const get = (...lines: readonly string[]) => request("GET", lines, "");

const post = (body: string, ...lines: readonly string[]) => request("POST", lines, body);

const line = (first: (marker: string) => string) => (marker: string) =>
  `${first(marker)}\r\nHost: a\r\n\r\n`;

/** Requests that programs read differently, or not at all. */
export const rawRequests: readonly RawRequest[] = [
  {
    what: "a second request hidden behind a length, in chunks",
    bytes: (marker) =>
      `POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /${marker} HTTP/1.1\r\nHost: a\r\n\r\n`,
    firstIsGood: true,
  },
  { what: "two lengths", bytes: post("abcd", "Content-Length: 3", "Content-Length: 4") },
  { what: "a list of lengths", bytes: post("abcd", "Content-Length: 3, 4") },
  { what: "a length with a sign", bytes: post("abc", "Content-Length: +3") },
  { what: "a negative length", bytes: post("abc", "Content-Length: -3") },
  {
    what: "two transfer encodings",
    bytes: post("0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
  },
  {
    what: "an unknown transfer encoding",
    bytes: post("abc", "Transfer-Encoding: xchunked", "Content-Length: 3"),
  },
  {
    what: "a space before the colon",
    bytes: post("abc", "Transfer-Encoding : chunked", "Content-Length: 3"),
  },
  {
    what: "a vertical tab before the encoding",
    bytes: post("abc", "Transfer-Encoding:\x0bchunked", "Content-Length: 3"),
  },
  {
    what: "chunks in HTTP/1.0",
    bytes: (marker) =>
      `POST /${marker} HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  { what: "a chunk size that is none", bytes: post("zz\r\nabc\r\n", "Transfer-Encoding: chunked") },
  {
    what: "a chunk size that overflows",
    bytes: post("fffffffffffffffff\r\nabc\r\n", "Transfer-Encoding: chunked"),
  },
  {
    what: "a line feed in a chunk extension",
    bytes: post("3;a=\n\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
  },
  { what: "two hosts", bytes: get("Host: b") },
  { what: "no host", bytes: (marker) => `GET /${marker} HTTP/1.1\r\n\r\n` },
  { what: "another host in the address", bytes: line((m) => `GET http://b/${m} HTTP/1.1`) },
  { what: "a carriage return in a value", bytes: get("X-A: a\rb") },
  { what: "a zero byte in a value", bytes: get("X-A: a\0b") },
  { what: "a field without a name", bytes: get(": a") },
  { what: "a control character in the path", bytes: line((m) => `GET /${m}\x01 HTTP/1.1`) },
  { what: "a space in the path", bytes: line((m) => `GET /${m} b HTTP/1.1`) },
  { what: "a fragment in the path", bytes: line((m) => `GET /${m}#b HTTP/1.1`) },
  { what: "an unknown version", bytes: line((m) => `GET /${m} HTTP/9.9`) },
  { what: "no version", bytes: (marker) => `GET /${marker}\r\n\r\n` },
  { what: "a method that is none", bytes: line((m) => `G@T /${m} HTTP/1.1`) },
  { what: "TRACE", bytes: line((m) => `TRACE /${m} HTTP/1.1`) },
  { what: "CONNECT", bytes: line((m) => `CONNECT ${m}:80 HTTP/1.1`) },
  { what: "a header of 13 KB", bytes: get(`X-A: ${"a".repeat(13_000)}`) },
  { what: "a header of 1 MB", bytes: get(`X-A: ${"a".repeat(1 << 20)}`) },
  {
    what: "101 header fields",
    bytes: get(...Array.from({ length: 101 }, (_, index) => `X-${index}: a`)),
  },
  { what: "a path of 20 KB", bytes: line((m) => `GET /${m}${"a".repeat(20_000)} HTTP/1.1`) },
  { what: "the beginning of TLS", bytes: () => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" },
];

/** What came back for bytes on a connection of their own: text, empty where nothing did. */
export function sendRaw(host: string, port: number, bytes: string, waitMs = 2000): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect({ host, port });
    const timer = setTimeout(() => socket.destroy(), waitMs);
    socket.on("connect", () => socket.write(bytes, "latin1"));
    socket.on("data", (data) => (answer += data.toString("latin1")));
    // A reset is an answer too.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

/** Status codes of the answers in a text, in order. */
export function statusesIn(answer: string): number[] {
  return [...answer.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, code]) => Number(code));
}
