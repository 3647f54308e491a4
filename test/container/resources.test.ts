import { describe, expect, test } from "bun:test";
import { resourcesOf } from "../../src/container/resources.ts";

describe("limits", () => {
  test("become the spec's resources; swap is once more the memory", () => {
    const resources = resourcesOf({ memory: 64, cpuShares: 512, cpuset: "0-1", nanoCpus: 1.5e9, pids: 10 });
    expect(resources).toMatchObject({
      memory: { limit: 64, swap: 128 },
      cpu: { shares: 512, quota: 150000, period: 100000, cpus: "0-1" },
      pids: { limit: 10 },
    });
  });

  test("what was not asked for is not there", () => {
    const { devices, ...rest } = resourcesOf({});
    expect(rest).toEqual({ cpu: {} });
    expect(devices?.[0]).toEqual({ allow: false, type: "a", access: "rwm" });
    expect(resourcesOf({ nanoCpus: 1e7 }).cpu?.quota).toBe(1000);
  });

  test("a limit of swap that was asked for; none, with no limit of memory", () => {
    expect(resourcesOf({ memory: 64, memorySwap: -1 }).memory).toEqual({ limit: 64, swap: -1 });
    expect(resourcesOf({ memoryReservation: 32 }).memory).toEqual({ reservation: 32 });
  });

  test("a quota and a period of one's own", () => {
    expect(resourcesOf({ cpuQuota: 5000, cpuPeriod: 10000 }).cpu).toEqual({ quota: 5000, period: 10000 });
    expect(resourcesOf({ cpuPeriod: 10000 }).cpu).toEqual({ period: 10000 });
  });
});
