import { mustRun, type Fault } from "./fault";

const rules = "/etc/holdfast/rules.yml";
const before = "/etc/holdfast/rules.before";

/** Every series meets every other: what happens where one was expected and a job was added. */
const planted = `  - name: planted by a test
    interval: 5s
    rules:
      - record: holdfast_test:clash
        expr: up * on () up
`;

/** Prometheus is given a rule that it cannot evaluate. */
export function rulePlanted(node: string, machine: string): Fault {
  // From the machine: in the container nobody may send a signal to another user's process.
  const reload = `kill -HUP $(docker top ${node} -eo pid,comm | awk '$2 == "prometheus" {print $1}')`;
  const inside = (script: string) => `docker exec -i --user 0 ${node} sh -c '${script}'`;
  return {
    name: `a rule that fails planted on ${node}`,
    inject: async (stack) => {
      const add = inside(`cp ${rules} ${before} && chmod u+w ${rules} && cat >> ${rules}`);
      await mustRun(stack, machine, `${add} && ${reload}`, { input: planted });
    },
    heal: async (stack) => {
      const restore = inside(`cat ${before} > ${rules} && rm ${before} && chmod u-w ${rules}`);
      await mustRun(stack, machine, `${restore} && ${reload}`);
    },
  };
}
