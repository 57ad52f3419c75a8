import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { machineMaintained } from "../faults/machineMaintained";
import { programDead } from "../faults/programDead";
import { together } from "../faults/together";
import { AlertLab, type LiveCase } from "../support/alertLab";
import { toldBy } from "../support/mails";
import { eventually } from "../support/measure";
import { machineOf } from "../support/monitoredStack";
import { besideEachOther, oneAfterTheOther, settings } from "./alerts/cases";

const lab = new AlertLab("alerts", "10.91.0.0/24", settings);

/** Seconds of silence after which whoever listens for the dead man's switch knows that it is dead. */
const deadAfterSeconds = 75;

const prove = (live: LiveCase) => lab.prove(live);

describe("a live stack on which every alert is caused", () => {
  beforeAll(async () => {
    await lab.up();
    // While it came up there was a lot to tell.
    await lab.allQuiet(600);
  }, 1_800_000);

  afterAll(async () => {
    console.log(`figures written to ${lab.figures.write()}`);
    await lab.down();
  });

  describe.concurrent("at the same time", () => {
    it.each(besideEachOther)("$alert", prove);
  });

  describe("one after the other", () => {
    it.each(oneAfterTheOther)("$alert", prove);

    it("DeployRunning silences what says that a node is missing, and is told to nobody", async () => {
      await lab.inTurn(new Set(["DeployRunning", "NodeOutOfService"]), async () => {
        await lab.allQuiet(300);
        const begun = Date.now();
        await lab.whileBroken(machineMaintained("vm-web-b", 55), async () => {
          for (const alert of ["DeployRunning", "NodeOutOfService"]) {
            await eventually(`${alert} fires`, 75, () =>
              Promise.resolve(lab.watch.was("firing", alert, begun)),
            );
          }
        });
        await lab.allQuiet(300);
        const { sink, mails } = lab.monitored;
        const pages = sink.since(begun).filter(({ path }) => path !== "/alive");
        expect(pages.filter(({ status }) => status === "firing")).toEqual([]);
        const told = mails.mails.filter(({ at }) => at >= begun).map(toldBy);
        expect(told.filter((mail) => mail?.status === "firing")).toEqual([]);
      });
    });

    it("Watchdog falls silent when no Alertmanager is left, and is heard again", async () => {
      const expected = ["AlertmanagerDown", "TargetDown", "Watchdog"];
      await lab.inTurn(new Set(expected), async () => {
        await lab.allQuiet(300);
        const { sink } = lab.monitored;
        const pings = (since: number) => sink.since(since).filter(({ path }) => path === "/alive");
        const heard = async (what: string, since: number) => {
          await eventually(what, 60, () => Promise.resolve(pings(since).length > 0));
          return pings(since)[0]?.at ?? NaN;
        };
        const first = await heard("the dead man's switch is heard", Date.now());
        const second = await heard("and once more", first + 1);
        lab.figures.record("dead man's switch: heard every", (second - first) / 1000, "s");
        const dead = together(
          "no Alertmanager left",
          ...["monitor-a", "monitor-b"].map((node) =>
            programDead(node, machineOf(node), "prometheus-alertmanager"),
          ),
        );
        const healing = await lab.whileBroken(dead, async () => {
          const silent = Date.now();
          await sleep(deadAfterSeconds * 1000);
          expect(pings(silent + 1000), "pings while nobody could send one").toEqual([]);
          expect(second - first).toBeLessThan(deadAfterSeconds * 1000);
        });
        const again = await heard("the dead man's switch is heard again", healing);
        lab.figures.record("dead man's switch: heard again after", (again - healing) / 1000, "s");
        await lab.allQuiet(300);
      });
    });
  });
});
