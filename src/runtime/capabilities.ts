/** capabilities(7): the names by number. */
const NAMES = [
  "CHOWN",
  "DAC_OVERRIDE",
  "DAC_READ_SEARCH",
  "FOWNER",
  "FSETID",
  "KILL",
  "SETGID",
  "SETUID",
  "SETPCAP",
  "LINUX_IMMUTABLE",
  "NET_BIND_SERVICE",
  "NET_BROADCAST",
  "NET_ADMIN",
  "NET_RAW",
  "IPC_LOCK",
  "IPC_OWNER",
  "SYS_MODULE",
  "SYS_RAWIO",
  "SYS_CHROOT",
  "SYS_PTRACE",
  "SYS_PACCT",
  "SYS_ADMIN",
  "SYS_BOOT",
  "SYS_NICE",
  "SYS_RESOURCE",
  "SYS_TIME",
  "SYS_TTY_CONFIG",
  "MKNOD",
  "LEASE",
  "AUDIT_WRITE",
  "AUDIT_CONTROL",
  "SETFCAP",
  "MAC_OVERRIDE",
  "MAC_ADMIN",
  "SYSLOG",
  "WAKE_ALARM",
  "BLOCK_SUSPEND",
  "AUDIT_READ",
  "PERFMON",
  "BPF",
  "CHECKPOINT_RESTORE",
] as const;

/** All that this program knows of, in the order of their numbers: `CAP_CHOWN` first. */
export const ALL_CAPABILITIES: readonly string[] = NAMES.map((name) => `CAP_${name}`);

/** `net_admin`, `CAP_NET_ADMIN` or `ALL` as we write it; undefined for what is no capability. */
export function normalizeCapability(text: string): string | undefined {
  const name = text.toUpperCase();
  if (name === "ALL" || name === "CAP_ALL") return "ALL";
  const full = name.startsWith("CAP_") ? name : `CAP_${name}`;
  return ALL_CAPABILITIES.includes(full) ? full : undefined;
}

/** What a container has unless it is told otherwise: Docker's list. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

/** A set of capability names (`CAP_KILL`) as the kernel's bit mask. Throws on a name that is none. */
export function capabilityMask(names: readonly string[]): bigint {
  let mask = 0n;
  for (const name of names) {
    const number = NAMES.indexOf(name.replace(/^CAP_/, "") as (typeof NAMES)[number]);
    if (number < 0) throw new TypeError(`unknown capability: ${name}`);
    mask |= 1n << BigInt(number);
  }
  return mask;
}
