/** A line for /etc/hosts (`--add-host`). */
export interface ExtraHost {
  readonly host: string;
  /** As it was written, but without brackets; or HOST_GATEWAY. */
  readonly address: string;
}

/** Stands for the host's address as the container sees it, which is known at the start only. */
export const HOST_GATEWAY = "host-gateway";

/** How names are to be looked up; an empty list leaves what the host has. */
export interface DnsWish {
  readonly servers: readonly string[];
  /** `.` alone: no domains at all. */
  readonly search: readonly string[];
  readonly options: readonly string[];
}
