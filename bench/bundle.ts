import { mkdirSync, writeFileSync } from "node:fs";

const CAPABILITIES = [
  ...["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID"],
  ...["SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"],
].map((name) => `CAP_${name}`);
const MASKED = [
  ...["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi"].map(inProc),
  ...["timer_list", "timer_stats"].map(inProc),
  ...["/sys/devices/virtual/powercap", "/sys/firmware", "/sys/fs/selinux"],
];
const READONLY = ["bus", "fs", "irq", "sys", "sysrq-trigger"].map(inProc);
const TIGHT = ["nosuid", "noexec", "nodev"];
const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const ETC: Readonly<Record<string, string>> = {
  hosts: "127.0.0.1\tlocalhost\n::1\tlocalhost\n",
  hostname: "bench\n",
  "resolv.conf": "nameserver 127.0.0.1\n",
};

function inProc(name: string): string {
  return `/proc/${name}`;
}

function mounts(folder: string): object[] {
  const mount = (destination: string, type: string, options: readonly string[]): object => ({
    destination,
    type,
    source: type,
    options,
  });
  return [
    mount("/proc", "proc", TIGHT),
    mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    mount("/sys", "sysfs", [...TIGHT, "ro"]),
    mount("/sys/fs/cgroup", "cgroup", [...TIGHT, "ro"]),
    mount("/dev/mqueue", "mqueue", TIGHT),
    mount("/dev/shm", "tmpfs", [...TIGHT, "mode=1777", "size=67108864"]),
    ...Object.keys(ETC).map((name) => ({
      destination: `/etc/${name}`,
      type: "bind",
      source: `${folder}/${name}`,
      options: ["rbind", "rprivate"],
    })),
  ];
}

function deviceRules(): object[] {
  const open = (major: number, minor?: number): object => ({
    ...{ allow: true, type: "c", major, access: "rwm" },
    ...(minor !== undefined && { minor }),
  });
  return [
    { allow: false, access: "rwm" },
    { allow: true, type: "c", access: "m" },
    { allow: true, type: "b", access: "m" },
    ...[3, 5, 7, 8, 9].map((minor) => open(1, minor)),
    ...[0, 1, 2].map((minor) => open(5, minor)),
    open(136),
  ];
}

/** Writes a bundle for crun and runc whose config.json asks for what mydocker gives by default. */
export function makeBundle(folder: string, rootfs: string, cgroup: string, args: readonly string[]): string {
  mkdirSync(folder);
  for (const [name, text] of Object.entries(ETC)) writeFileSync(`${folder}/${name}`, text);
  const capabilities = { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES };
  const config = {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, umask: 0o022 },
      args,
      env: [PATH, "HOSTNAME=bench", "HOME=/root"],
      cwd: "/",
      capabilities,
      noNewPrivileges: false,
    },
    root: { path: rootfs, readonly: false },
    hostname: "bench",
    mounts: mounts(folder),
    linux: {
      cgroupsPath: `/${cgroup}`,
      namespaces: ["mount", "pid", "uts", "ipc", "cgroup", "network"].map((type) => ({ type })),
      resources: { devices: deviceRules(), pids: { limit: 2048 } },
      maskedPaths: MASKED,
      readonlyPaths: READONLY,
    },
  };
  writeFileSync(`${folder}/config.json`, JSON.stringify(config));
  return folder;
}
