import { formatAddress, parseAddress } from "../network/address.ts";
import type { PortWish, Protocol } from "../network/wish.ts";
import { UsageError } from "./errors.ts";

const SHAPE = "[IP:][HOST:]CONTAINER[/tcp|udp|sctp]";

/** `-p [ip:][host[-host]:]ctr[-ctr][/protocol]`, or Docker's `target=80,published=8080,…`. Throws UsageError. */
export function parsePublish(text: string): PortWish[] {
  if (text.includes("=")) return parseLong(text);
  const { body, protocol } = splitProtocol(text);
  return parseBody(body, protocol, text);
}

/** `[ip:][host[-host]:]ctr[-ctr]`. */
function parseBody(body: string, protocol: Protocol, text: string): PortWish[] {
  const { address, rest } = splitAddress(body, text);
  const colon = rest.indexOf(":");
  const host = colon < 0 ? "" : rest.slice(0, colon);
  const container = colon < 0 ? rest : rest.slice(colon + 1);
  if (container === "") throw new UsageError(`no port specified: ${text}: -p takes ${SHAPE}`);
  return pair(text, address, host, container, protocol);
}

/** The ports of both sides: ranges of one length, or any of a range for one port. */
function pair(
  text: string,
  hostAddress: string,
  host: string,
  container: string,
  protocol: Protocol,
): PortWish[] {
  const [first, last] = parseRange(container, "containerPort");
  const one = (hostPort: number, hostPortEnd: number, port: number): PortWish => ({
    hostAddress,
    hostPort,
    hostPortEnd,
    port,
    protocol,
  });
  const wishes: PortWish[] = [];
  if (host === "") {
    for (let port = first; port <= last; port++) wishes.push(one(0, 0, port));
    return wishes;
  }
  const [from, to] = parseRange(host, "hostPort");
  if (first === last) return [from === 0 ? one(0, 0, first) : one(from, to, first)];
  if (to - from !== last - first)
    throw new UsageError(
      `Invalid ranges specified for container and host Ports: ${container} and ${host}: ${text}`,
    );
  for (let port = first; port <= last; port++)
    wishes.push(one(from + port - first, from + port - first, port));
  return wishes;
}

function splitProtocol(text: string): { readonly body: string; readonly protocol: Protocol } {
  const slash = text.lastIndexOf("/");
  if (slash < 0) return { body: text, protocol: "tcp" };
  return { body: text.slice(0, slash), protocol: toProtocol(text.slice(slash + 1)) };
}

function toProtocol(text: string): Protocol {
  // as Docker: nothing behind the slash is nothing said
  const protocol = text.toLowerCase() || "tcp";
  if (protocol === "tcp" || protocol === "udp" || protocol === "sctp") return protocol;
  throw new UsageError(`Invalid proto: ${text}: it is tcp, udp or sctp`);
}

/** The host's address in front, IPv6 in brackets. */
function splitAddress(body: string, text: string): { readonly address: string; readonly rest: string } {
  const bracket = /^\[([^\]]*)\]:(.*)$/.exec(body);
  if (bracket) return { address: toAddress(bracket[1] ?? ""), rest: bracket[2] ?? "" };
  const parts = body.split(":");
  if (parts.length <= 2) return { address: "", rest: body };
  if (parts.length > 3)
    throw new UsageError(
      `Invalid containerPort: ${text}: an address of IPv6 stands in brackets, as in [::1]:8080:80`,
    );
  const [address = "", ...rest] = parts;
  return { address: address === "" ? "" : toAddress(address), rest: rest.join(":") };
}

function toAddress(text: string): string {
  const bytes = parseAddress(text);
  if (!bytes) throw new UsageError(`Invalid ip address: ${text}: -p takes ${SHAPE}`);
  // IPv4 in the clothes of IPv6
  return formatAddress(bytes).replace(/^::ffff:(?=.*\.)/, "");
}

function parseRange(text: string, what: "containerPort" | "hostPort"): [number, number] {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = match?.[2] === undefined ? first : Number(match[2]);
  const least = what === "hostPort" ? 0 : 1;
  if (!match || first < least || last > 65535 || last < first)
    throw new UsageError(`Invalid ${what}: ${text}: ports are from 1 to 65535, or a range of them`);
  return [first, last];
}

function parseLong(text: string): PortWish[] {
  const fields = new Map<string, string>();
  for (const field of text.split(",")) {
    const equals = field.indexOf("=");
    const key = field.slice(0, equals < 0 ? field.length : equals).trim();
    if (equals < 0 || !["target", "published", "protocol", "host_ip", "mode"].includes(key))
      throw new UsageError(
        `invalid field ${field} in -p ${text}: there are target, published, protocol, host_ip, mode`,
      );
    fields.set(key, field.slice(equals + 1).trim());
  }
  const target = fields.get("target");
  if (!target) throw new UsageError(`no port specified: ${text}: -p takes target=PORT or ${SHAPE}`);
  const address = fields.get("host_ip");
  const published = fields.get("published") ?? "";
  if (address && published.includes(":"))
    throw new UsageError(`conflicting options: -p ${text} has two addresses of the host: give one`);
  const protocol = toProtocol(fields.get("protocol") ?? "tcp");
  if (address) return pair(text, toAddress(address), published, target, protocol);
  // as Docker: what is published may have an address in front
  return parseBody(`${published}:${target}`, protocol, text);
}

/** `--expose 80`, `80-90/udp`: each as `PORT/PROTOCOL`. Throws UsageError. */
export function parseExpose(text: string): string[] {
  const { body, protocol } = splitProtocol(text);
  const [first, last] = parseRange(body, "containerPort");
  return Array.from({ length: last - first + 1 }, (_, n) => `${first + n}/${protocol}`);
}
