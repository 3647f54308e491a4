/** What each process of a container has for itself: its limits, and how readily it is killed. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { background, fails, mydocker, newName, ok, ROOT, suite, testWhere } from "./harness.ts";

suite();

describe("--ulimit", () => {
  const shown = (name: string): string =>
    `grep -i '^max ${name}' /proc/self/limits | sed 's/  */ /g; s/ $//'`;

  test("of run, of exec, over a restart, for any user", async () => {
    const flags = ["--ulimit", "nofile=100:200", "--ulimit", "core=0", "-u", "nobody"];
    const { name } = await background(...flags, "busybox", "sleep", "1000");
    for (let run = 0; run < 2; run++) {
      expect(await ok("exec", name, "sh", "-c", shown("open files"))).toBe("Max open files 100 200 files");
      expect(await ok("exec", name, "sh", "-c", shown("core"))).toBe("Max core file size 0 0 bytes");
      const pid = await ok("inspect", "-f", "{{.State.Pid}}", name);
      expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(/Max open files +100 +200/);
      await ok("restart", "-t", "0", name);
    }
    expect(await ok("inspect", "-f", "{{json .HostConfig.Ulimits}}", name)).toBe(
      '[{"Name":"core","Hard":0,"Soft":0},{"Name":"nofile","Hard":200,"Soft":100}]',
    );
  });

  test("is enforced: open files, and the size of a file", async () => {
    const open = 'i=3; while [ $i -lt 40 ]; do eval "exec $i</dev/null" || exit 9; i=$((i+1)); done';
    expect(
      (await mydocker(["run", "--rm", "--ulimit", "nofile=20", "busybox", "sh", "-c", open])).code,
    ).not.toBe(0);
    const { code } = await mydocker([
      "run",
      "--rm",
      "--ulimit",
      "fsize=1000",
      "busybox",
      "sh",
      "-c",
      "head -c 5000 /dev/zero > /x",
    ]);
    expect(code).not.toBe(0);
  });

  test("a hard limit that cannot be raised is as high as it is, and said so", async () => {
    const { code, stdout, stderr } = await mydocker([
      "run",
      "--rm",
      "--ulimit",
      "nofile=2147483648",
      "busybox",
      "sh",
      "-c",
      "ulimit -Hn",
    ]);
    expect(code).toBe(0);
    expect(Number(stdout)).toBeGreaterThan(0);
    const reason = hasSysResource() ? "above fs\\.nr_open, which is [0-9]+" : "without CAP_SYS_RESOURCE";
    const warning = new RegExp(
      `^mydocker: warning: --ulimit nofile: the hard limit cannot be raised to 2147483648 ${reason}: it is ${stdout.trim()}\n$`,
    );
    expect(stderr).toMatch(warning);
    const { name } = await background("--ulimit", "nofile=2147483648", "busybox", "sleep", "1000");
    for (const command of [
      ["exec", name, "true"],
      ["restart", "-t", "0", name],
      ["stop", "-t", "0", name],
      ["start", name],
    ]) {
      const again = await mydocker(command);
      expect({ command, code: again.code }).toEqual({ command, code: 0 });
      if (command[0] !== "stop") expect(again.stderr).toMatch(warning);
    }
  });

  test("none is written down as the specification has it, and holds over a start and an update", async () => {
    const { name, id } = await background(
      "--ulimit",
      "cpu=7:-1",
      "--ulimit",
      "as=-1",
      "busybox",
      "sleep",
      "1000",
    );
    await ok("update", "--pids-limit", "77", name);
    await ok("restart", "-t", "0", name);
    const text = readFileSync(`${ROOT}/containers/${id}/config.json`, "utf8");
    expect(text).toContain('{"type":"RLIMIT_CPU","soft":7,"hard":18446744073709551615}');
    expect(text).toContain('{"type":"RLIMIT_AS","soft":18446744073709551615,"hard":18446744073709551615}');
    const pid = await ok("inspect", "-f", "{{.State.Pid}}", name);
    expect(readFileSync(`/proc/${pid}/limits`, "utf8")).toMatch(/^Max cpu time +7 +unlimited/m);
    expect(await ok("exec", name, "sh", "-c", "ulimit -Ht; ulimit -v")).toBe("unlimited\nunlimited");
    expect(await ok("run", "--rm", "busybox", "sh", "-c", "ulimit -t")).toBe("unlimited");
  });

  test.each([
    ["nofile", /invalid ulimit argument: nofile/],
    ["nofile=a", /invalid ulimit argument/],
    ["nofle=1", /invalid ulimit type: nofle: there are .*nofile/],
    ["nofile=5:3", /soft limit must be less than or equal to hard limit: 5 > 3/],
    ["nofile=-1:3", /-1 \(unlimited\) > 3/],
    ["nofile=-2", /-1 is no limit/],
  ])("%s is refused", async (ulimit, words) => {
    await fails(125, words, "run", "--ulimit", ulimit, "busybox", "true");
  });
});

function hasSysResource(): boolean {
  const effective = /^CapEff:\s*(\S+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${effective}`) >> 24n) & 1n) === 1n;
}

describe("--oom-score-adj", () => {
  test("of the program, of exec, over a restart", async () => {
    const { name, pid } = await background("--oom-score-adj", "321", "busybox", "sleep", "1000");
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8")).toBe("321\n");
    expect(await ok("exec", name, "cat", "/proc/self/oom_score_adj")).toBe("321");
    await ok("restart", "-t", "0", name);
    expect(await ok("exec", name, "cat", "/proc/1/oom_score_adj")).toBe("321");
    expect(await ok("inspect", "-f", "{{.HostConfig.OomScoreAdj}}", name)).toBe("321");
    await fails(125, /the range is from -1000 to 1000/, "run", "--oom-score-adj", "1001", "busybox", "true");
  });

  testWhere(
    !hasSysResource(),
    "it may lower it",
    "lowering it without the right is refused, and nothing is left",
    async () => {
      const name = newName();
      await fails(
        125,
        /needs CAP_SYS_RESOURCE/,
        "run",
        "--name",
        name,
        "--oom-score-adj=-500",
        "busybox",
        "true",
      );
      expect(await ok("ps", "-aq")).toBe("");
    },
  );
});
