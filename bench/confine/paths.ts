/** What engines are known to mask or to make read-only, and what else there is on some kernel that tells or changes something. */
export const PATHS: readonly string[] = [
  ...["acpi", "asound", "bus", "config.gz", "driver", "fs", "interrupts", "iomem", "ioports", "irq"],
  ...[
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "modules",
  ],
  ...["mtrr", "pagetypeinfo", "pressure", "sched_debug", "schedstat", "scsi", "slabinfo", "softirqs", "stat"],
  ...["swaps", "sys", "sysrq-trigger", "timer_list", "timer_stats", "uptime", "vmallocinfo", "zoneinfo"],
]
  .map((name) => `/proc/${name}`)
  .concat(
    [
      ...[
        "block",
        "bus",
        "class",
        "dev",
        "dev/block",
        "devices",
        "devices/virtual/powercap",
        "firmware",
        "fs",
        "fs/bpf",
      ],
      ...[
        "fs/cgroup",
        "fs/fuse",
        "fs/selinux",
        "kernel",
        "kernel/debug",
        "kernel/security",
        "kernel/tracing",
      ],
      ...["kernel/vmcoreinfo", "module", "power", "devices/system/cpu/cpu0/thermal_throttle"],
    ].map((name) => `/sys/${name}`),
  );
