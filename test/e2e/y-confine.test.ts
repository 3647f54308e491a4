import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import {
  background,
  fails,
  mydocker,
  newName,
  ok,
  scratch,
  statusField,
  suite,
  testWhere,
} from "./harness.ts";

suite();

const run = (...args: string[]): Promise<string> => ok("run", "--rm", "--network", "none", ...args);

/** Fields of the status of a program that runs with these flags. */
async function statusOf(flags: readonly string[], ...fields: string[]): Promise<string> {
  const text = await run(...flags, "busybox", "cat", "/proc/self/status");
  return fields.map((name) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)?.[1]).join(" ");
}

const DEFAULT = "00000000a80425fb";
const NONE = "0000000000000000";
/** What this machine's root has itself. */
const OURS = statusField(process.pid, "CapPrm").padStart(16, "0");
const FIVE = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

describe("capabilities", () => {
  test("Docker's by default, in all five sets", async () => {
    expect(await statusOf([], ...FIVE)).toBe(`${NONE} ${DEFAULT} ${DEFAULT} ${DEFAULT} ${NONE}`);
  });

  test("of a user that is not root: only what could be had again", async () => {
    const flags = ["-u", "1000", "--cap-add", "NET_ADMIN"];
    expect(await statusOf(flags, ...FIVE)).toBe(`${NONE} ${NONE} ${NONE} 00000000a80435fb ${NONE}`);
  });

  test.each([
    [["--cap-add", "net_admin"], "00000000a80435fb"],
    [["--cap-add", "CAP_SYS_TIME", "--cap-drop", "chown"], "00000000aa0425fa"],
    [["--cap-drop", "ALL"], NONE],
    [["--cap-drop", "all", "--cap-add", "KILL"], "0000000000000020"],
    [["--cap-add", "KILL", "--cap-drop", "KILL"], "00000000a80425db"],
    [["--cap-add", "ALL"], OURS],
    [["--privileged"], OURS],
  ])("%j", async (flags, expected) => {
    const sets = await statusOf(flags, ...FIVE);
    expect(sets).toBe(`${NONE} ${expected} ${expected} ${expected} ${NONE}`);
  });

  test("--cap-add ALL less one", async () => {
    const mask = BigInt(`0x${OURS}`) & ~(1n << 12n);
    expect(await statusOf(["--cap-add", "ALL", "--cap-drop", "NET_ADMIN"], "CapBnd")).toBe(
      mask.toString(16).padStart(16, "0"),
    );
  });

  test("what is none is refused before anything is made", async () => {
    await fails(125, /unknown capability: "FOO"/, "run", "--cap-add", "FOO", "busybox", "true");
    await fails(125, /unknown capability: "CAP_"/, "run", "--cap-drop", "CAP_", "busybox", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });

  test("a command in a container has the container's; --privileged has all", async () => {
    const { name } = await background("--cap-drop", "ALL", "--cap-add", "KILL", "busybox", "sleep", "1000");
    const effective = async (...flags: string[]): Promise<string | undefined> =>
      /^CapEff:\s*(.*)$/m.exec(await ok("exec", ...flags, name, "cat", "/proc/self/status"))?.[1];
    expect(await effective()).toBe("0000000000000020");
    expect(await effective("-u", "7")).toBe(NONE);
    expect(await effective("--privileged")).toBe(OURS);
    expect(await ok("inspect", "-f", "{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}}", name)).toBe(
      "[CAP_KILL] [ALL]",
    );
    await ok("restart", "-t", "0", name);
    expect(await effective()).toBe("0000000000000020");
  });
});

describe("system calls", () => {
  const namespaces = ["busybox", "unshare", "-m", "true"];

  test("are filtered by default, in run and in exec", async () => {
    expect(await statusOf([], "Seccomp", "NoNewPrivs")).toBe("2 0");
    const denied = await mydocker(["run", "--rm", "--network", "none", ...namespaces]);
    expect(denied).toMatchObject({ code: 1, stderr: expect.stringContaining("Operation not permitted") });
    const { name } = await background("busybox", "sleep", "1000");
    expect(await ok("exec", name, "grep", "Seccomp:", "/proc/self/status")).toBe("Seccomp:\t2");
    // the filter is the container's
    expect(await ok("exec", "--privileged", name, "grep", "Seccomp:", "/proc/self/status")).toBe(
      "Seccomp:\t2",
    );
  });

  test("seccomp=unconfined, --privileged: not at all; the capability brings its calls", async () => {
    expect(await statusOf(["--security-opt", "seccomp=unconfined"], "Seccomp")).toBe("0");
    expect(await statusOf(["--privileged"], "Seccomp")).toBe("0");
    expect(await statusOf(["--privileged", "--security-opt", "seccomp=builtin"], "Seccomp")).toBe("2");
    await run("--cap-add", "SYS_ADMIN", ...namespaces);
    const result = await mydocker([
      "run",
      "--rm",
      "--network",
      "none",
      "--security-opt",
      "seccomp=unconfined",
      ...namespaces,
    ]);
    // the capability is missing all the same
    expect(result.code).toBe(1);
  });

  test("a profile in Docker's format, also after a restart", async () => {
    const profile = `${scratch()}/profile.json`;
    writeFileSync(
      profile,
      JSON.stringify({
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [
          { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28 },
          { names: ["rmdir"], action: "SCMP_ACT_ERRNO", includes: { caps: ["CAP_SYS_ADMIN"] } },
        ],
      }),
    );
    const { name } = await background("--security-opt", `seccomp=${profile}`, "busybox", "sleep", "1000");
    const attempt = () => mydocker(["exec", name, "mkdir", "/new"]);
    expect((await attempt()).stderr).toContain("No space left on device");
    await ok("restart", "-t", "0", name);
    expect((await attempt()).stderr).toContain("No space left on device");
    await ok("exec", name, "rmdir", "/root");
  });

  test("a profile that is none is told of, and nothing is made", async () => {
    const folder = scratch();
    writeFileSync(`${folder}/bad.json`, '{"defaultAction":"SCMP_ACT_MAYBE"}');
    const opt = (value: string) => ["run", "--security-opt", `seccomp=${value}`, "busybox", "true"];
    await fails(125, /the action "SCMP_ACT_MAYBE" is not supported/, ...opt(`${folder}/bad.json`));
    await fails(125, /failed: no such file or directory/, ...opt("/nowhere.json"));
    expect(await ok("ps", "-aq")).toBe("");
  });
});

describe("--security-opt", () => {
  test("no-new-privileges", async () => {
    const flag = (value: string): Promise<string> =>
      statusOf(["--security-opt", value], "NoNewPrivs", "CapEff");
    expect(await flag("no-new-privileges")).toBe(`1 ${DEFAULT}`);
    expect(await flag("no-new-privileges:true")).toBe(`1 ${DEFAULT}`);
    expect(await flag("no-new-privileges=false")).toBe(`0 ${DEFAULT}`);
    const { name } = await background("--security-opt", "no-new-privileges", "busybox", "sleep", "1000");
    expect(await ok("exec", name, "grep", "NoNewPrivs", "/proc/self/status")).toBe("NoNewPrivs:\t1");
  });

  test("systempaths=unconfined: nothing is masked", async () => {
    const masks = (...flags: string[]): Promise<string> =>
      run(...flags, "busybox", "sh", "-c", "grep -cE ' /proc/[a-z]' /proc/self/mountinfo || true");
    expect(Number(await masks())).toBeGreaterThan(3);
    expect(await masks("--security-opt", "systempaths=unconfined")).toBe("0");
  });

  test("writable-cgroups", async () => {
    const make = ["busybox", "mkdir", "/sys/fs/cgroup/pids/below"];
    expect((await mydocker(["run", "--rm", "--network", "none", ...make])).code).toBe(1);
    const place = "for d in /sys/fs/cgroup/pids /sys/fs/cgroup; do test -e $d/pids.max && break; done; ";
    const script = `${place} mkdir $d/below && rmdir $d/below`;
    await run("--security-opt", "writable-cgroups", "busybox", "sh", "-c", script);
  });

  test.each([
    ["nonsense", /invalid --security-opt: "nonsense"/],
    ["seccomp", /invalid --security-opt/],
    ["no-new-privileges=perhaps", /it is true or false/],
    ["systempaths=confined", /invalid --security-opt/],
    ["label=type:x", /not supported yet/],
  ])("%s is refused", async (option, words) => {
    await fails(125, words, "run", "--rm", "--security-opt", option, "busybox", "true");
  });

  test("what asks for no more than there is, is taken", async () => {
    await run("--security-opt", "apparmor=unconfined", "--security-opt", "label=disable", "busybox", "true");
  });
});

const APPARMOR = existsSync("/sys/module/apparmor/parameters/enabled");

describe("AppArmor", () => {
  testWhere(!APPARMOR, "AppArmor is on here", "where there is none", async () => {
    const words = /cannot use the AppArmor profile mine: AppArmor is not on/;
    await fails(125, words, "run", "--security-opt", "apparmor=mine", "busybox", "true");
  });

  testWhere(APPARMOR, "no AppArmor in this kernel", "a profile of the host's", async () => {
    const file = `${scratch()}/profile`;
    const text = "profile mydocker-test flags=(attach_disconnected) { file, capability, deny /forbidden w, }";
    writeFileSync(file, text);
    expect(Bun.spawnSync(["apparmor_parser", "-r", "-K", file]).exitCode).toBe(0);
    const { name } = await background("--security-opt", "apparmor=mydocker-test", "busybox", "sleep", "1000");
    const current = ["cat", "/proc/self/attr/current"];
    expect(await ok("exec", name, ...current)).toBe("mydocker-test (enforce)");
    expect((await mydocker(["exec", name, "touch", "/forbidden"])).stderr).toContain("Permission denied");
    await ok("exec", name, "touch", "/allowed");
    expect(await ok("inspect", "-f", "{{.AppArmorProfile}}", name)).toBe("mydocker-test");
    const flags = ["--security-opt", "apparmor=mydocker-test", "--security-opt", "no-new-privileges"];
    expect(await run(...flags, "busybox", ...current)).toBe("mydocker-test (enforce)");
    expect(await run("busybox", ...current)).toBe("unconfined");
    const words = /cannot set the AppArmor profile/;
    await fails(125, words, "run", "--security-opt", "apparmor=nosuch-profile", "busybox", "true");
    expect(Bun.spawnSync(["apparmor_parser", "-R", file]).exitCode).toBe(0);
  });
});

describe("--privileged", () => {
  test("all devices of the host, and /sys and the groups can be written", async () => {
    const script = "ls /dev; grep -E ' (/sys|/sys/fs/cgroup/?[a-z]*) ' /proc/self/mountinfo";
    const seen = (await run("--privileged", "busybox", "sh", "-c", script)).split("\n");
    for (const name of readdirSync("/dev").filter((one) =>
      /^(null|kmsg|mem|loop-control|vda|fuse)$/.test(one),
    ))
      expect(seen).toContain(name);
    const mounts = seen.filter((line) => line.includes(" /sys"));
    expect(mounts.length).toBeGreaterThan(0);
    for (const line of mounts) expect(line).not.toMatch(/ (\/sys|\/sys\/fs\/cgroup\/?[a-z]*) ro,/);
  });

  test("is shown", async () => {
    const { name } = await background(
      "--privileged",
      "--security-opt",
      "no-new-privileges",
      "busybox",
      "sleep",
      "1000",
    );
    expect(await ok("inspect", "-f", "{{.HostConfig.Privileged}} {{.HostConfig.SecurityOpt}}", name)).toBe(
      "true [no-new-privileges]",
    );
  });
});

describe("--group-add", () => {
  test("by name and number, in exec too", async () => {
    const { name } = await background(
      "--group-add",
      "wheel",
      "--group-add",
      "4711",
      "-u",
      "7",
      "busybox",
      "sleep",
      "99",
    );
    expect(await ok("exec", name, "id", "-G")).toBe("0 10 4711");
    const groups = statusField(Number(await ok("inspect", "-f", "{{.State.Pid}}", name)), "Groups");
    expect(groups.trim()).toBe("0 10 4711");
  });

  test("one that is not there", async () => {
    await fails(125, /unable to find group nosuch/, "run", "--group-add", "nosuch", "busybox", "true");
    expect(await ok("ps", "-aq")).toBe("");
  });
});

describe("--cidfile", () => {
  test("holds the id; a second time it is in the way; without a container it is gone", async () => {
    const file = `${scratch()}/cid`;
    const name = newName();
    await ok("create", "--cidfile", file, "--name", name, "busybox", "true");
    expect(await Bun.file(file).text()).toBe(await ok("inspect", "-f", "{{.Id}}", name));
    await fails(125, /container ID file found/, "run", "--cidfile", file, "busybox", "true");
    const other = `${file}2`;
    expect((await mydocker(["run", "--rm", "--cidfile", other, "busybox", "nosuch"])).code).toBe(127);
    expect(await Bun.file(other).exists()).toBe(false);
  });
});
