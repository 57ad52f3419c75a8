import { describe, expect, it } from "vitest";
import { describeHost, type HostSample } from "../support/hostLoad";

const nothing = { waitingForDisk: 0, stolen: 0, cpuPressure: 0, ioPressure: 0 };
const noon = Date.UTC(2026, 0, 1, 12);
const samples: readonly HostSample[] = [
  { ...nothing, at: noon, idle: 0, all: 0 },
  { ...nothing, at: noon + 5000, idle: 10_000, all: 10_000 },
  {
    at: noon + 10_000,
    idle: 10_000,
    waitingForDisk: 6000,
    stolen: 1000,
    all: 20_000,
    cpuPressure: 2000,
    ioPressure: 4500,
  },
];

describe("how busy this computer was", () => {
  it("is told on average and at worst, with the time", () => {
    expect(describeHost(samples, 5)).toBe(
      "this computer, on average (most in 5 s): busy 20 % (40 % at 12:00:05), " +
        "idle for the disk 30 % (60 % at 12:00:05), stolen 5 % (10 % at 12:00:05), " +
        "tasks waiting for a processor 20 % (40 % at 12:00:05), for the disk 45 % (90 % at 12:00:05)",
    );
  });

  it("is not known from one sample", () => {
    expect(describeHost(samples.slice(1, 2), 5)).toBe("this computer was not watched");
  });
});
