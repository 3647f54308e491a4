import { describe, expect, test } from "bun:test";
import { command as run } from "../../src/cli/commands/run.ts";
import { readCreation } from "../../src/cli/creation.ts";
import { UsageError } from "../../src/cli/errors.ts";
import { parseFlags } from "../../src/cli/flags.ts";
import { capabilitiesOf } from "../../src/container/security.ts";
import { DEFAULT_CAPABILITIES, normalizeCapability } from "../../src/runtime/capabilities.ts";

const read = (...flags: string[]) => readCreation(parseFlags(run, [...flags, "busybox"]));

describe("what confines a container", () => {
  test("nothing is written down where nothing is asked for", async () => {
    const { security, seccomp, namespaces, sysctls, ids, init, stopTimeout, stopSignal } = await read();
    expect([security, seccomp, namespaces, sysctls, ids, init, stopTimeout, stopSignal]).toEqual(
      Array.from({ length: 8 }, () => undefined),
    );
  });

  test("capabilities by their names", async () => {
    expect(normalizeCapability("net_admin")).toBe("CAP_NET_ADMIN");
    expect(normalizeCapability("CAP_Bpf")).toBe("CAP_BPF");
    expect(normalizeCapability("all")).toBe("ALL");
    expect(normalizeCapability("CAP_")).toBeUndefined();
    expect(normalizeCapability("toString")).toBeUndefined();
    expect((await read("--cap-add", "sys_time", "--cap-drop", "ALL")).security).toEqual({
      capAdd: ["CAP_SYS_TIME"],
      capDrop: ["ALL"],
    });
  });

  test("which are left", async () => {
    expect(capabilitiesOf(undefined)).toEqual(DEFAULT_CAPABILITIES);
    expect(capabilitiesOf({ noNewPrivileges: true })).toEqual(DEFAULT_CAPABILITIES);
    expect(capabilitiesOf({ capDrop: ["ALL"] })).toEqual([]);
    expect(capabilitiesOf({ capDrop: ["CAP_KILL"] })).toEqual(
      DEFAULT_CAPABILITIES.filter((name) => name !== "CAP_KILL"),
    );
  });

  test.each([
    [["no-new-privileges"], { noNewPrivileges: true }],
    [["no-new-privileges:true"], { noNewPrivileges: true }],
    [["no-new-privileges", "no-new-privileges=false"], {}],
    [["systempaths=unconfined"], { openSystemPaths: true }],
    [["writable-cgroups=true"], { writableCgroups: true }],
    [["apparmor=unconfined"], {}],
    [["label:disable"], {}],
  ])("--security-opt %j", async (options, expected) => {
    const flags = options.flatMap((option) => ["--security-opt", option]);
    expect((await read(...flags)).security as object).toEqual({ options, ...expected });
  });

  test("seccomp", async () => {
    expect((await read("--security-opt", "seccomp=unconfined")).seccomp).toBe("unconfined");
    expect((await read("--security-opt", "seccomp=builtin")).seccomp).toBe("default");
    expect((await read("--privileged")).seccomp).toBe("unconfined");
    expect((await read("--privileged", "--security-opt", "seccomp=builtin")).seccomp).toBe("default");
  });
});

describe("namespaces", () => {
  test("what is the default is not written down", async () => {
    expect(
      (await read("--ipc", "private", "--cgroupns", "private", "--userns", "host", "--pid", "")).namespaces,
    ).toBeUndefined();
  });

  test("modes, ids and sysctls", async () => {
    const { namespaces, sysctls } = await read(
      ...["--pid", "container:a", "--ipc", "shareable", "--uts", "host", "--cgroupns", "host"],
      ...["--sysctl", "net.core.somaxconn=5", "--sysctl", "kernel.shmmax="],
    );
    expect(namespaces).toEqual({ pid: "container:a", ipc: "shareable", uts: "host", cgroup: "host" });
    expect(sysctls).toEqual({ "net.core.somaxconn": "5", "kernel.shmmax": "" });
    expect((await read("--userns", "auto")).ids).toBe(65536);
    expect((await read("--userns", "nomap")).ids).toBe(65536);
    expect((await read("--userns", "auto:size=7")).ids).toBe(7);
  });

  test.each([
    ["--pid", "me"],
    ["--ipc", "container:"],
    ["--uts", "container:a"],
    ["--cgroupns", "shared"],
    ["--userns", "auto:size="],
    ["--sysctl", "vm.overcommit_memory=1"],
    ["--sysctl", "net..x=1"],
    ["--sysctl", "=1"],
    ["--stop-signal", "SIGNOTHING"],
    ["--cap-add", ""],
  ])("%s %s is refused", async (flag, value) => {
    await expect(read(flag, value)).rejects.toThrow(UsageError);
  });
});
