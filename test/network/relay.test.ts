import { describe, expect, test } from "bun:test";
import { publishedPorts } from "../../src/network/published.ts";
import { relayTarget } from "../../src/network/relay.ts";

const endpoint = (internal: boolean, ...addresses: string[]) => ({
  network: "n",
  networkId: "0".repeat(64),
  interface: "eth0",
  veth: "veth0",
  mac: "",
  internal,
  aliases: [],
  addresses: addresses.map((address) => ({ address, prefix: 16, gateway: "" })),
});
const attachment = (hosts: readonly string[], ...endpoints: ReturnType<typeof endpoint>[]) => ({
  container: "1",
  name: "n",
  hostname: "h",
  endpoints,
  ports: hosts.map((hostAddress) => ({ protocol: "tcp" as const, hostAddress, hostPort: 8080, port: 80 })),
});
const FOUR = "00000000000000000000ffffac1e0002";
const SIX = "fd000000000000000000000000000002";

describe("where the proxy takes those who come by ::1", () => {
  test("the address of IPv6 where the container has a port there, else of IPv4, and what there is", () => {
    const both = endpoint(false, "172.30.0.2", "fd00::2");
    const one = endpoint(false, "172.30.0.2");
    expect(relayTarget(attachment(["0.0.0.0"], both))).toBe(FOUR);
    expect(relayTarget(attachment(["0.0.0.0", "::"], both))).toBe(SIX);
    expect(relayTarget(attachment(["::1"], both))).toBe(SIX);
    expect(relayTarget(attachment(["::1"], one))).toBe(FOUR);
    expect(relayTarget(attachment(["::"], one, both))).toBe(SIX);
    expect(relayTarget(attachment(["0.0.0.0"], endpoint(false, "fd00::2")))).toBe(SIX);
  });

  test("none where no network leads to it", () => {
    expect(relayTarget(attachment(["::1"]))).toBe("");
    expect(relayTarget(attachment(["::1"], endpoint(true, "172.30.0.9")))).toBe("");
    expect(
      relayTarget(attachment(["::1"], endpoint(true, "172.30.0.9"), endpoint(false, "172.30.0.2"))),
    ).toBe(FOUR);
  });

  test("the firewall knows nothing of a port on ::1", () => {
    const both = endpoint(false, "172.30.0.2", "fd00::2");
    expect(publishedPorts(attachment(["::1"], both))).toEqual([]);
    expect(publishedPorts(attachment(["::", "0.0.0.0", "::1"], both))).toHaveLength(2);
  });
});
