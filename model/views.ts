/*
 * What the templates in configs/ are rendered with, and the supervisors' own settings: plain data,
 * complete (a template refuses a missing value, so what may be absent is null).
 */

/** A server behind a balanced endpoint. */
export interface HaproxyServer {
  /** Key of the node; the server's name in status and metrics. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Port of the active check where it is not the server's own; else null. */
  readonly checkPort: number | null;
  /** Gets connections only while no other server is in service. */
  readonly backup: boolean;
}

/** A balanced endpoint: a frontend on a virtual address and the backend of its servers. */
export interface HaproxyService {
  /** Name of the endpoint; of the backend too. */
  readonly name: string;
  /** True: HTTP requests are balanced. False: TCP connections. */
  readonly http: boolean;
  /** True: clients are strangers. Their forwarding headers are replaced, not believed. */
  readonly edge: boolean;
  readonly binds: readonly {
    readonly address: string;
    readonly port: number;
    /** True: TLS ends here, with HTTP/2, using the edge certificate. */
    readonly tls: boolean;
  }[];
  /** Active check: 2xx means in service, 404 means finish what you have, all else out. */
  readonly checkPath: string;
  /** True: sessions to a server that leaves service are cut at once. */
  readonly cutSessionsWhenDown: boolean;
  readonly servers: readonly HaproxyServer[];
}

/** `configs/haproxy/haproxy.cfg.hbs` */
export interface HaproxyView {
  /** Key of the load balancer node. */
  readonly node: string;
  /** Address of its machine. */
  readonly address: string;
  /** Port of `/stats` and `/metrics` on the machine's own address. */
  readonly statusPort: number;
  readonly maxConnections: number;
  /** Largest announced request body in bytes. */
  readonly maxBodyBytes: number;
  readonly requestTimeoutSeconds: number;
  /** Seconds that an idle client connection is kept; less than `hardStopSeconds`. */
  readonly keepAliveSeconds: number;
  /** Seconds that an idle TCP-mode connection (a database session) is kept. */
  readonly sessionTimeoutSeconds: number;
  /** Seconds after the soft stop at which open connections are cut. */
  readonly hardStopSeconds: number;
  readonly services: readonly HaproxyService[];
}

/** `configs/keepalived/keepalived.conf.hbs` */
export interface KeepalivedView {
  readonly node: string;
  readonly interface: string;
  readonly address: string;
  /** Address of the other load balancer's machine, null where there is one only. */
  readonly peer: string | null;
  readonly virtualRouterId: number;
  /** 1 to 254; differs between the two. */
  readonly priority: number;
  readonly virtualAddresses: readonly string[];
}

/** `configs/second-chance/second-chance.nft.hbs` */
export interface SecondChanceView {
  readonly interface: string;
  /** Address of the other load balancer's machine, null where there is one only. */
  readonly peer: string | null;
  /** UDP port of the heartbeats. */
  readonly heartbeatPort: number;
  readonly virtualAddresses: readonly string[];
}

/** `configs/nginx/nginx.conf.hbs` */
export interface NginxView {
  readonly node: string;
  readonly port: number;
  /** Port of nginx's own statistics (`/nginx_status`), on the loopback address only. */
  readonly statusPort: number;
  /** Addresses of the load balancers' machines: their forwarding headers are believed. */
  readonly trustedProxies: readonly string[];
  /** Where the application answers. */
  readonly app: {
    /** True: one virtual address, where a failed connection is worth a second attempt. */
    readonly balanced: boolean;
    readonly servers: readonly { readonly address: string; readonly port: number }[];
  };
  readonly maxBodyBytes: number;
  readonly readTimeoutSeconds: number;
  /** Seconds that a stopping node may take for what is still open. */
  readonly shutdownTimeoutSeconds: number;
}

/** `/etc/holdfast/supervisor.json` of a load balancer node. */
export interface LoadBalancerSupervisorView {
  readonly role: "load-balancer";
  readonly node: string;
  readonly interface: string;
  readonly address: string;
  readonly peer: string | null;
  readonly heartbeatPort: number;
  readonly statusPort: number;
  readonly virtualAddresses: readonly string[];
  /** Seconds between the hand-over and the soft stop: kept-alive clients are told to reconnect. */
  readonly closeSeconds: number;
  /** Seconds after the soft stop at which open connections are cut. */
  readonly hardStopSeconds: number;
}

/** `/etc/holdfast/supervisor.json` of a web node. */
export interface WebSupervisorView {
  readonly role: "web";
  readonly node: string;
  readonly port: number;
  /** Seconds that a stopping node still serves while the load balancers notice that it leaves. */
  readonly drainSeconds: number;
}

export type SupervisorView = LoadBalancerSupervisorView | WebSupervisorView;
