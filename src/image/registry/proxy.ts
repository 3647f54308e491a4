import { isIP } from "node:net";
import { EngineError } from "../../linux/errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a URL by HTTP_PROXY, HTTPS_PROXY and NO_PROXY (or in small letters), as Go's programs read them, Docker's
 * among them: loopback goes directly; NO_PROXY has names (with all below them), `.name` (only what is below), addresses,
 * CIDR blocks, each with a port where only that one is meant, or `*`. Undefined: directly. EngineError for a kind of proxy
 * that cannot be used.
 */
export function proxyFor(url: URL, env: Environment): string | undefined {
  const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const given = env[name] || env[name.toLowerCase()];
  if (!given || isDirect(url, env.NO_PROXY || env.no_proxy || "")) return undefined;
  const whole = given.includes("://") ? given : `http://${given}`;
  if (!URL.canParse(whole) || !/^https?:/.test(whole))
    throw new EngineError(`cannot use ${name}: only http:// and https:// proxies are known`);
  return whole;
}

function isDirect(url: URL, list: string): boolean {
  const host = bareHost(url.hostname);
  if (isLoopback(host)) return true;
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return list
    .split(/[,\s]+/)
    .filter((entry) => entry !== "")
    .some((entry) => entry === "*" || covers(entry.toLowerCase(), host, port));
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry.includes("/")) return inBlock(host, entry);
  if (isIP(entry) !== 0) return host === bareHost(entry);
  const [, name = "", only] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry) ?? [];
  if (only !== undefined && only !== port) return false;
  const below = name.replace(/^\*(?=\.)/, "");
  if (below.startsWith(".")) return host.endsWith(below);
  return host === below || (isIP(host) === 0 && host.endsWith(`.${below}`));
}

function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "").toLowerCase();
}

/** Whether a host (no port, no brackets) is this machine: 127.0.0.0/8, ::1, localhost. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Whether an address lies in a CIDR block; false for names. */
function inBlock(host: string, block: string): boolean {
  const [network = "", length = ""] = block.split("/");
  const family = isIP(host);
  const bits = Number(length);
  if (family === 0 || isIP(network) !== family || !/^\d+$/.test(length)) return false;
  if (bits > (family === 4 ? 32 : 128)) return false;
  const total = BigInt(family === 4 ? 32 : 128);
  const shift = total - BigInt(bits);
  return addressBits(host) >> shift === addressBits(network) >> shift;
}

function addressBits(address: string): bigint {
  if (isIP(address) === 4) return address.split(".").reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
  // an IPv4 tail counts as two groups
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (tail) {
    const four = addressBits(tail[2] ?? "");
    return addressBits(`${tail[1]}${(four >> 16n).toString(16)}:${(four & 0xffffn).toString(16)}`);
  }
  const [before = "", after] = address.split("::");
  const head = before === "" ? [] : before.split(":");
  const rest = after === undefined || after === "" ? [] : after.split(":");
  const zeros = Array<string>(8 - head.length - rest.length).fill("0");
  return [...head, ...zeros, ...rest].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}
