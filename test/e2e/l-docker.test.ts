import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import {
  background,
  ENV,
  fails,
  leftovers,
  mydocker,
  newName,
  ok,
  ROOT,
  scratch,
  start,
  suite,
  until,
} from "./harness.ts";

suite();

describe("a container that goes with its program", () => {
  test("is stopped, killed and removed without a word", async () => {
    for (const [command, ...options] of [["stop", "-t", "0"], ["kill"], ["rm", "-f"]]) {
      const name = newName();
      await ok("run", "-d", "--rm", "--name", name, "busybox", "sleep", "1000");
      const result = await mydocker([command ?? "", ...options, name]);
      expect({ command, ...result }).toEqual({ command, code: 0, stdout: `${name}\n`, stderr: "" });
      await until(() => leftovers().length === 0, "the container to go");
    }
  });

  test("stays for a restart, also before its attached client", async () => {
    const name = newName();
    await ok("run", "-d", "--rm", "--name", name, "busybox", "sh", "-c", "echo x >>/count; exec sleep 1000");
    expect(await ok("restart", "-t", "0", name)).toBe(name);
    expect(await ok("exec", name, "cat", "/count")).toBe("x\nx");
    await ok("stop", "-t", "0", name);
    await until(() => leftovers().length === 0, "the container to go");

    const attached = start([
      "run",
      "--rm",
      "--name",
      name,
      "busybox",
      "sh",
      "-c",
      "echo up; exec sleep 1000",
    ]);
    await attached.stdout.getReader().read();
    await until(async () => (await ok("ps", "-q")) !== "", "the container to run");
    await ok("restart", "-t", "0", name);
    expect(await attached.exited).toBe(137);
    expect(await ok("ps", "--format", "{{.Names}}")).toBe(name);
  });
});

describe("what is the container's own", () => {
  test("its message queues", async () => {
    const one = await background("busybox", "sleep", "1000");
    await ok("exec", one.name, "touch", "/dev/mqueue/inner");
    expect(await ok("run", "--rm", "busybox", "ls", "/dev/mqueue")).toBe("");
    expect(await ok("exec", one.name, "ls", "/dev/mqueue")).toBe("inner");
  });

  test("its network's settings, with which any user may serve on any port", async () => {
    const show = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /proc/sys/net/ipv4/ping_group_range";
    expect(await ok("run", "--rm", "busybox", "sh", "-c", show)).toBe("0\n0\t2147483647");
  });
});

describe("options as scripts use them", () => {
  test("an empty value, and zero for a limit, is none given", async () => {
    const empty = [
      "--name",
      "",
      "-w",
      "",
      "-u",
      "",
      "-h",
      "",
      "-cpuset",
      "",
      "-m",
      "0",
      "-cpus",
      "0",
      "-c",
      "0",
    ];
    const out = await ok("run", ...empty, "busybox", "sh", "-c", "pwd; id -u; hostname");
    const id = await ok("ps", "-aq");
    expect(out).toBe(`/\n0\n${id}`);
    expect(await ok("inspect", "-f", "{{.Name}} {{.HostConfig.Memory}}", id)).toBe(`/${id} 0`);
    const name = newName();
    await ok("run", "--name", `/${name}`, "busybox", "true");
    expect(await ok("inspect", "-f", "{{.Name}}", name)).toBe(`/${name}`);
    expect(
      await ok("run", "--rm", "-e", "HOME=", "-u", "www-data", "busybox", "sh", "-c", "echo $HOME"),
    ).toBe("/var/www");
  });

  test("ps --format table and an empty format are the table", async () => {
    await background("busybox", "sh", "-c", "sleep 1000; true");
    const table = await ok("ps");
    expect(await ok("ps", "--format", "table")).toBe(table);
    expect(await ok("ps", "--format", "")).toBe(table);
    expect(await ok("ps", "--no-trunc", "--format", "{{.Command}}")).toBe(`"sh -c 'sleep 1000; true'"`);
  });

  test("an env file that is no UTF-8 is refused", async () => {
    const file = `${scratch()}/env`;
    writeFileSync(file, new Uint8Array([0x41, 0x3d, 0xff, 0x0a]));
    await fails(125, /invalid utf8 bytes/, "run", "--env-file", file, "busybox", "true");
  });
});

describe("images", () => {
  test("a name with a tag is an image of its own", async () => {
    const { name } = await background("busybox", "sh", "-c", "echo one >/v; exec sleep 1000");
    await ok("commit", name, "tagged:v1");
    await ok("exec", name, "sh", "-c", "echo two >/v");
    await ok("commit", name, "tagged");
    expect(await ok("run", "--rm", "tagged:v1", "cat", "/v")).toBe("one");
    expect(await ok("run", "--rm", "tagged:latest", "cat", "/v")).toBe("two");
    const shown = await ok("images", "--format", "{{.Repository}} {{.Tag}}", "tagged");
    expect(shown.split("\n").sort()).toEqual(["tagged latest", "tagged v1"]);
    await fails(125, /Unable to find image 'tagged:v2'/, "run", "tagged:v2");
    expect(await ok("rmi", "tagged:v1", "tagged")).toMatch(/Untagged: tagged:v1\n.*Untagged: tagged:latest/s);
  });

  test("a commit runs as its container did, also one that is a plain tar", async () => {
    const name = newName();
    const options = ["-e", "A=größer", "-w", "/tmp", "-u", "nobody", "-l", "kept=yes", "--entrypoint", "sh"];
    await ok("run", "--name", name, ...options, "busybox", "-c", "echo $A; pwd; id -un");
    await ok("commit", name, "layered");
    await ok("commit", "--tar", name, "configured");
    for (const image of ["layered", "configured"])
      expect(await ok("run", "--rm", image)).toBe("größer\n/tmp\nnobody");
    expect(await ok("run", "--rm", "-u", "0", "-w", "/", "configured", "-c", "pwd; echo $HOME")).toBe(
      "/\n/root",
    );
    expect(await ok("inspect", "-f", "{{json .Config.Labels}} {{.Config.User}}", "configured")).toBe(
      '{"kept":"yes"} nobody',
    );
    const listed = Bun.spawnSync(["tar", "-tf", `${ROOT}/image/configured.tar`]);
    expect(listed.stderr.toString()).toBe("");
    expect(listed.stdout.toString()).toStartWith("./\nbin/\n");
    await ok("rm", name);
    await ok("rmi", "configured", "layered");
  });

  test("one that is there gives its name to a commit, also the built-in one, which is there again afterwards", async () => {
    const { name } = await background("busybox", "sh", "-c", "echo mine >/mine; exec sleep 1000");
    await until(async () => (await mydocker(["exec", name, "test", "-s", "/mine"])).code === 0, "the file");
    await ok("commit", name, "busybox");
    expect(await ok("run", "--rm", "busybox", "cat", "/mine")).toBe("mine");
    expect(await ok("rmi", "busybox")).toContain("Untagged: busybox:latest\nDeleted: ");
    expect((await mydocker(["run", "--rm", "busybox", "test", "-e", "/mine"])).code).toBe(1);
  });

  test("a commit is whole or fails, also when its container goes meanwhile", async () => {
    for (const end of [["kill"], ["rm", "-f"]]) {
      const script = "mkdir /zz; for i in $(seq 400); do echo $i >/zz/$i; done; touch /zzz; exec sleep 1000";
      const { name } = await background("busybox", "sh", "-c", script);
      await until(async () => (await mydocker(["exec", name, "test", "-e", "/zzz"])).code === 0, "the files");
      const commit = start(["commit", name, "cut"]);
      await Bun.sleep(60);
      await ok(...end, name);
      if ((await commit.exited) === 0) {
        expect(await ok("run", "--rm", "cut", "sh", "-c", "ls /zz | wc -l")).toBe("400");
        await ok("rmi", "cut");
      } else expect(await ok("images", "-q", "cut")).toBe("");
    }
  });

  test("an archive that is replaced by another one while it is unpacked does no harm", async () => {
    const archive = "/var/cache/mydocker-test/debian.tar.gz";
    mkdirSync(`${ROOT}/image`, { recursive: true });
    copyFileSync(archive, `${ROOT}/image/moved.tar`);
    copyFileSync(archive, `${ROOT}/image/.next`);
    const running = start(["run", "--rm", "moved", "true"]);
    await until(
      () => readdirSync(`${ROOT}/layers`).some((name) => name.startsWith(".tmp-")),
      "the unpacking",
    );
    renameSync(`${ROOT}/image/.next`, `${ROOT}/image/moved.tar`);
    expect(await running.exited).toBe(0);
    await ok("rmi", "moved");
  });

  test("the root folder has the image's time and mode", async () => {
    const folder = scratch();
    mkdirSync(`${folder}/bin`);
    for (const name of ["proc", "sys", "dev", "etc"]) mkdirSync(`${folder}/${name}`);
    copyFileSync("/bin/busybox", `${folder}/bin/busybox`);
    for (const name of ["hosts", "hostname", "resolv.conf"]) writeFileSync(`${folder}/etc/${name}`, "");
    chmodSync(folder, 0o751);
    utimesSync(folder, 5, 5);
    const shown = await ok("run", "--rm", "--rootfs", folder, "/bin/busybox", "stat", "-c", "%Y %a", "/");
    expect(shown).toBe("5 751");
    expect(statSync(folder).mtimeMs).toBe(5000);
  });

  test("rmi goes by name, and leaves what a container was made from", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    await ok("commit", "--tar", name, "first");
    copyFileSync(`${ROOT}/image/first.tar`, `${ROOT}/image/second.tar`);
    await ok("run", "--rm", "second", "true");
    await ok("run", "--name", newName(), "first", "true");
    await ok("rmi", "second");
    await fails(1, /conflict: .* container .* is using its referenced image/, "rmi", "first");
  });
});

test("--rootfs with a relative folder is that folder, wherever start is called", async () => {
  const folder = scratch();
  for (const which of ["a", "b"]) {
    mkdirSync(`${folder}/${which}/r/bin`, { recursive: true });
    copyFileSync("/bin/busybox", `${folder}/${which}/r/bin/busybox`);
    writeFileSync(`${folder}/${which}/r/who`, which);
  }
  const name = newName();
  const at = (which: string, ...args: string[]) => mydocker(args, { cwd: `${folder}/${which}`, env: ENV });
  const run = await at("a", "run", "--name", name, "--rootfs", "r", "/bin/busybox", "cat", "/who");
  expect(run).toEqual({ code: 0, stdout: "a", stderr: "" });
  expect(await at("b", "start", "-a", name)).toEqual({ code: 0, stdout: "a", stderr: "" });
});
