import { mustRun, type Fault } from "./fault";

const settings = "/proc/sys/net/netfilter";
const remembered = "/run/holdfast-test-udp-timeout";
/** Share of the table that is filled. */
const share = 0.9;
/** Seconds that an entry stays: longer than the alert takes, so that one round of packets is enough. */
const stayingSeconds = 90;
/** A table larger than this would cost the computer too much memory: about 0.3 KiB an entry. */
const largestTable = 1_048_576;

/** Empty datagrams to many ports of the machine itself, each of which is a connection to the kernel. */
const send = [
  "socket(S, PF_INET, SOCK_DGRAM, 17) or die;",
  "for my $n (0 .. $ARGV[0] - 1) {",
  '  send(S, "", 0, sockaddr_in(1 + $n % 65000, inet_aton("127.9.0." . (1 + int($n / 65000)))));',
  "}",
].join(" ");

/**
 * A machine tracks nearly as many connections as it can. The limit belongs to the computer whose
 * kernel it is, and is left alone; the entries are the machine's, and end by themselves.
 */
export function connectionsTracked(machine: string): Fault {
  return {
    name: `${machine} tracks ${share * 100} % of the connections that it can`,
    inject: async (stack) => {
      const limit = Number(await mustRun(stack, machine, `cat ${settings}/nf_conntrack_max`));
      if (limit > largestTable) {
        throw new Error(`nf_conntrack_max: found ${limit}, allowed: at most ${largestTable}`);
      }
      const timeout = `${settings}/nf_conntrack_udp_timeout`;
      await mustRun(
        stack,
        machine,
        `cat ${timeout} >${remembered} && echo ${stayingSeconds} >${timeout} && perl -MSocket -e '${send}' ${Math.ceil(share * limit)}`,
        { timeoutSeconds: 120 },
      );
    },
    heal: async (stack) => {
      await mustRun(
        stack,
        machine,
        `cat ${remembered} >${settings}/nf_conntrack_udp_timeout && rm ${remembered}`,
      );
    },
  };
}
