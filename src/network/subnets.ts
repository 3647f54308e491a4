import { overlap, type Subnet, subnetOf } from "./address.ts";

/**
 * What a network can be given, in this order. Docker goes up from 172.17, so this goes down to it; 172.17 is docker0's,
 * 172.31 the first choice of AWS. The rest is for hosts on whose own networks all of 172.16.0.0/12 is.
 */
function* candidates(): Generator<Subnet> {
  for (let second = 30; second >= 18; second--) yield subnetOf(Uint8Array.of(172, second, 0, 0), 16);
  // 0 holds what routers at home have, 112 what libvirt has (192.168.122.0/24)
  for (let third = 208; third >= 16; third -= 16)
    if (third !== 112) yield subnetOf(Uint8Array.of(192, 168, third, 0), 20);
  for (let second = 201; second <= 250; second++) yield subnetOf(Uint8Array.of(10, second, 0, 0), 16);
}

/** A range for a new network that overlaps with none that is taken; undefined where there is no such any more. */
export function freeSubnet(taken: readonly Subnet[]): Subnet | undefined {
  for (const subnet of candidates()) if (isFree(subnet, taken)) return subnet;
  return undefined;
}

/** A few more than a host has networks under one prefix. */
const TRIES = 256;

/**
 * A range of the host's own (RFC 4193): fd, 40 bits of the at least 5 random bytes, and the first number of a subnet that
 * is free. Where none is (a route for all of fd00::/8), it is the first: nobody else has these 40 bits.
 */
export function freeSubnet6(taken: readonly Subnet[], random: Uint8Array): Subnet {
  const numbered = (number: number): Subnet => {
    const bytes = new Uint8Array(16);
    bytes[0] = 0xfd;
    bytes.set(random.subarray(0, 5), 1);
    bytes[7] = number;
    return { bytes, prefix: 64 };
  };
  for (let number = 0; number < TRIES; number++) {
    const subnet = numbered(number);
    if (isFree(subnet, taken)) return subnet;
  }
  return numbered(0);
}

function isFree(subnet: Subnet, taken: readonly Subnet[]): boolean {
  return !taken.some((one) => overlap(one, subnet));
}
