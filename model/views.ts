/*
 * What the templates in configs/ are rendered with, and the supervisors' own settings: plain data,
 * complete (a template refuses a missing value, so what may be absent is null).
 */

import type { TlsStage } from "./tls";

/** A server behind a balanced endpoint. */
export interface HaproxyServer {
  /** Key of the node; the server's name in status and metrics. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Name that its certificate must be valid for, null where it is spoken to without TLS. */
  readonly tlsName: string | null;
  /** Port of the active check where it is not the server's own; else null. */
  readonly checkPort: number | null;
  /** Name that the certificate at that port must be valid for, null where it is as the server's own. */
  readonly checkTlsName: string | null;
}

/** Servers that are reached in the same way: a backend of HAProxy. */
export interface HaproxyPool {
  /** Name of the backend. */
  readonly name: string;
  readonly servers: readonly HaproxyServer[];
  /** Those that are asked without a check while none of `servers` passes its own. */
  readonly unchecked: readonly HaproxyServer[];
  /** Whether one of them is reached over TLS. */
  readonly tls: boolean;
}

/** A balanced endpoint: a frontend on a virtual address and the backend of its servers. */
export interface HaproxyService {
  /** Name of the endpoint; of its first backend too. */
  readonly name: string;
  /** True: HTTP requests are balanced. False: TCP connections. */
  readonly http: boolean;
  /** True: clients are strangers. Their forwarding headers are replaced, not believed. */
  readonly edge: boolean;
  readonly binds: readonly {
    readonly address: string;
    readonly port: number;
    /** Where TLS ends here: certificate and key in one file, and protocols for ALPN. */
    readonly tls: { readonly certificate: string; readonly protocols: string } | null;
  }[];
  /** Port of TLS that requests without it are sent to, as a URL has it: empty or `:8443`. Null: none. */
  readonly redirectPort: { readonly suffix: string } | null;
  /** Active check: 2xx means in service, 404 means finish what you have, all else out. */
  readonly checkPath: string;
  /** Service whose servers take the connections while none of this one's is UP; else null. */
  readonly fallback: string | null;
  /** True: sessions to a server that leaves service are cut at once. */
  readonly cutSessionsWhenDown: boolean;
  /** The first one is named as the endpoint and takes what no rule sends elsewhere. */
  readonly pools: readonly HaproxyPool[];
  /** Where the servers are reached with TLS or without: the other pools. Else null. */
  readonly choice: {
    /** The same servers without TLS. */
    readonly plain: string;
    /** Both, without a check; null where there is only one server to ask. */
    readonly unchecked: string | null;
  } | null;
}

/** `configs/haproxy/haproxy.cfg.hbs` */
export interface HaproxyView {
  /** Key of the load balancer node. */
  readonly node: string;
  /** Address of its machine. */
  readonly address: string;
  /** Port of `/stats` and `/metrics` on the machine's own address. */
  readonly statusPort: number;
  /** Certificate and key in one file where these are reached over TLS alone, else null. */
  readonly statusCertificate: string | null;
  /** Connections of clients. */
  readonly maxConnections: number;
  /** Connections of clients and of tiers to endpoints. */
  readonly totalConnections: number;
  /** Connections of one client address. */
  readonly connectionsPerClient: number;
  /** Requests of one client address in `clientWindowSeconds`. */
  readonly requestsPerClient: number;
  readonly clientWindowSeconds: number;
  /** Largest header of a client's request in bytes, all fields together. */
  readonly maxHeaderBytes: number;
  /** Seconds that browsers are told to use nothing but HTTPS; 0: not told. */
  readonly hstsSeconds: number;
  /** Largest announced request body in bytes. */
  readonly maxBodyBytes: number;
  readonly requestTimeoutSeconds: number;
  /** Seconds that an idle client connection is kept; less than `hardStopSeconds`. */
  readonly keepAliveSeconds: number;
  /** Seconds that an idle TCP-mode connection (a database session) is kept. */
  readonly sessionTimeoutSeconds: number;
  /** Seconds after the soft stop at which open connections are cut. */
  readonly hardStopSeconds: number;
  /** What to answer to whoever asks for the proof of a challenge of ACME, as a log format; null: pass it on. */
  readonly acmeAnswerFile: string | null;
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
  /** True: on `port` for its own machine alone. */
  readonly plainOnLoopback: boolean;
  /** Port for TLS, null where it has none. */
  readonly tlsPort: number | null;
  /** Port of nginx's own statistics (`/nginx_status`), on the loopback address only. */
  readonly statusPort: number;
  /** Addresses of the load balancers' machines: their forwarding headers are believed. */
  readonly trustedProxies: readonly string[];
  /** Where the application answers. */
  readonly app: {
    /** True: one virtual address, where a failed connection is worth a second attempt. */
    readonly balanced: boolean;
    /** Name that its certificate must be valid for, null where it is spoken to without TLS. */
    readonly tlsName: string | null;
    readonly servers: readonly { readonly address: string; readonly port: number }[];
  };
  readonly maxBodyBytes: number;
  readonly readTimeoutSeconds: number;
  /** Seconds that a stopping node may take for what is still open. */
  readonly shutdownTimeoutSeconds: number;
}

/** How a load balancer comes by the edge's certificate with ACME. */
export interface AcmeView {
  /** Address of the ACME server's directory. */
  readonly directory: string;
  readonly email: string;
  /** Names that the certificate is for, at least one. */
  readonly hostnames: readonly string[];
  /** Days before the end of a certificate from which it is renewed. */
  readonly renewBeforeDays: number;
  /** Port on which the pair gives each other the certificate. */
  readonly certificatePort: number;
  /** The other load balancer, null where there is one only. */
  readonly peer: { readonly node: string; readonly address: string } | null;
  readonly files: {
    /** What HAProxy shows; the supervisor writes it. */
    readonly shown: string;
    /** What is shown until there is a certificate of the authority's. */
    readonly placeholder: string;
    readonly accountKey: string;
    /** By which the directory is verified, null where the system's authorities do. */
    readonly directoryAuthority: string | null;
    /** Folder that outlives the node. */
    readonly kept: string;
    /** Folder in which an order may leave things, made anew for each. */
    readonly work: string;
    /** The node's own certificate, its key, and the authority of its peer's. */
    readonly tls: {
      readonly certificate: string;
      readonly key: string;
      readonly authority: string;
    };
  };
}

/** `/etc/holdfast/supervisor.json` of a load balancer node. */
export interface LoadBalancerSupervisorView {
  readonly role: "load-balancer";
  readonly node: string;
  readonly interface: string;
  readonly address: string;
  readonly peer: string | null;
  readonly heartbeatPort: number;
  /** Port of HAProxy's statistics. */
  readonly statusPort: number;
  /** Port on which the supervisor itself tells the node's state. */
  readonly supervisorPort: number;
  /** How others reach it there. */
  readonly tls: TlsStage;
  readonly virtualAddresses: readonly string[];
  /** Seconds between the hand-over and the soft stop: kept-alive clients are told to reconnect. */
  readonly closeSeconds: number;
  /** Seconds after the soft stop at which open connections are cut. */
  readonly hardStopSeconds: number;
  /** Null where the edge's certificate is a file of the node. */
  readonly acme: AcmeView | null;
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

/** `configs/mysql/mysqld.cnf.hbs` */
export interface MysqldView {
  readonly node: string;
  /** Address of its machine, in which the group knows the member. */
  readonly address: string;
  readonly port: number;
  /** Number that no other member has; also the binary logs' `server_id`. */
  readonly serverId: number;
  /** UUID of the group, the same for every member. */
  readonly groupName: string;
  /** `address:port` of every member. */
  readonly seeds: readonly string[];
  readonly maxConnections: number;
  readonly bufferPoolMegabytes: number;
  /** Seconds that binary logs are kept. */
  readonly binaryLogSeconds: number;
}

/** `/etc/holdfast/agent.json` of a MySQL node. */
export interface MysqlAgentView {
  readonly node: string;
  readonly address: string;
  /** Port of mysqld. */
  readonly port: number;
  /** Port of the agent's health checks, metrics and report to its peers. */
  readonly agentPort: number;
  /** How others reach it there. */
  readonly tls: TlsStage;
  readonly groupName: string;
  /** Every member, this one included, in the order of their keys. */
  readonly members: readonly { readonly node: string; readonly address: string }[];
  /** Transactions waiting to be applied from which a replica gets no more reads. */
  readonly maxApplyQueue: number;
  /** Seconds that a stopping member waits for sessions to end. */
  readonly drainSeconds: number;
}

/** An account of the database as the primary's agent keeps it. */
export interface MysqlAccount {
  readonly name: string;
  /** Passwords that are accepted: the current one, then the one before it, if any. */
  readonly passwords: readonly string[];
  /** What may stand after GRANT, such as "SELECT, INSERT ON `app`.*". */
  readonly grants: readonly string[];
}

/** `/etc/holdfast/accounts.json` of a MySQL node. Secret. */
export interface MysqlAccounts {
  /** Rises with every rotation; a primary does not take back what a newer member has. Default 0. */
  readonly generation: number;
  /** The application's database, created where it is missing. */
  readonly database: string;
  /** Account with which members replicate and clone from each other. */
  readonly replication: MysqlAccount;
  readonly accounts: readonly MysqlAccount[];
}

/** `configs/redis/redis.conf.hbs` */
export interface RedisView {
  readonly node: string;
  readonly address: string;
  readonly port: number;
  readonly maxMemoryMegabytes: number;
}

/** `configs/redis/sentinel.conf.hbs` */
export interface SentinelView {
  readonly node: string;
  readonly address: string;
  readonly port: number;
  /** Name of the master that Sentinel watches. */
  readonly masterName: string;
  /** The master of the very first start. */
  readonly firstMaster: { readonly address: string; readonly port: number };
  readonly quorum: number;
}

/** `/etc/holdfast/agent.json` of a Redis node. */
export interface RedisAgentView {
  readonly node: string;
  readonly address: string;
  readonly port: number;
  readonly sentinelPort: number;
  /** Port of health and metrics. */
  readonly agentPort: number;
  /** How others reach it there. */
  readonly tls: TlsStage;
  readonly masterName: string;
  readonly quorum: number;
  /** Every member, this one included, in the order of their keys; the first is master at the very first start. */
  readonly members: readonly { readonly node: string; readonly address: string }[];
  /** Seconds that a stopping master may take to hand over. */
  readonly drainSeconds: number;
}

/** `/etc/holdfast/agent.json` of the backup node. */
export interface BackupAgentView {
  readonly node: string;
  readonly address: string;
  /** Port of health and metrics. */
  readonly agentPort: number;
  /** How others reach it there. */
  readonly tls: TlsStage;
  /** The application's database. */
  readonly database: string;
  /** Endpoint of the primary: binary logs, and what a restore writes. */
  readonly primary: { readonly host: string; readonly port: number };
  /** Endpoint of the replicas: full backups. */
  readonly replicas: { readonly host: string; readonly port: number };
  /** Number by which database servers tell its reader from their replicas. */
  readonly serverId: number;
  /** Where the stack's backups are, as restic names it; its repositories are below. */
  readonly store: string;
  /** Authority of the store's certificate, null where the system's are good. */
  readonly storeAuthority: string | null;
  /** When full backups are taken, as cron writes it, in UTC. */
  readonly schedule: string;
  readonly retentionDays: number;
}

/** `/etc/holdfast/secrets.json` of the backup node. Secret. */
export interface BackupSecrets {
  /** Password of the database account that reads. */
  readonly backup: string;
  /** Password of the database account that a restore uses. */
  readonly restore: string;
  readonly store: {
    /** Key of the encryption. Without it the backups are lost. */
    readonly password: string;
    /** Environment of restic, with what opens the store. */
    readonly environment: Readonly<Record<string, string>>;
  };
}

/** `configs/prometheus/prometheus.yml.hbs` */
export interface PrometheusView {
  readonly node: string;
  /** Name of the stack, a label of every alert. */
  readonly stack: string;
  readonly scrapeIntervalSeconds: number;
  /** Seconds between two evaluations of the rules, and between two probes. */
  readonly slotSeconds: number;
  /** `address:port` of every Alertmanager. */
  readonly alertmanagers: readonly string[];
  /** Authority of the certificates of the Alertmanagers and those who probe, null where they have none. */
  readonly monitorsAuthority: string | null;
  readonly jobs: readonly {
    readonly job: string;
    readonly path: string;
    /** Authority of the targets' certificates, null where they are asked without TLS. */
    readonly authorityFile: string | null;
    readonly targets: readonly {
      readonly target: string;
      readonly tier: string;
      readonly node: string;
      readonly machine: string;
      /** Parameter `target` of the question, null where it needs none. */
      readonly about: string | null;
    }[];
  }[];
  readonly probes: readonly {
    /** `address:port` of the exporter that probes. */
    readonly prober: string;
    /** Key of its node. */
    readonly monitor: string;
    readonly url: string;
  }[];
}

/** `configs/blackbox/blackbox.yml.hbs` */
export interface BlackboxView {
  readonly node: string;
  readonly timeoutSeconds: number;
  /** Authority of the edge's certificate, null where it is one whom every system trusts. */
  readonly authorityFile: string | null;
  /** Name that the certificate must be valid for, null where it is the address. */
  readonly serverName: string | null;
}

/** `configs/grafana/grafana.ini.hbs` */
export interface GrafanaView {
  readonly node: string;
  readonly address: string;
  readonly port: number;
  /** Its own address, as browsers have it: `https://10.77.0.61:3000/`. */
  readonly url: string;
  /** File of the dashboard that is shown first. */
  readonly homeDashboard: string;
}

/** `configs/grafana/datasources.yml.hbs` */
export interface GrafanaDataSourceView {
  readonly uid: string;
  readonly type: string;
  readonly url: string;
  /** Authority of its certificate, as Grafana reads it, null where it is asked without TLS. */
  readonly authority: string | null;
  readonly scrapeIntervalSeconds: number;
}

/** `configs/grafana/dashboards.yml.hbs` */
export interface GrafanaDashboardsView {
  /** Folder with the dashboards' files. */
  readonly folder: string;
}

/** `/etc/holdfast/agent.json` of a monitoring node. */
export interface MonitoringAgentView {
  readonly node: string;
  readonly address: string;
  /** Port of health and metrics. */
  readonly agentPort: number;
  /** How others reach it there. */
  readonly tls: TlsStage;
  /** Queries answered out of what all Prometheus have recorded. */
  readonly reader: {
    readonly port: number;
    /** Addresses of them, such as `https://10.77.0.61:9090`, the node's own first. */
    readonly monitors: readonly string[];
  };
  /** In the order in which they are stopped. */
  readonly programs: readonly {
    readonly name: string;
    /** Program and arguments. */
    readonly command: readonly string[];
    /** Answers 200 when it is ready. */
    readonly readyUrl: string;
  }[];
}
