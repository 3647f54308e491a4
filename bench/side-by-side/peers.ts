import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { call, FLOOR_PROGRAM, GROUP, LAYER, mustCall, ROOT, RUN } from "./host.ts";

/** Another container engine: how it does what we measure, or why it cannot. */
export interface Peer {
  readonly name: string;
  /** Empty where it can be measured. */
  readonly missing: string;
  readonly note: string;
  /** The command of one run; `turn` makes names of their own. */
  run(turn: number): readonly string[];
  /** Starts a container that does nothing; returns its pid. */
  idle(): string;
  exec(): readonly string[];
  /** Whether a process of its own stays with every container. */
  readonly stays: boolean;
  close(): void;
}

const NOTHING = { run: () => [], idle: () => "", exec: () => [], stays: false, close: () => {} };

function absent(name: string, missing: string): Peer {
  return { name, missing, note: "", ...NOTHING };
}

export function findPeers(): Peer[] {
  return [findRuntime("crun"), findRuntime("runc"), findPodman(), findDocker()];
}

const TIGHT = ["nosuid", "noexec", "nodev"];
const CAPABILITIES = [
  ...[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
  ],
  ...["NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"],
].map((name) => `CAP_${name}`);

/** What `crun spec` writes, with the mounts, paths and capabilities that our containers have. */
function bundleConfig(name: string, args: readonly string[]): object {
  const mount = (destination: string, type: string, options: readonly string[]): object => {
    return { destination, type, source: type, options };
  };
  const device = (major: number, minor?: number): object => {
    return { allow: true, type: "c", major, ...(minor !== undefined && { minor }), access: "rwm" };
  };
  const sets = { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES };
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"],
      cwd: "/",
      capabilities: sets,
    },
    root: { path: LAYER, readonly: false },
    hostname: "bench",
    mounts: [
      mount("/proc", "proc", TIGHT),
      mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
      mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
      mount("/sys", "sysfs", [...TIGHT, "ro"]),
      mount("/sys/fs/cgroup", "cgroup", [...TIGHT, "ro"]),
      mount("/dev/mqueue", "mqueue", TIGHT),
      mount("/dev/shm", "tmpfs", [...TIGHT, "mode=1777", "size=67108864"]),
    ],
    linux: {
      cgroupsPath: `/${GROUP}-${name}`,
      namespaces: ["mount", "pid", "uts", "ipc", "cgroup", "network"].map((type) => ({ type })),
      resources: {
        devices: [
          { allow: false, access: "rwm" },
          ...[3, 5, 7, 8, 9].map((minor) => device(1, minor)),
          ...[0, 1, 2].map((minor) => device(5, minor)),
          device(136),
        ],
        pids: { limit: 2048 },
      },
      maskedPaths: [
        ...["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug", "scsi"],
        ...["timer_list", "timer_stats"],
      ]
        .map((file) => `/proc/${file}`)
        .concat(["/sys/devices/virtual/powercap", "/sys/firmware", "/sys/fs/selinux"]),
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
}

function writeBundle(name: string, args: readonly string[]): string {
  const folder = `${ROOT}/bundle-${name}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/config.json`, JSON.stringify(bundleConfig(name, args)));
  return folder;
}

/** crun or runc on a ready bundle. */
function findRuntime(name: string): Peer {
  if (!Bun.which(name)) return absent(name, "not installed");
  const manager = name === "crun" ? ["--cgroup-manager", "cgroupfs"] : [];
  const plain = [name, "--root", `${RUN}/${name}`, ...manager];
  const once = writeBundle(name, ["true"]);
  const idle = writeBundle(`${name}-idle`, ["sleep", "1000"]);
  const runOf = (program: readonly string[], turn: number): string[] => {
    return [...program, "run", "--bundle", once, `${GROUP}-${name}-${turn}`];
  };
  let program: readonly string[] = plain;
  let beside: Beside | undefined;
  let outcome = call(runOf(program, 0));
  if (outcome.code !== 0 && outcome.error.includes("hybrid")) {
    beside = new Beside("/sys/fs/cgroup/unified");
    program = [FLOOR_PROGRAM, "--beside", beside.pid, ...plain];
    outcome = call(runOf(program, 0));
  }
  const resident = `${GROUP}-${name}-idle`;
  const close = (): void => {
    call([...program, "delete", "-f", resident]);
    beside?.close();
  };
  if (outcome.code !== 0) close();
  return {
    name,
    missing: outcome.code === 0 ? "" : `does not work here: ${lastLine(outcome.error)}`,
    note: beside ? "without the hybrid v2 tree" : "",
    run: (turn) => runOf(program, turn),
    idle: () => {
      const file = `${RUN}/${resident}.pid`;
      const start = ["run", "--detach", "--pid-file", file, "--bundle", idle, resident];
      // its streams are the container's: no pipes of ours, which would stay open
      const argv = [...program, ...start];
      const { exitCode } = Bun.spawnSync(argv, { cwd: "/", stdio: ["ignore", "ignore", "ignore"] });
      if (exitCode !== 0) throw new Error(`${argv.join(" ")}: exit code ${exitCode}`);
      return readFileSync(file, "utf8").trim();
    },
    exec: () => [...program, "exec", resident, "true"],
    stays: false,
    close,
  };
}

/** A process in a mount namespace of its own where `hidden` is not mounted. */
class Beside {
  private readonly holder: Bun.Subprocess;
  readonly pid: string;
  constructor(hidden: string) {
    const script = `umount ${hidden} && exec sleep 100000`;
    this.holder = Bun.spawn(["unshare", "-m", "--propagation", "private", "sh", "-c", script], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    this.pid = String(this.holder.pid);
    for (let tries = 0; tries < 200; tries++) {
      if (readFileSync(`/proc/${this.pid}/comm`, "utf8").trim() === "sleep") return;
      Bun.sleepSync(10);
    }
    this.close();
    throw new Error(`no mount namespace without ${hidden}`);
  }
  close(): void {
    this.holder.kill("SIGKILL");
  }
}

/** podman with its own state in our folder, on an image imported from the same root file system. */
function findPodman(): Peer {
  if (!Bun.which("podman")) return absent("podman", "not installed");
  const store = ["--root", `${ROOT}/podman`, "--runroot", `${RUN}/podman`, "--cgroup-manager", "cgroupfs"];
  const image = "bench-busybox";
  const tar = `${ROOT}/rootfs.tar`;
  const hadParent = existsSync("/sys/fs/cgroup/pids/libpod_parent");
  mustCall(["tar", "-C", LAYER, "-cf", tar, "."]);
  const imported = call(["podman", ...store, "import", tar, image]);
  if (imported.code !== 0) return absent("podman", `does not work here: ${lastLine(imported.error)}`);
  // where CAP_SYS_RESOURCE is missing podman's own limits cannot be set; crun 1.8 refuses hybrid cgroups
  const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
  const ways: [readonly string[], readonly string[], string][] = [
    [[], [], ""],
    [[], limits, "with lower ulimits"],
    [["--runtime", "runc"], limits, "with runc and lower ulimits"],
  ];
  let failure = "";
  for (const [options, flags, note] of ways) {
    const program = ["podman", ...store, ...options];
    const run = [...program, "run", "--network", "none", ...flags];
    const { code, error } = call([...run, "--rm", image, "true"]);
    if (code === 0) return workingPodman(program, run, image, note, hadParent);
    failure = lastLine(error);
  }
  return absent("podman", `does not work here: ${failure}`);
}

function workingPodman(
  program: readonly string[],
  run: readonly string[],
  image: string,
  note: string,
  hadParent: boolean,
): Peer {
  const name = `${GROUP}-podman`;
  return {
    name: "podman",
    missing: "",
    note,
    run: () => [...run, "--rm", image, "true"],
    idle: () => {
      mustCall([...run, "-d", "--name", name, image, "sleep", "1000"]);
      return mustCall([...program, "inspect", "--format", "{{.State.Pid}}", name]);
    },
    exec: () => [...program, "exec", name, "true"],
    stays: true,
    close: () => {
      call([...program, "rm", "-f", "-a", "-t", "0"]);
      call([...program, "rmi", "-f", "-a"]);
      if (!hadParent) removeParentGroups();
    },
  };
}

/** The group podman puts its containers under, where it was not there before; one in use stays. */
function removeParentGroups(): void {
  for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const [, top = "", type = ""] = line.split(" ");
    if (!type.startsWith("cgroup")) continue;
    try {
      rmdirSync(`${top}/libpod_parent`);
    } catch {
      // not there, or somebody else's by now
    }
  }
}

function findDocker(): Peer {
  if (!Bun.which("docker")) return absent("docker", "not installed");
  // without a daemon the client's `info` still answers, with an error
  if (call(["timeout", "5", "docker", "info"]).code !== 0) return absent("docker", "no daemon answers");
  const image = "bench-busybox";
  const tar = `${ROOT}/rootfs-docker.tar`;
  mustCall(["tar", "-C", LAYER, "-cf", tar, "."]);
  const imported = call(["docker", "import", tar, image]);
  if (imported.code !== 0) return absent("docker", `does not work here: ${lastLine(imported.error)}`);
  const name = `${GROUP}-docker`;
  const run = ["docker", "run", "--network", "none"];
  return {
    name: "docker",
    missing: "",
    note: "",
    run: () => [...run, "--rm", image, "true"],
    idle: () => {
      mustCall([...run, "-d", "--name", name, image, "sleep", "1000"]);
      return mustCall(["docker", "inspect", "--format", "{{.State.Pid}}", name]);
    },
    exec: () => ["docker", "exec", name, "true"],
    stays: true,
    close: () => {
      call(["docker", "rm", "-f", name]);
      call(["docker", "rmi", image]);
    },
  };
}

function lastLine(text: string): string {
  return text.split("\n").filter(Boolean).at(-1)?.slice(0, 90) ?? "";
}
