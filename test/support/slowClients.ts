import net from "node:net";

/** Clients that hold a connection each and send a byte now and then. */
export class SlowClients {
  private readonly sockets: net.Socket[] = [];
  private timer: NodeJS.Timeout | undefined;
  /** Connections that the other side has ended. */
  ended = 0;

  /** Half of them never end their header, half never their body. */
  constructor(
    private readonly host: string,
    private readonly count: number,
  ) {}

  start(): void {
    for (let index = 0; index < this.count; index++) {
      const inHeader = index % 2 === 0;
      const socket = net.connect({ host: this.host, port: 80 });
      socket.on("error", () => undefined);
      socket.once("end", () => (this.ended += 1));
      socket.resume();
      socket.write(
        inHeader
          ? "GET /ping HTTP/1.1\r\nHost: a\r\n"
          : "POST /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
      );
      this.sockets.push(socket);
    }
    this.timer = setInterval(() => {
      for (const [index, socket] of this.sockets.entries()) {
        if (socket.writable) socket.write(index % 2 === 0 ? "X-A: a\r\n" : "a");
      }
    }, 1000);
  }

  stop(): void {
    clearInterval(this.timer);
    for (const socket of this.sockets) socket.destroy();
  }
}
