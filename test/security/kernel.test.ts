/** What a container's root must not do to the kernel: calls that are kept from it, and files of /proc, /sys and /dev. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { hasSeccomp } from "../../src/linux/seccomp.ts";
import {
  BINARY,
  background,
  ENV,
  mydocker,
  ok,
  SLOW,
  scratch,
  suite,
  testWhere,
  until,
} from "../e2e/harness.ts";
import { inside, probes, results, says, withProbes } from "./probes.ts";

suite();

const EPERM = 1;
const ENOSYS = 38;
const X64 = process.arch === "x64";
const FREE = ["--security-opt", "seccomp=unconfined"];

test("this kernel filters calls, without which half of what follows would be open", () => {
  expect(hasSeccomp()).toBe(true);
});

/** What each call of the probe's answers with all capabilities and no filter, and what by default. */
const answers = (() => {
  let known: Promise<{ free: Record<string, number>; kept: Record<string, number> }> | undefined;
  const run = async (...options: readonly string[]): Promise<Record<string, number>> =>
    results(await ok("run", "--rm", ...withProbes("calls"), ...options, "busybox", "/probes/calls"));
  const both = async () => ({ free: await run(...FREE, "--cap-add", "ALL"), kept: await run() });
  return () => {
    known ??= both();
    return known;
  };
})();

describe("calls that have led out of containers", () => {
  for (const [cve, what, ...names] of [
    [
      "CVE-2022-0185",
      "a file system's context overflows in a user namespace's mount",
      "unshare-user",
      "fsopen",
      "fsconfig",
    ],
    [
      "CVE-2022-0492",
      "a user namespace gives the right to mount cgroups",
      "unshare-user",
      "unshare-mount",
      "mount",
    ],
    ["CVE-2021-4154", "fsconfig of a cgroup frees a file that is still in use", "fsconfig"],
    [
      "CVE-2021-22555",
      "nf_tables and its like, by a user namespace of one's own",
      "clone-user",
      "clone3-user",
    ],
    [
      "CVE-2016-0728",
      "a session keyring is joined until its count overflows",
      "keyctl",
      "add_key",
      "request_key",
    ],
    ["CVE-2021-3490", "the verifier of BPF programs is wrong about 32-bit bounds", "bpf"],
    ["CVE-2013-2094", "perf_event_open writes anywhere in the kernel", "perf_event_open"],
    ["CVE-2018-18397", "userfaultfd writes to files of a tmpfs that are only to be read", "userfaultfd"],
    [
      "CVE-2022-29582",
      "io_uring, in which something is freed twice each year",
      "io_uring_setup",
      "io_uring_enter",
    ],
    [
      "CVE-2023-0386, CVE-2021-3493",
      "an overlay that is mounted in a user namespace copies set-id programs up",
      "open_tree",
      "move_mount",
    ],
  ] as const) {
    test(`${cve}: ${what}`, async () => {
      // with all capabilities the kernel refuses none of them by itself: what is left is the filter
      const { free, kept } = await answers();
      for (const name of names) {
        expect({ name, free: free[name] }).not.toEqual({ name, free: EPERM });
        expect({ name, kept: kept[name] }).toEqual({ name, kept: name === "clone3-user" ? ENOSYS : EPERM });
      }
    });
  }

  testWhere(
    X64,
    "x32 is x86-64's",
    "CVE-2014-0038: recvmmsg of x32 wrote where a program told it; the numbers of x32 are no way round the filter",
    async () => {
      const { free, kept } = await answers();
      expect(free["x32-unshare"]).not.toBe(EPERM);
      expect(kept["x32-unshare"]).toBe(EPERM);
      expect(kept["x32-recvmmsg"]).not.toBe(0);
    },
  );

  test("CVE-2026-31431: AF_ALG and AF_VSOCK by no register, and no half of one", async () => {
    // the virtual machine's kernel has no 32-bit programs, and kills who tries
    const command = ["busybox", "/probes/sockets", ...(X64 && !SLOW ? ["32"] : [])];
    const run = async (...options: readonly string[]): Promise<Record<string, number>> =>
      results(await ok("run", "--rm", ...withProbes("sockets"), ...options, ...command));
    const { unix, "i386-unix": unix32, "i386-socketcall-unix": old, ...kept } = await run();
    expect(unix).toBe(0);
    // glibc of 32-bit Debian makes all its sockets by socketcall, which is open for that (docs/security.md)
    expect([unix32, old].filter((code) => code !== undefined && code !== 0)).toEqual([]);
    for (const [way, code] of Object.entries(kept)) expect(`${way} ${code}`).toBe(`${way} ${EPERM}`);
    // a kernel that has neither says so (EAFNOSUPPORT), which is not the filter's word
    const free = await run(...FREE);
    for (const way of Object.keys(kept)) expect([EPERM, ENOSYS]).not.toContain(free[way] as number);
  });

  test("shocker (2014): a file outside of all mounts by its handle", async () => {
    const folder = scratch();
    writeFileSync(`${folder}/secret`, "the host's\n");
    const { stdout } = Bun.spawnSync([`${probes("handles")}/handles`, "make", `${folder}/secret`]);
    const handle = stdout.toString().trim();
    expect(handle).toMatch(/^[0-9a-f]{20,}$/);
    // /probes is another folder of the same file system
    const read = (...options: readonly string[]) =>
      mydocker([
        ...["run", "--rm", ...withProbes("handles"), ...options],
        ...["busybox", "/probes/handles", "read", "/probes", handle],
      ]);
    expect(await read()).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("not permitted"),
    });
    // neither the filter nor the capability alone is what keeps it
    expect(await read(...FREE)).toMatchObject({ code: 1, stdout: "" });
    expect(await read("--cap-add", "DAC_READ_SEARCH")).toMatchObject({ code: 0, stdout: "the host's\n" });
  });
});

describe("files of the kernel's", () => {
  test("CVE-2022-0811: kernel.core_pattern and other settings of the host's are not to be written", async () => {
    const before = readFileSync("/proc/sys/kernel/core_pattern", "utf8");
    for (const path of [
      "kernel/core_pattern",
      "kernel/modprobe",
      "kernel/shm_rmid_forced",
      "vm/panic_on_oom",
    ]) {
      const target = `/proc/sys/${path}`;
      if (!existsSync(target)) continue;
      expect(await inside(`cat ${target} > ${target}`)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Read-only file system"),
      });
    }
    expect(
      await says("cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern", "--privileged"),
    ).toBe("");
    // nor by a setting of the container's own, or what stands behind it
    for (const given of [
      "kernel.core_pattern=|/evil",
      "net/../kernel/core_pattern=|/evil",
      "net.ipv4.ip_forward=1+kernel.core_pattern=|/evil",
      "kernel.shm_rmid_forced=1\nkernel.core_pattern=|/evil",
    ])
      await mydocker(["run", "--rm", "--sysctl", given, "busybox", "true"]);
    expect(readFileSync("/proc/sys/kernel/core_pattern", "utf8")).toBe(before);
  });

  test("sysrq-trigger, uevent_helper (2013 on): what does harm by one line", async () => {
    const paths = [
      "/proc/sysrq-trigger",
      "/sys/kernel/uevent_helper",
      "/sys/power/state",
      "/sys/kernel/profiling",
    ];
    // opened for writing and nothing written: some of these would end this machine
    const line = (path: string): string => `: >> ${path}`;
    for (const path of paths.filter((path) => existsSync(path))) {
      expect({ path, ...(await inside(line(path))) }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Read-only file system"),
      });
      expect({ path, ...(await inside(line(path), "--privileged")) }).toMatchObject({ code: 0, stderr: "" });
    }
    // each file system of the kernel's itself
    for (const path of ["/proc/sys", "/sys", "/sys/fs/cgroup"])
      expect(await says(`awk '$2 == "${path}" { print $4 }' /proc/mounts`)).toMatch(/^ro,/);
  });

  test("CVE-2015-3630: what of /proc tells of the host, or changes it: timers, latencies, sound", async () => {
    for (const path of [
      "timer_list",
      "timer_stats",
      "latency_stats",
      "asound",
      "interrupts",
      "keys",
      "sched_debug",
    ]) {
      if (!existsSync(`/proc/${path}`)) continue;
      expect({ path, says: await says(`cat /proc/${path} 2>/dev/null; ls -A /proc/${path}`) }).toEqual({
        path,
        says: statSync(`/proc/${path}`).isDirectory() ? "" : `/proc/${path}`,
      });
    }
    expect(await says("cat /proc/interrupts", "--security-opt", "systempaths=unconfined")).not.toBe("");
  });

  test("CVE-2018-10892: /proc/acpi, and with it the host's hardware", async () => {
    for (const path of ["/proc/acpi", "/proc/scsi", "/sys/firmware"])
      if (existsSync(path) && readdirSync(path).length > 0) {
        expect(await says(`ls -A ${path}`)).toBe("");
        expect(await inside(`: > ${path}/new`)).toMatchObject({ code: 1 });
        expect(await says(`ls -A ${path}`, "--privileged")).not.toBe("");
      }
    expect(await says("cat /proc/kcore 2>/dev/null | head -c 4")).toBe("");
  });

  test("dmesg: the messages of the kernel, by syslog(2) and by a node for them", async () => {
    const { kept, free } = await answers();
    expect(free.syslog).toBe(0);
    expect(kept.syslog).toBe(EPERM);
    expect(await inside("mknod /k c 1 11 && cat /k")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("Operation not permitted"),
    });
  });

  test("mknod: a node of the host's disk, or of its memory, opens nothing", async () => {
    const disks = readdirSync("/sys/block").map((name) => [
      "b",
      readFileSync(`/sys/block/${name}/dev`, "utf8").trim(),
    ]);
    // that of the kernel's messages, which can be opened for writing wherever there is one
    for (const [type = "", number = ""] of [...disks.slice(0, 2), ["c", "1:1"], ["c", "1:11"]]) {
      const how = type === "b" ? "<" : ">>";
      const line = `mknod /n ${type} ${number.replace(":", " ")} && : ${how} /n`;
      expect({ number, ...(await inside(line)) }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("not permitted"),
      });
      // allowed, it is the host's own: but for hardware that is not there
      const allowed = await inside(line, "--device-cgroup-rule", `${type} ${number} rwm`);
      if (number === "1:11") expect(allowed.code).toBe(0);
    }
  });
});

describe("the caller's terminal and keys", () => {
  test("CVE-2016-10124, CVE-2017-5226: TIOCSTI types into the terminal of who has called", async () => {
    const program = `${probes("inject")}/inject`;
    const read = "stty -echo -icanon min 0 time 1; head -c 20";
    /** What a shell that runs `line` in a terminal finds typed there afterwards. */
    const typed = async (line: string): Promise<string> => {
      let text = "";
      const child = Bun.spawn(["sh", "-c", `${line} > /dev/null; ${read} | sed 's/^/GOT:/'; echo END`], {
        env: { ...ENV, M: BINARY, P: program },
        terminal: {
          cols: 80,
          rows: 24,
          data: (_, bytes) => {
            text += new TextDecoder().decode(bytes);
          },
        },
      });
      await child.exited;
      await until(() => text.includes("END"), "the terminal's output");
      return /GOT:(.*)/.exec(text.replaceAll("\r", ""))?.[1] ?? "";
    };
    const run = `"$M" run --rm ${withProbes("inject").join(" ")}`;
    for (const options of SLOW ? ["-it"] : ["", "-i", "-t", "-it"])
      expect(await typed(`${run} ${options} busybox /probes/inject evil`)).toBe("");
    const { name } = await background(...withProbes("inject"), "busybox", "sleep", "1000");
    for (const options of SLOW ? [""] : ["", "-i", "-it"])
      expect(await typed(`"$M" exec ${options} ${name} /probes/inject evil`)).toBe("");
    // a program that has the terminal itself can
    expect(await typed('"$P" evil')).toContain("evil");
  });
});
