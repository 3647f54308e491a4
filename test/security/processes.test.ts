/** Processes that enter a container, who they are there, and what they bring with them. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import {
  BINARY,
  background,
  fails,
  mydocker,
  namespaces,
  newName,
  ok,
  SLOW,
  scratch,
  shell,
  suite,
  until,
} from "../e2e/harness.ts";
import { imageWith, layerWith, tryImage } from "./images.ts";
import { loader, marking, says, some, withProbes } from "./probes.ts";

suite();

const head = readFileSync(BINARY).subarray(0, 65536).toString("latin1");
/** Where the engine's executable has its loader looked for. */
const INTERPRETER = /\/lib[\w/.-]*\/ld-[\w.-]+/.exec(head)?.[0] ?? "";
const digest = (): string => createHash("sha256").update(readFileSync(BINARY)).digest("hex");

describe("the engine's own executable", () => {
  test("CVE-2019-5736, CVE-2020-14298: /proc/self/exe as the program, with a loader of the container's", async () => {
    const before = digest();
    const evil = [...withProbes("overwrite"), "-v", `${loader()}:${INTERPRETER}:ro`];
    const unchanged = `open no\nchmod Read-only file system\nsize ${statSync(BINARY).size}`;
    expect(await ok("run", "--rm", ...evil, "busybox", "/proc/self/exe")).toBe(unchanged);
    const { name } = await background(...evil, "busybox", "sleep", "1000");
    expect(await ok("exec", name, "/proc/self/exe")).toBe(unchanged);
    // as the interpreter of a script, and by a link
    await ok(
      "exec",
      name,
      "sh",
      "-c",
      "printf '#!/proc/self/exe\\n' > /script; chmod 755 /script; ln -s /proc/self/exe /link",
    );
    expect(await ok("exec", name, "/script")).toBe(unchanged);
    expect(await ok("exec", name, "/link")).toBe(unchanged);
    // the probe does see a program that can be changed
    const own = "cp /bin/busybox /victim; exec 9</victim; /probes/overwrite 9";
    expect(await ok("exec", name, "sh", "-c", own)).toStartWith("open yes\nchmod yes\n");
    // pid 1 itself, where that is the engine's
    const init = "exec 9</proc/1/exe; /probes/overwrite 9";
    expect(await ok("run", "--rm", "--init", ...evil, "busybox", "sh", "-c", init)).toBe(unchanged);
    expect(digest()).toBe(before);
  });

  /** What a container with these options finds in the processes that exec starts in it. */
  async function caught(...options: readonly string[]): Promise<string[]> {
    const time = SLOW ? 3000 : 1500;
    const { name } = await background(
      ...withProbes("catch"),
      ...options,
      "busybox",
      "/probes/catch",
      String(time),
    );
    await until(async () => (await ok("logs", name)).includes("ready"), "the probe");
    for (const end = Date.now() + time * 0.7; Date.now() < end; ) {
      await mydocker(["exec", name, "true"]);
      await mydocker(["exec", "-i", name, "cat"], { stdin: "x" });
    }
    await until(async () => (await ok("logs", name)).includes("executables"), "the probe's end", 60);
    const lines = (await ok("logs", name)).split("\n");
    await ok("rm", "-f", name);
    return lines.filter((line) => line !== "ready");
  }

  test("CVE-2016-9962: what exec starts is not seen through by the container's root", async () => {
    expect(await caught()).toEqual(["executables 0 writable 0"]);
  });

  test("CVE-2016-8649, CVE-2024-21626: not even one who may trace it finds anything of the host's there", async () => {
    const found = await caught("--cap-add", "SYS_PTRACE");
    const ours = ["exe /", "exe ", "root /", "cwd /", "fd pipe", "fd socket", "fd /dev/null"];
    expect(found.filter((line) => !ours.includes(line) && !line.startsWith("executables"))).toEqual([]);
    // it has looked into some; on one CPU that takes luck
    expect(found.at(-1)).toMatch(SLOW ? / writable 0$/ : /^executables [1-9][0-9]* writable 0$/);
  });
});

describe("what the caller has open", () => {
  const NUMBERS = SLOW ? [5, 6, 9, 10] : [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

  test("CVE-2024-21626: a working folder of /proc/self/fd, by run, by an image, and by exec", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    for (const number of NUMBERS) {
      // the caller itself lends a hand: it has the host's root open under that number
      const call = (line: string) => shell(`exec ${number}</ 8>&1; "$0" ${line} 2>/dev/null`);
      const place = `/proc/self/fd/${number}`;
      const look = `ls ${place} . ../../../../..`;
      const run = await call(`run --rm --network none -w ${place} busybox ${look}`);
      expect({ number, ...run }).toMatchObject({ stdout: "" });
      expect(run.code).not.toBe(0);
      const exec = await call(`exec -w ${place} ${name} ${look}`);
      expect({ number, ...exec }).toMatchObject({ stdout: "" });
      expect(exec.code).not.toBe(0);
    }
    const image = await imageWith({ WorkingDir: "/proc/self/fd/6" });
    expect((await mydocker(["run", "--rm", "--network", "none", image, "ls"])).code).not.toBe(0);
    await ok("rmi", image);
    // by a link of the container's, and by who is there already
    await ok("exec", name, "ln", "-s", "/proc/self/fd/6", "/six");
    expect((await mydocker(["exec", "-w", "/six", name, "ls"])).code).not.toBe(0);
    expect(await ok("exec", "-w", "/proc/self/cwd/../../..", name, "pwd")).toBe("/");
    expect(await ok("exec", "-w", "/proc/1/root", name, "sh", "-c", "cd ..; ls bin/busybox")).toBe(
      "bin/busybox",
    );
  });

  test("CVE-2024-21626: only the three streams come into a container", async () => {
    const listing = "ls /proc/self/fd | tr '\\n' ' '";
    const { name } = await background("busybox", "sleep", "1000");
    // what is opened by ls itself is 3
    for (const line of [`run --rm busybox sh -c "${listing}"`, `exec ${name} sh -c "${listing}"`]) {
      const { stdout } = await shell(
        `exec 5</ 7</etc/shadow 9>/dev/null; "$0" ${line.replaceAll("$", "\\$")}`,
      );
      expect(stdout).toBe("0 1 2 3 ");
    }
    expect(await ok("exec", name, "sh", "-c", "ls /proc/1/fd | tr '\\n' ' '")).toBe("0 1 2 ");
  });

  test("CVE-2015-3627: what was opened before there was a root of the container's: the host's /dev/null", async () => {
    const before = statSync("/dev/null");
    const change = "chmod 604 /proc/self/fd/0; chown 7 /proc/self/fd/0; stat -L -c '%a %u' /proc/self/fd/0";
    expect(await says(change)).toBe("604 7");
    const { name } = await background("busybox", "sleep", "1000");
    expect(await ok("exec", name, "sh", "-c", change)).toBe("604 7");
    const { mode, uid } = statSync("/dev/null");
    if (uid !== before.uid) Bun.spawnSync(["sh", "-c", "chmod 666 /dev/null; chown 0 /dev/null"]);
    expect({ mode, uid }).toEqual({ mode: before.mode, uid: before.uid });
  });

  test("after CVE-2025-52565: the terminal of an exec, in a /dev of others where its name is another thing's the next moment", async () => {
    const dev = scratch();
    mkdirSync(`${dev}/pts`);
    for (const node of ["null c 1 3", "pts/ptmx c 5 2", "pts/other p"])
      Bun.spawnSync(["mknod", ...`${dev}/${node}`.split(" ")]);
    const swap = ["/probes/swap", "/dev/pts/ptmx", "/dev/pts/other"];
    const { name } = await background(...withProbes("swap"), "-v", `${dev}:/dev`, "busybox", ...swap);
    const seen = new Set<string>();
    const end = Date.now() + 1500;
    while (Date.now() < end || (seen.size < 2 && Date.now() < end + 20_000)) {
      const { code, stderr } = await mydocker(["exec", "-t", name, "true"]);
      expect(code).not.toBe(0);
      seen.add(stderr);
    }
    // both were found at that place, and the other one, a FIFO here, was never opened: that is no terminal (ENOTTY)
    expect([...seen].some((words) => words.includes("is not the terminal multiplexer"))).toBe(true);
    expect(seen.size).toBeGreaterThan(1);
    for (const words of seen) expect(words).not.toContain("ENOTTY");
  }, 60_000);

  test("CVE-2020-14370: variables of the caller, and of another container", async () => {
    const env = { SECRET_OF_CALLER: "x", LD_PRELOAD: "", BUN_OPTIONS: "" };
    const container = newName();
    await mydocker(["run", "--name", container, "-e", "SECRET_OF_FIRST=x", "busybox", "true"], { env });
    const { stdout } = await mydocker(["run", "--rm", "busybox", "env"], { env });
    expect(stdout.split("\n").map((line) => line.split("=")[0])).toEqual(["PATH", "HOSTNAME", "HOME", ""]);
    const { name } = await background("busybox", "sleep", "1000");
    await mydocker(["exec", "-e", "SECRET_OF_EXEC=x", name, "true"], { env });
    expect(await ok("exec", name, "env")).not.toContain("SECRET");
    expect((await mydocker(["start", "-a", container], { env })).code).toBe(0);
  });
});

describe("who a process is", () => {
  /** An image with this /etc/passwd. */
  const withPasswd = (data: string): Promise<string> =>
    imageWith({}, layerWith({ name: "etc/passwd", mode: 0o644, data }));

  test("CVE-2016-3697: a name of digits in an image's passwd makes nobody root", async () => {
    const image = await withPasswd("1000:x:0:0::/root:/bin/sh\nroot:x:0:0::/root:/bin/sh\n");
    expect(await ok("run", "--rm", "-u", "1000", image, "id", "-u")).toBe("1000");
    const { name } = await background(image, "sleep", "1000");
    expect(await ok("exec", "-u", "1000", name, "id", "-u")).toBe("1000");
    await ok("rm", "-f", name);
    await ok("rmi", image);
  });

  test("CVE-2024-40635: an id that is 0 when it is cut to 32 bits", async () => {
    for (const user of some(["4294967296", "0:4294967296", "2147483648", "18446744073709551616"])) {
      await fails(125, /invalid user or group id/, "run", "--rm", "-u", user, "busybox", "id");
      const image = await imageWith({ User: user });
      await fails(125, /invalid user or group id/, "run", "--rm", image, "id");
      await ok("rmi", image);
    }
    await fails(125, /unable to find user -1/, "run", "--rm", "-u=-1", "busybox", "id");
    // nor by way of the passwd file
    const image = await withPasswd("me:x:4294967296:0::/:/bin/sh\n");
    await fails(125, /invalid user or group id/, "run", "--rm", "-u", "me", image, "id");
    await ok("rmi", image);
  });

  test("CVE-2022-36109, CVE-2022-2989, CVE-2022-2990, CVE-2023-25173: what is denied to a group stays denied", async () => {
    const setup = "echo x > /file; chown 0:1234 /file; chmod 604 /file";
    const container = newName();
    await ok("run", "--name", container, "busybox", "sh", "-c", setup);
    const image = newName();
    await ok("commit", container, image);
    // the group is among the supplementary ones, so that leaving it as the group proper is of no use
    for (const options of [
      ["-u", "1000:1234"],
      ["-u", "1000", "--group-add", "1234"],
    ]) {
      expect((await mydocker(["run", "--rm", ...options, image, "cat", "/file"])).code).toBe(1);
      expect(await ok("run", "--rm", ...options, image, "id", "-G")).toContain("1234");
      const status = await ok("run", "--rm", ...options, image, "sh", "-c", "grep Groups: /proc/self/status");
      expect(status.split(/\s+/)).toContain("1234");
    }
    const { name } = await background(image, "sleep", "1000");
    expect((await mydocker(["exec", "-u", "1000:1234", name, "cat", "/file"])).code).toBe(1);
    expect(await ok("exec", "-u", "1000:1234", name, "grep", "Groups:", "/proc/self/status")).toContain(
      "1234",
    );
    // who is not in it may
    expect(await ok("exec", "-u", "1000:1", name, "cat", "/file")).toBe("x");
    for (const one of [container, name]) await ok("rm", "-f", one);
    await ok("rmi", image);
  });

  const sets = "grep '^Cap' /proc/self/status";
  const none = "0000000000000000";
  const parse = (text: string): Record<string, string> =>
    Object.fromEntries(text.split("\n").map((line) => line.split(/:\s*/) as [string, string]));

  test("CVE-2016-8867: who is not root has no capabilities, and no ambient ones to hand on", async () => {
    for (const options of [[], ["--cap-add", "NET_ADMIN"], ["--privileged"]]) {
      const found = parse(await ok("run", "--rm", "-u", "1000", ...options, "busybox", "sh", "-c", sets));
      expect({ options, ...found }).toMatchObject({ CapPrm: none, CapEff: none, CapAmb: none, CapInh: none });
      expect(found.CapBnd).not.toBe(none);
    }
  });

  test("CVE-2022-24769, CVE-2022-27649, CVE-2022-27651: none can be inherited in a container", async () => {
    for (const options of [[], ["--cap-add", "SYS_ADMIN"], ["--privileged"]]) {
      const found = parse(await ok("run", "--rm", ...options, "busybox", "sh", "-c", sets));
      expect({ options, ...found }).toMatchObject({ CapInh: none, CapAmb: none });
      expect(found.CapEff).not.toBe(none);
    }
  });

  test("CVE-2022-29162, CVE-2022-27650: nor by exec, whatever the caller has", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    for (const options of ["", "--privileged", "-u 1000"]) {
      // the caller has some to inherit, where it has setpriv
      const caller = existsSync("/usr/bin/setpriv") ? "setpriv --inh-caps +chown,+net_raw,+sys_admin" : "";
      const { stdout } = await shell(`${caller} "$0" exec ${options} ${name} sh -c "${sets}"`);
      expect({ options, ...parse(stdout) }).toMatchObject({ CapInh: none, CapAmb: none });
    }
  });
});

describe("what is read, loaded or run of a container", () => {
  test("CVE-2019-14271: the libraries of a container, by a client that goes into it", async () => {
    const folder = scratch();
    const marker = `${folder}/marker`;
    const library = marking(marker);
    // it does leave its mark where it is loaded
    Bun.spawnSync(["true"], { env: { LD_PRELOAD: library } });
    expect(readFileSync(marker, "utf8")).not.toBe("");
    writeFileSync(marker, "");
    const names = [
      "libc.so.6",
      "libnss_files.so.2",
      "libnss_dns.so.2",
      "libpthread.so.0",
      "libdl.so.2",
      "libm.so.6",
      "libgcc_s.so.1",
    ];
    const root = scratch();
    for (const place of [
      "lib",
      "lib64",
      "usr/lib",
      "lib/x86_64-linux-gnu",
      "lib/aarch64-linux-gnu",
      "usr/lib/x86_64-linux-gnu",
    ]) {
      mkdirSync(`${root}/${place}`, { recursive: true });
      for (const name of names) copyFileSync(library, `${root}/${place}/${name}`);
    }
    mkdirSync(`${root}/etc`);
    mkdirSync(`${root}/bin`);
    writeFileSync(`${root}/etc/ld.so.preload`, `/lib/${names[0]}\n`);
    writeFileSync(`${root}/etc/nsswitch.conf`, "passwd: files dns\ngroup: files\nhosts: files dns\n");
    copyFileSync("/bin/busybox", `${root}/bin/busybox`);
    // where it is loaded in the container's view, its mark is to be seen here all the same
    const { name } = await background(
      "-v",
      `${folder}:${folder}`,
      "--rootfs",
      root,
      "/bin/busybox",
      "sleep",
      "1000",
    );
    await ok("exec", name, "/bin/busybox", "true");
    await ok("exec", "-u", "0:0", name, "/bin/busybox", "true");
    for (const command of [
      ["top", name],
      ["stats", "--no-stream", name],
      ["logs", name],
      ["cp", `${name}:/etc/nsswitch.conf`, `${folder}/copied`],
      ["commit", name, newName()],
    ])
      await ok(...command);
    expect(readFileSync(marker, "utf8")).toBe("");
    await ok("rm", "-f", name);
    for (const image of (await ok("images", "-q")).split("\n")) await mydocker(["rmi", "-f", image]);
  });

  test("CVE-2022-1227: top runs nothing of a container's, and shows nothing that steers a terminal", async () => {
    const { name, pid } = await background("busybox", "sleep", "1000");
    const evil =
      "printf '#!/bin/sh\\ntouch /ran\\n' > /bin/p; chmod 755 /bin/p; rm -f /bin/ps /bin/nsenter; cp /bin/p /bin/ps; mv /bin/p /bin/nsenter";
    await ok("exec", name, "sh", "-c", evil);
    await ok(
      "exec",
      "-d",
      name,
      "sh",
      "-c",
      "sleep 1000; true",
      "a\u001b]0;title\u0007\u001b[31m\nb\u009b1m",
    );
    await until(async () => (await ok("top", name)).includes("title"), "the second process");
    for (const args of [[], ["-o", "pid,args"], ["-eo", "pid,comm,args"]]) {
      const text = await ok("top", name, ...args);
      expect(text).not.toMatch(/(?!\n)\p{Cc}/u);
      expect(text.split("\n")).toHaveLength(4);
      expect(text).toContain(String(pid));
    }
    expect((await mydocker(["exec", name, "ls", "/ran"])).code).toBe(1);
  });

  test("CVE-2021-43784: no length overflows: the namespaces of one with huge values are its own all the same", async () => {
    const file = `${scratch()}/env`;
    // 32 of the longest that the kernel takes, near to 4 MB
    const value = "x".repeat(120_000);
    writeFileSync(file, Array.from({ length: 15 }, (_, i) => `V${i}=${value}\n`).join(""));
    const { pid } = await background("--env-file", file, "busybox", "sleep", "1000");
    for (const [kind, link] of Object.entries(namespaces(pid)))
      expect(link).not.toBe(namespaces("self")[kind] ?? "");
    expect(readFileSync(`/proc/${pid}/environ`, "latin1")).toContain(`V14=${value}`);
    // and more than it takes is an error, of which nothing stays
    writeFileSync(file, Array.from({ length: 200 }, (_, i) => `V${i}=${value}\n`).join(""));
    expect((await mydocker(["run", "--rm", "--env-file", file, "busybox", "true"])).code).toBe(126);
  });

  test("CVE-2021-43784: no text of an image becomes more than one", async () => {
    for (const config of [
      { Env: ["A=1\0B=2"] },
      { Cmd: ["true\0exit.json"] },
      { WorkingDir: "/a\0/b" },
      { User: "0\x001" },
      { Labels: { a: "b\0/etc/c" } },
    ]) {
      const { name, code, stderr } = await tryImage(config);
      // all are refused when they are loaded; one that is not must not run, either
      if (code !== 0) {
        expect(stderr).toMatch(/^mydocker: .* is not as it must be: .*\\u0000.*\n$/);
        continue;
      }
      expect(await mydocker(["run", "--rm", "--network", "none", name])).toMatchObject({
        code: 125,
        stdout: "",
      });
    }
  });
});
