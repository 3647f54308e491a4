import { isErrno } from "../linux/errno.ts";
import { readTextIfAny, unlinkIfAny, writeFileAtomic } from "../linux/file.ts";
import { listFolder, removeTree } from "../linux/folder.ts";
import { parseAddress } from "./address.ts";
import type { NetworkPaths } from "./record.ts";
import { writeRelay } from "./relay.ts";
import type { Protocol } from "./wish.ts";

/** A container's place in a network while it runs. */
export interface Endpoint {
  readonly network: string;
  readonly networkId: string;
  /** The link in the container, and the host's end of it. */
  readonly interface: string;
  readonly veth: string;
  readonly mac: string;
  /** It leads nowhere else, and no port leads to it. */
  readonly internal: boolean;
  readonly addresses: readonly EndpointAddress[];
  /** Names that were asked for in this network. */
  readonly aliases: readonly string[];
}

export interface EndpointAddress {
  readonly address: string;
  readonly prefix: number;
  readonly gateway: string;
}

/** A port of the host that leads to one of the container's. */
export interface BoundPort {
  readonly protocol: Protocol;
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly port: number;
}

/** How a container is connected: of this boot only, written before anything of it is made. */
export interface Attachment {
  readonly container: string;
  readonly name: string;
  readonly hostname: string;
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly BoundPort[];
}

/** The addresses of an endpoint by family. */
export function addressOf(endpoint: Endpoint, family: 4 | 6): EndpointAddress | undefined {
  return endpoint.addresses.find(({ address }) => address.includes(":") === (family === 6));
}

/** How a container is connected; undefined where it is not, or was only being so, or what says it is damaged. */
export function readAttachment(paths: NetworkPaths, container: string): Attachment | undefined {
  try {
    const text = readTextIfAny(paths.attachment(container));
    const read: unknown = text === undefined ? undefined : JSON.parse(text);
    return isAttachment(read) && read.container === container ? read : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isErrno(error, "EISDIR", "ENOTDIR")) return undefined;
    throw error;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

/** Whether it is one as we write them: what is read of it goes into paths, and to the kernel. */
function isAttachment(value: unknown): value is Attachment {
  if (!isObject(value)) return false;
  const { container, name, hostname, endpoints, ports } = value;
  return (
    [container, name, hostname].every((one) => typeof one === "string") &&
    Array.isArray(endpoints) &&
    endpoints.every(isEndpoint) &&
    Array.isArray(ports) &&
    ports.every(isPort)
  );
}

function isEndpoint(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { network, networkId, interface: name, veth, mac, addresses, aliases } = value;
  return (
    [network, mac].every((one) => typeof one === "string") &&
    [name, veth].every((one) => typeof one === "string" && /^(eth|veth)[0-9a-z]{1,11}$/.test(one)) &&
    typeof networkId === "string" &&
    /^[0-9a-f]{64}$/.test(networkId) &&
    Array.isArray(addresses) &&
    addresses.every(isAddress) &&
    Array.isArray(aliases)
  );
}

function isAddress(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { address, gateway, prefix } = value;
  return (
    [address, gateway].every((one) => typeof one === "string" && parseAddress(one)) &&
    typeof prefix === "number"
  );
}

function isPort(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { protocol, hostAddress, hostPort, port } = value;
  return (
    ["tcp", "udp", "sctp"].includes(String(protocol)) &&
    typeof hostAddress === "string" &&
    typeof hostPort === "number" &&
    typeof port === "number"
  );
}

/** How every container is connected. */
export function listAttachments(paths: NetworkPaths): Attachment[] {
  const found: Attachment[] = [];
  for (const { name } of listFolder(paths.attachments)) {
    const attachment = name.startsWith(".") ? undefined : readAttachment(paths, name);
    if (attachment) found.push(attachment);
  }
  return found;
}

/** Also where those are taken from now on that come by ::1. */
export function writeAttachment(paths: NetworkPaths, attachment: Attachment): void {
  writeRelay(paths, attachment);
  writeFileAtomic(paths.attachment(attachment.container), JSON.stringify(attachment), false);
}

export function forgetAttachment(paths: NetworkPaths, container: string): void {
  unlinkIfAny(paths.relay(container));
  // whatever is there in its place
  removeTree(paths.attachment(container));
}
