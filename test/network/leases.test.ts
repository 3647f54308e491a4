import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { type LeaseRequest, leaseAddress, listLeases, releaseLease } from "../../src/network/leases.ts";
import { NetworkPaths, type NetworkRecord, type Pool } from "../../src/network/record.ts";

const FOLDER = `/tmp/mydocker-leases-${process.pid}`;
let counter = 0;
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

function place(pool: Pool): {
  paths: NetworkPaths;
  network: NetworkRecord;
  lease: (more?: Partial<LeaseRequest>) => string;
} {
  const paths = new NetworkPaths(`${FOLDER}/root`, `${FOLDER}/${counter++}`);
  mkdirSync(paths.now, { recursive: true });
  const network: NetworkRecord = {
    id: "ab".repeat(32),
    name: "net",
    created: "",
    bridge: "br",
    pools: [pool],
    internal: false,
    mtu: 1500,
    masquerade: true,
    connected: true,
    labels: {},
    options: {},
  };
  const lease = (more: Partial<LeaseRequest> = {}): string =>
    leaseAddress(paths, network, pool, { container: "1", reclaim: () => false, ...more });
  return { paths, network, lease };
}

describe("addresses of a network", () => {
  test("one after the other, and one that was given back not at once", () => {
    const { paths, network, lease } = place({ subnet: "10.0.0.0/29", gateway: "10.0.0.1" });
    expect([lease(), lease(), lease()]).toEqual(["10.0.0.2", "10.0.0.3", "10.0.0.4"]);
    releaseLease(paths, network, { address: "10.0.0.2", container: "1" });
    expect([lease(), lease(), lease()]).toEqual(["10.0.0.5", "10.0.0.6", "10.0.0.2"]);
    expect(() => lease()).toThrow(/no available IPv4 addresses/);
    expect(listLeases(paths, network)).toHaveLength(5);
  });

  test("somebody else's is not given back", () => {
    const { paths, network, lease } = place({ subnet: "10.0.0.0/29", gateway: "10.0.0.1" });
    lease({ container: "2" });
    releaseLease(paths, network, { address: "10.0.0.2", container: "1" });
    expect(listLeases(paths, network)).toEqual([{ address: "10.0.0.2", container: "2" }]);
  });

  test("of a range, without what is set aside", () => {
    const { lease } = place({
      subnet: "10.0.0.0/24",
      gateway: "10.0.0.8",
      ipRange: "10.0.0.8/30",
      reserved: { router: "10.0.0.10" },
    });
    expect([lease(), lease()]).toEqual(["10.0.0.9", "10.0.0.11"]);
    expect(() => lease()).toThrow(/no available/);
    expect(lease({ wanted: "10.0.0.200" })).toBe("10.0.0.200");
  });

  test("a wanted one, where it can be had", () => {
    const { lease } = place({ subnet: "10.0.0.0/24", gateway: "10.0.0.1" });
    expect(lease({ wanted: "10.0.0.77", container: "7" })).toBe("10.0.0.77");
    expect(lease({ wanted: "10.0.0.77", container: "7" })).toBe("10.0.0.77");
    expect(() => lease({ wanted: "10.0.0.77" })).toThrow(/Address already in use/);
    for (const wanted of ["10.0.0.0", "10.0.0.255", "10.0.0.1"])
      expect(() => lease({ wanted })).toThrow(/needs it for itself/);
    for (const wanted of ["10.0.1.1", "fd00::1", "../../x"])
      expect(() => lease({ wanted })).toThrow(/does not belong/i);
  });

  test("what is left of one that is gone is taken back when nothing else is free, or that very one is wanted", () => {
    const { paths, network, lease } = place({ subnet: "10.0.0.0/30", gateway: "10.0.0.1" });
    const free = (container: string): boolean => {
      for (const one of listLeases(paths, network))
        if (one.container === container) releaseLease(paths, network, one);
      return true;
    };
    lease({ container: "dead" });
    expect(lease({ reclaim: free })).toBe("10.0.0.2");
    expect(lease({ container: "2", wanted: "10.0.0.2", reclaim: free })).toBe("10.0.0.2");
  });

  test("IPv6, from a range of any size", () => {
    const { lease } = place({ subnet: "fd00::/64", gateway: "fd00::1" });
    expect([lease(), lease()]).toEqual(["fd00::2", "fd00::3"]);
  });

  test("a folder with nonsense in it", () => {
    const { paths, network, lease } = place({ subnet: "10.0.0.0/29", gateway: "10.0.0.1" });
    mkdirSync(`${paths.leases(network)}/10.0.0.2`, { recursive: true });
    symlinkSync("nonsense", `${paths.leases(network)}/.last`);
    expect(lease()).toBe("10.0.0.3");
  });
});
