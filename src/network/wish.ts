/** Which networks a container is to be in, as its command line has it. */
export interface NetworkWish {
  /** `networks`: a namespace of its own that is attached to the endpoints. */
  readonly mode: "none" | "host" | "container" | "networks";
  /** Whose network namespace is shared, by name or id, where the mode is `container`. */
  readonly container?: string;
  /** Empty unless the mode is `networks`. */
  readonly endpoints: readonly EndpointWish[];
}

/** A container's place in a network; what is not given is chosen. Addresses are in their shortest form. */
export interface EndpointWish {
  readonly network: string;
  readonly ip?: string;
  readonly ip6?: string;
  readonly mac?: string;
  readonly aliases?: readonly string[];
}

/** The transports that a port can be of. */
export type Protocol = "tcp" | "udp" | "sctp";

/** One port of a container that is to be reached through the host (`-p`). */
export interface PortWish {
  /** The host's address, in its shortest form; empty for all of them. */
  readonly hostAddress: string;
  /** Zero for any free one. */
  readonly hostPort: number;
  /** The last of the range of which any free port will do; else the same as hostPort. */
  readonly hostPortEnd: number;
  readonly port: number;
  readonly protocol: Protocol;
}
