import { labelsOf, lb, mysql, on, redis, up } from "./alertSeries";
import { held, sequence, type AlertCase } from "./promtool";

/** Alerts of the tiers. */
export const tierAlertCases: readonly AlertCase[] = [
  {
    alert: "BackupTooOld",
    timeScale: 3600,
    // Daily ones: a day and a half is 36 s at this scale.
    fires: {
      series: {
        [`holdfast_backup_last_full_timestamp_seconds{${on("backup-a", "backup")}}`]: held(0, 120),
        [`holdfast_backup_behind_seconds{${on("backup-a", "backup")}}`]: held(20, 120),
      },
      at: 75,
      labels: labelsOf("backup-a", "backup"),
    },
    // The first full one is still being taken.
    silent: {
      series: {
        [`holdfast_backup_behind_seconds{${on("backup-a", "backup")}}`]: held(20, 120),
        [`holdfast_backup_failing{${on("backup-a", "backup")}}`]: held(0, 120),
      },
      at: 110,
    },
  },
  {
    alert: "LoadBalancerWithoutStandby",
    fires: {
      series: {
        [up("lb-status", lb("a"))]: held(1, 120),
        [up("lb-status", lb("b"))]: held(0, 120),
        [`holdfast_lb_vrrp_state{state="master",${lb("a")}}`]: held(1, 120),
        [`holdfast_lb_vrrp_state{state="backup",${lb("a")}}`]: held(0, 120),
      },
      at: 60,
      labels: labelsOf("lb-b", "loadBalancer"),
    },
    silent: {
      series: {
        [up("lb-status", lb("a"))]: held(1, 120),
        [`holdfast_lb_vrrp_state{state="master",${lb("a")}}`]: held(0, 120),
        [`holdfast_lb_vrrp_state{state="backup",${lb("a")}}`]: held(1, 120),
        [`holdfast_lb_vrrp_state{state="fault",${lb("a")}}`]: held(0, 120),
      },
      at: 60,
    },
  },
  {
    alert: "LoadBalancerTwoMasters",
    fires: {
      series: {
        [`holdfast_lb_vrrp_state{state="master",${lb("a")}}`]: held(1, 120),
        [`holdfast_lb_vrrp_state{state="master",${lb("b")}}`]: held(1, 120),
      },
      at: 60,
      labels: { tier: "loadBalancer" },
    },
    // They change places: both for one look.
    silent: {
      series: {
        [`holdfast_lb_vrrp_state{state="master",${lb("a")}}`]: held(1, 120),
        [`holdfast_lb_vrrp_state{state="master",${lb("b")}}`]: sequence(
          held(0, 60),
          held(1, 5),
          held(0, 60),
        ),
      },
      at: [60, 65, 70, 75],
    },
  },
  {
    alert: "EdgeCertificateMissing",
    fires: {
      series: {
        [`holdfast_acme_certificate{${lb("a")}}`]: held(0, 120),
        [`holdfast_acme_certificate{${lb("b")}}`]: held(1, 120),
        [`holdfast_lb_vrrp_state{state="master",${lb("a")}}`]: held(1, 120),
        [`holdfast_lb_vrrp_state{state="master",${lb("b")}}`]: held(0, 120),
      },
      at: 90,
      labels: { tier: "loadBalancer" },
    },
    // The one without it stands by.
    silent: {
      series: {
        [`holdfast_acme_certificate{${lb("a")}}`]: held(0, 120),
        [`holdfast_acme_certificate{${lb("b")}}`]: held(1, 120),
        [`holdfast_lb_vrrp_state{state="master",${lb("a")}}`]: held(0, 120),
        [`holdfast_lb_vrrp_state{state="master",${lb("b")}}`]: held(1, 120),
      },
      at: 110,
    },
  },
  {
    alert: "MysqlNoPrimary",
    // One dead, one a replica, one that has no majority.
    fires: {
      series: {
        [up("mysql-agent", mysql("a"))]: held(0, 120),
        [up("mysql-agent", mysql("b"))]: held(1, 120),
        [`holdfast_mysql_serving{endpoint="primary",${mysql("b")}}`]: held(0, 120),
        [`holdfast_mysql_serving{endpoint="replica",${mysql("b")}}`]: held(1, 120),
      },
      at: 60,
      labels: { tier: "mysqlCluster" },
    },
    // A fail-over.
    silent: {
      series: {
        [up("mysql-agent", mysql("a"))]: sequence(held(1, 60), held(0, 60)),
        [up("mysql-agent", mysql("b"))]: held(1, 120),
        [`holdfast_mysql_serving{endpoint="primary",${mysql("a")}}`]: sequence(
          held(1, 60),
          "stale",
        ),
        [`holdfast_mysql_serving{endpoint="primary",${mysql("b")}}`]: sequence(
          held(0, 70),
          held(1, 50),
        ),
      },
      at: [60, 65, 70, 75, 80, 110],
    },
  },
  {
    alert: "MysqlMemberMissing",
    fires: {
      series: {
        [up("mysql-agent", mysql("a"))]: held(1, 120),
        [up("mysql-agent", mysql("b"))]: held(1, 120),
        [`holdfast_mysql_member_state{state="ONLINE",${mysql("a")}}`]: held(1, 120),
        [`holdfast_mysql_member_state{state="ONLINE",${mysql("b")}}`]: held(0, 120),
        [`holdfast_mysql_quorum{${mysql("a")}}`]: held(1, 120),
        [`holdfast_mysql_quorum{${mysql("b")}}`]: held(0, 120),
      },
      at: 60,
      labels: labelsOf("mysql-b", "mysqlCluster"),
    },
    silent: {
      series: {
        [up("mysql-agent", mysql("a"))]: held(1, 120),
        [`holdfast_mysql_member_state{state="ONLINE",${mysql("a")}}`]: sequence(
          held(0, 25),
          held(1, 95),
        ),
        [`holdfast_mysql_member_state{state="RECOVERING",${mysql("a")}}`]: sequence(
          held(1, 25),
          held(0, 95),
        ),
        [`holdfast_mysql_quorum{${mysql("a")}}`]: held(1, 120),
      },
      at: [30, 35, 110],
    },
  },
  {
    alert: "MysqlMemberExpelled",
    fires: {
      series: {
        [`holdfast_mysql_expulsions_total{${mysql("c")}}`]: sequence(held(0, 60), held(1, 200)),
      },
      at: 120,
      labels: labelsOf("mysql-c", "mysqlCluster"),
    },
    // It was away for a minute, which has been told.
    silent: {
      series: {
        [up("mysql-agent", mysql("c"))]: sequence(held(1, 60), held(0, 60), held(1, 200)),
        [`holdfast_mysql_expulsions_total{${mysql("c")}}`]: sequence(
          held(0, 60),
          held("_", 60),
          held(1, 200),
        ),
      },
      at: [125, 200],
    },
  },
  {
    alert: "MysqlReplicationLagging",
    fires: {
      series: { [`holdfast_mysql_apply_queue{${mysql("b")}}`]: held(501, 120) },
      at: 60,
      labels: labelsOf("mysql-b", "mysqlCluster"),
    },
    silent: {
      series: { [`holdfast_mysql_apply_queue{${mysql("b")}}`]: held(500, 120) },
      at: 110,
    },
  },
  {
    alert: "RedisNoMaster",
    // One that keeps clients away is no master to them.
    fires: {
      series: {
        [up("redis-agent", redis("a"))]: held(1, 120),
        [up("redis-agent", redis("b"))]: held(0, 120),
        [`holdfast_redis_master{${redis("a")}}`]: held(1, 120),
        [`holdfast_redis_fenced{${redis("a")}}`]: held(1, 120),
      },
      at: 60,
      labels: { tier: "redisCache" },
    },
    silent: {
      series: {
        [up("redis-agent", redis("a"))]: held(1, 120),
        [up("redis-agent", redis("b"))]: held(1, 120),
        [`holdfast_redis_master{${redis("a")}}`]: held(1, 120),
        [`holdfast_redis_fenced{${redis("a")}}`]: held(0, 120),
        [`holdfast_redis_master{${redis("b")}}`]: held(1, 120),
        [`holdfast_redis_fenced{${redis("b")}}`]: held(1, 120),
      },
      at: 110,
    },
  },
];
