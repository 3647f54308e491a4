import { describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import {
  background,
  cgroupFolder,
  cgroupsLeft,
  fails,
  leftovers,
  monitors,
  mountsLeft,
  mydocker,
  newName,
  ok,
  ROOT,
  SLOW,
  scratch,
  start,
  suite,
  testWhere,
  until,
} from "./harness.ts";

suite();

describe("kill -9 and concurrency", () => {
  test("the client of run -d killed at many moments: nothing half-made, and everything goes on working", async () => {
    await ok("run", "--rm", "busybox", "true");
    let made = 0;
    for (let round = 0; round < (SLOW ? 15 : 60); round++) {
      const name = newName("victim");
      const child = start(["run", "-d", "--name", name, "busybox", "sleep", "1000"]);
      await Bun.sleep(round * (SLOW ? 8 : 0.4));
      child.kill("SIGKILL");
      await child.exited;
      const shown = await ok("ps", "--format", "{{.Names}}");
      // what is shown to run does run, and can be entered
      if (shown.split("\n").includes(name)) {
        made++;
        const entered = await mydocker(["exec", name, "true"]);
        // unless the monitor was just about to take it down
        if (entered.code !== 0) expect(entered.stderr).toMatch(/No such container|is not running/);
        await ok("rm", "-f", name);
      }
    }
    // the monitors of those that were not committed take them down; ps -a shows only whole ones
    await until(async () => (await ok("ps", "-aq")) === "", "half-made containers to go");
    await until(() => leftovers().length === 0, "nothing to be left");
    expect(made).toBeGreaterThanOrEqual(0);
    expect(await ok("run", "--rm", "busybox", "echo", "works")).toBe("works");
  }, 120_000);

  test("client and monitor killed together: the next command collects what they left", async () => {
    for (let round = 0; round < (SLOW ? 4 : 12); round++) {
      const child = start(["run", "-d", "--name", newName("victim"), "busybox", "sleep", "1000"]);
      await Bun.sleep(4 + round * (SLOW ? 20 : 1.2));
      child.kill("SIGKILL");
      for (const monitor of monitors()) process.kill(monitor, "SIGKILL");
      await child.exited;
    }
    const ids = (await ok("ps", "-aq")).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await ok("rm", "-f", ...ids);
    await until(async () => {
      await ok("ps", "-a");
      return leftovers().length === 0;
    }, "nothing to be left");
  }, 60_000);

  test("50 runs at once, 20 of them with one name: exactly one wins it", async () => {
    const name = newName("contested");
    const others = Array.from({ length: 30 }, () => newName("own"));
    const names = [...others, ...Array.from({ length: 20 }, () => name)].sort(() => Math.random() - 0.5);
    const results = await Promise.all(
      names.map((one) => mydocker(["run", "-d", "--name", one, "busybox", "sleep", "1000"])),
    );
    const winners = results.filter((_, index) => names[index] === name).filter(({ code }) => code === 0);
    expect(winners).toHaveLength(1);
    for (const [index, result] of results.entries())
      if (names[index] !== name) expect(result).toMatchObject({ code: 0, stderr: "" });
      else if (result.code !== 0) expect(result.stderr).toContain(`"${name}" is already in use by container`);
    expect((await ok("ps", "-q")).split("\n")).toHaveLength(31);
    expect(readdirSync(`${ROOT}/containers`)).toHaveLength(31);
    expect(mountsLeft()).toHaveLength(31);
  }, 120_000);

  test("many removals of one container at once: it goes once, and none fails badly", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    const results = await Promise.all(Array.from({ length: 8 }, () => mydocker(["rm", "-f", name])));
    expect(results.filter(({ code }) => code !== 0)).toEqual([]);
    expect([...mountsLeft(), ...cgroupsLeft()]).toEqual([]);
  });

  test("what still runs in a container's group is killed, and the group goes: by rm, by start, by who collects", async () => {
    const guests: Bun.Subprocess[] = [];
    /** Puts a process of the host, which does not die with the container, into the container's group. */
    const invite = (id: string): void => {
      const guest = Bun.spawn(["/bin/busybox", "sleep", "1000"]);
      guests.push(guest);
      writeFileSync(`${cgroupFolder(id, "pids")}/cgroup.procs`, String(guest.pid));
    };
    const removed = await background("busybox", "sleep", "1000");
    invite(removed.id);
    await ok("rm", "-f", removed.name);
    expect(cgroupsLeft()).toEqual([]);

    const again = await background("busybox", "sleep", "1000");
    invite(again.id);
    await ok("stop", "-t", "0", again.name);
    await ok("start", again.name);
    const procs = readFileSync(`${cgroupFolder(again.id, "pids")}/cgroup.procs`, "utf8").trim();
    expect(procs).toBe(await ok("inspect", "-f", "{{.State.Pid}}", again.name));
    await ok("rm", "-f", again.name);

    const garbage = await background("busybox", "sleep", "1000");
    invite(garbage.id);
    for (const monitor of monitors()) process.kill(monitor, "SIGKILL");
    rmSync(`${ROOT}/containers/${garbage.id}/record.json`);
    await until(async () => {
      await ok("ps", "-a");
      return leftovers().length === 0;
    }, "the garbage to go");

    for (const guest of guests) {
      await guest.exited;
      expect(guest.signalCode).toBe("SIGKILL");
    }
  });

  test("a damaged record is named by ps -a, the rest is listed, and rm -f removes it", async () => {
    const whole = await background("busybox", "sleep", "1000");
    const name = newName();
    await ok("run", "--name", name, "busybox", "true");
    const id = await ok("inspect", "-f", "{{.Id}}", name);
    await until(async () => (await mydocker(["ps", "-aq"])).stdout.includes(id), "the record");
    writeFileSync(`${ROOT}/containers/${id}/record.json`, '{"id":"12');
    const listed = await mydocker(["ps", "-a", "--format", "{{.ID}}"]);
    expect(listed.stdout).toContain(whole.id);
    expect(listed.stderr).toContain(`the record of container ${id} is damaged`);
    await ok("rm", "-f", id);
    expect(existsSync(`${ROOT}/containers/${id}`)).toBe(false);
    await ok("run", "--name", name, "busybox", "true");
  });
});

describe("hostile surroundings", () => {
  test("bunfig.toml, .env, package.json and tsconfig.json of the current folder change nothing", async () => {
    const folder = scratch();
    writeFileSync(
      `${folder}/evil.ts`,
      `require("node:fs").writeFileSync("${folder}/ran", ""); console.log("EVIL");`,
    );
    writeFileSync(`${folder}/bunfig.toml`, 'preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n');
    writeFileSync(`${folder}/.env`, "MYDOCKER_ROOT=/nonexistent\nEVIL=1\nPATH=/evil\n");
    writeFileSync(
      `${folder}/package.json`,
      '{"name":"evil","main":"evil.ts","type":"commonjs","imports":{"#x":"./evil.ts"}}',
    );
    writeFileSync(`${folder}/tsconfig.json`, '{"compilerOptions":{"paths":{"*":["./evil.ts"]}}}');
    mkdirSync(`${folder}/node_modules/citty`, { recursive: true });
    copyFileSync(`${folder}/evil.ts`, `${folder}/node_modules/citty/index.js`);
    for (const args of [
      ["run", "--rm", "-e", "EVIL", "busybox", "env"],
      ["help"],
      ["run", "--help"],
      ["images"],
    ]) {
      const result = await mydocker(args, { cwd: folder });
      expect({ args, ...result }).toMatchObject({ code: 0, stderr: "" });
      expect(result.stdout).not.toContain("EVIL");
    }
    expect(existsSync(`${folder}/ran`)).toBe(false);
  });

  test("variables that Bun and the loader listen to do not reach the container or change the program", async () => {
    const { stdout, code } = await mydocker(["run", "--rm", "busybox", "env"], {
      env: {
        NODE_OPTIONS: "--require=/x",
        BUN_CONFIG_VERBOSE_FETCH: "1",
        LD_LIBRARY_PATH: "/evil",
      },
    });
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/BUN|NODE|LD_|MYDOCKER/);
  });

  test("an image's own links lead no mount, file or working folder outside", async () => {
    const folder = scratch();
    mkdirSync(`${folder}/bin`);
    copyFileSync("/bin/busybox", `${folder}/bin/sh`);
    const outside = scratch();
    const links = {
      dev: `${outside}/d`,
      etc: `${outside}/e`,
      work: "../../w",
      vol: outside,
    };
    for (const [name, target] of Object.entries(links))
      Bun.spawnSync(["ln", "-s", target, `${folder}/${name}`]);
    const flags = ["--rm", "--rootfs", "-w", "/work/here", "-v", `${folder}/bin:/vol/in`];
    const run = ["run", ...flags, folder, "sh", "-c", "echo in"];
    expect(await mydocker(run)).toEqual({ code: 0, stdout: "in\n", stderr: "" });
    // what is masked in these two is looked for by their names
    for (const name of ["proc", "sys"]) {
      Bun.spawnSync(["ln", "-s", `..${outside}/${name}`, `${folder}/${name}`]);
      await fails(125, new RegExp(`cannot set up /${name} in the container: it is a link`), ...run);
      Bun.spawnSync(["rm", `${folder}/${name}`]);
    }
    expect(readdirSync(outside)).toEqual([]);
  });
});

const DEBIAN = "/var/cache/mydocker-test/debian.tar.gz";

testWhere(
  existsSync(DEBIAN),
  `${DEBIAN} is missing (.ci/setup makes it)`,
  "a Debian root file system: unpacked, run, changed, committed",
  async () => {
    mkdirSync(`${ROOT}/image`, { recursive: true });
    copyFileSync(DEBIAN, `${ROOT}/image/debian.tar`);
    expect(
      await ok("run", "--rm", "debian", "sh", "-c", ". /etc/os-release; echo $ID; dpkg -l | grep -c '^ii'"),
    ).toMatch(/^debian\n[0-9]{2,}$/);
    expect(
      await ok(
        "run",
        "--rm",
        "-u",
        "www-data",
        "debian",
        "bash",
        "-c",
        "id -un; ls /root 2>&1; perl -e 'print 6*7'",
      ),
    ).toMatch(/^www-data\nls: cannot open directory '\/root': Permission denied\n42$/);
    const name = newName();
    await ok(
      "run",
      "--name",
      name,
      "debian",
      "bash",
      "-c",
      "useradd -m someone && su someone -c 'echo mine >~/f'",
    );
    await ok("commit", name, "debian2");
    expect(
      await ok(
        "run",
        "--rm",
        "-u",
        "someone",
        "-w",
        "/home/someone",
        "debian2",
        "bash",
        "-c",
        "cat f; stat -c %U f; getcap /usr/bin/ping 2>/dev/null; echo done",
      ),
    ).toContain("mine\nsomeone\n");
    await ok("rmi", "debian2");
  },
);
