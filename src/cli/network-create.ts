import type { NetworkPlan } from "../network/make.ts";
import { DEFAULT_MTU, LINK_NAME, NETWORK_NAME } from "../network/record.ts";
import type { Parsed } from "./command.ts";
import { UsageError } from "./errors.ts";
import { splitLabel } from "./labels.ts";

/** Docker's options of a bridge network, and what we call them ourselves. */
const OPTIONS = {
  "com.docker.network.bridge.name": "bridge",
  "com.docker.network.bridge.enable_icc": "connected",
  "com.docker.network.bridge.enable_ip_masquerade": "masquerade",
  "com.docker.network.driver.mtu": "mtu",
  mtu: "mtu",
} as const;

/** RFC 8200, section 5. */
const LEAST_MTU_6 = 1280;

/** What `network create` is asked for. Throws UsageError. */
export function readNetworkPlan(input: Parsed): NetworkPlan {
  const [name = ""] = input.args;
  if (!NETWORK_NAME.test(name))
    throw new UsageError(`invalid network name (${name}): only [a-zA-Z0-9][a-zA-Z0-9_.-]* are allowed`);
  const driver = input.text("driver") || "bridge";
  if (driver !== "bridge")
    throw new UsageError(`cannot make a network with driver ${driver}: there is bridge only`);
  const options = Object.fromEntries(input.list("opt").map(splitLabel));
  const read = readOptions(options);
  if (input.bool("ipv6") && read.mtu < LEAST_MTU_6)
    throw new UsageError(`invalid mtu ${read.mtu}: IPv6 needs ${LEAST_MTU_6} at least`);
  return {
    name,
    subnets: lists(input, "subnet"),
    gateways: lists(input, "gateway"),
    ranges: lists(input, "ip-range"),
    reserved: Object.fromEntries(lists(input, "aux-address").map(splitReserved)),
    internal: input.bool("internal"),
    ipv6: input.bool("ipv6"),
    labels: Object.fromEntries(input.list("label").map(splitLabel)),
    options,
    ...read,
  };
}

function lists(input: Parsed, name: string): string[] {
  return input.list(name).flatMap((text) => text.split(",").filter((part) => part !== ""));
}

function splitReserved(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`invalid auxiliary address ${text}: it is NAME=ADDRESS`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function readOptions(
  options: Readonly<Record<string, string>>,
): Pick<NetworkPlan, "bridge" | "connected" | "masquerade" | "mtu"> {
  const known: { bridge?: string; connected: boolean; masquerade: boolean; mtu: number } = {
    connected: true,
    masquerade: true,
    mtu: DEFAULT_MTU,
  };
  for (const [key, value] of Object.entries(options)) {
    const what = Object.hasOwn(OPTIONS, key) ? OPTIONS[key as keyof typeof OPTIONS] : undefined;
    if (what === "bridge") known.bridge = toLinkName(value);
    else if (what === "mtu") known.mtu = toMtu(value);
    else if (what !== undefined) known[what] = toBoolean(key, value);
    else throw new UsageError(`unknown option ${key}: there are ${Object.keys(OPTIONS).join(", ")}`);
  }
  return known;
}

function toLinkName(text: string): string {
  if (LINK_NAME.test(text)) return text;
  throw new UsageError(`invalid name of a bridge '${text}': it has up to 15 of [a-zA-Z0-9_.-]`);
}

function toMtu(text: string): number {
  const mtu = Number(text);
  if (/^[0-9]+$/.test(text) && mtu >= 68 && mtu <= 65535) return mtu;
  throw new UsageError(`invalid mtu '${text}': it is a number from 68 to 65535`);
}

function toBoolean(key: string, text: string): boolean {
  if (/^(true|1|t)$/i.test(text)) return true;
  if (/^(false|0|f)$/i.test(text)) return false;
  throw new UsageError(`invalid value '${text}' of option ${key}: it is true or false`);
}
