import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import {
  BINARY,
  background,
  ENV,
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

/** Runs a line of bash in which $M is the program: for what only a shell can pass on. */
async function bash(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn(["bash", "-c", line], {
    env: { ...ENV, M: BINARY },
    cwd: "/",
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

describe("arguments and variables", () => {
  const big = "x".repeat(120_000);

  test("one of the size that the kernel just allows, and thousands of them", async () => {
    expect(await ok("run", "--rm", "busybox", "sh", "-c", "expr length $1", "sh", big)).toBe(
      String(big.length),
    );
    expect(await ok("run", "--rm", "-e", `B=${big}`, "busybox", "sh", "-c", "expr length $B")).toBe(
      String(big.length),
    );
    const many = Array.from({ length: 5000 }, (_, i) => `number ${i}`);
    expect(
      await ok("run", "--rm", "busybox", "sh", "-c", "echo $#; shift 4999; echo $1", "sh", ...many),
    ).toBe("5000\nnumber 4999");
    const { name } = await background("busybox", "sleep", "1000");
    expect(await ok("exec", name, "sh", "-c", "echo $# $(expr length $1)", "sh", big, ...many)).toBe(
      "5001 120000",
    );
  });

  test("newlines, tabs, and what looks like an option or a template survive in both", async () => {
    const odd = ["a\nb", "\t", "--help", "-h", "{{.ID}}", "@CODE@", "\u0001", "%s%n", "ü\u{1f600}"];
    const show = 'for a; do printf "%s\\0" "$a"; done; printf "%s" "$ODD"';
    for (const command of [
      ["run", "--rm", "-e", `ODD=${odd.join("|")}`, "busybox"],
      ["exec", "-e", `ODD=${odd.join("|")}`, (await background("busybox", "sleep", "1000")).name],
    ]) {
      const { stdout } = await mydocker([...command, "sh", "-c", show, "sh", ...odd]);
      expect(stdout).toBe(`${odd.map((one) => `${one}\0`).join("")}${odd.join("|")}`);
    }
  });

  test("they survive a start as well, and show in ps, inspect and the classic config.json", async () => {
    const name = newName();
    const command = ["sh", "-c", 'printf "[%s]" "$@"', "sh", "a b", "", '"q"', "@TIME@", "\\", "\n"];
    const first = await mydocker(["run", "--name", name, "busybox", ...command]);
    expect(first.stdout).toBe('[a b][]["q"][@TIME@][\\][\n]');
    expect((await mydocker(["start", "-a", name])).stdout).toBe(first.stdout);
    const [seen] = JSON.parse(await ok("inspect", name));
    expect([seen.Path, ...seen.Args]).toEqual(command);
    expect(await ok("ps", "-a", "--no-trunc", "--format", "{{json .Command}}")).toContain("@TIME@");
  });

  test("bytes that are no UTF-8 arrive as given", async () => {
    const { stdout } = await bash(`$M run --rm busybox sh -c 'printf %s "$1" | od -An -tx1' sh $'a\\xffb'`);
    expect(stdout.trim()).toBe("61 ff 62");
  });
});

describe("streams of the client", () => {
  test("closed ones are /dev/null, and no descriptor of ours takes their place", async () => {
    expect(await bash("$M run --rm busybox echo hi <&-")).toEqual({ code: 0, stdout: "hi\n", stderr: "" });
    expect((await bash("$M run --rm busybox echo hi >&-")).stdout).toBe("");
    expect((await bash("$M run --rm busybox sh -c 'echo o; echo e >&2' 2>&-")).stdout).toBe("o\n");
    expect((await bash("$M run -d busybox sleep 1000 <&- >&- 2>&-")).code).toBe(0);
    await until(async () => (await ok("ps", "-q")) !== "", "the container to run");
    expect(await ok("exec", await ok("ps", "-q"), "sh", "-c", "ls /proc/1/fd | wc -l")).toBe("3");
  });

  test("run -d in a pipe lets go of it: the reader sees the end while the container runs", async () => {
    const { stdout } = await bash("timeout 30 $M run -d busybox sleep 1000 2>&1 | cat");
    expect(stdout).toMatch(/^[0-9]{10}\n$/);
    expect(await ok("ps", "-q")).toBe(stdout.trim());
  });

  test("a reader that goes away ends logs -f without a word", async () => {
    const { name } = await background("busybox", "sh", "-c", "i=0; while :; do echo $((i++)); done");
    const { stdout, stderr } = await bash(`timeout 30 $M logs -f ${name} | head -n 3`);
    expect([stdout, stderr]).toEqual(["0\n1\n2\n", ""]);
  });
});

describe("signals to the client of run", () => {
  for (const [signal, number] of [
    ["SIGINT", 2],
    ["SIGTERM", 15],
    ["SIGHUP", 1],
    ["SIGUSR1", 10],
    ["SIGQUIT", 3],
  ] as const)
    test(`${signal} is passed on`, async () => {
      const script = `trap 'exit ${100 + number}' ${number}; echo ready; while :; do sleep 0.05; done`;
      const child = start(["run", "--rm", "busybox", "sh", "-c", script]);
      const reader = child.stdout.getReader();
      expect(new TextDecoder().decode((await reader.read()).value)).toBe("ready\n");
      child.kill(signal);
      expect(await child.exited).toBe(100 + number);
    });

  test("SIGKILL takes the client alone: the container goes on, writes its log and can be managed", async () => {
    const name = newName();
    const child = start([
      "run",
      "--name",
      name,
      "busybox",
      "sh",
      "-c",
      "echo a; sleep 1; echo b; sleep 1000",
    ]);
    await until(async () => (await mydocker(["logs", name])).stdout === "a\n", "its first line");
    child.kill("SIGKILL");
    await child.exited;
    await until(async () => (await ok("logs", name)) === "a\nb", "its second line");
    expect(await ok("ps", "--format", "{{.Names}}")).toBe(name);
    expect(await ok("exec", name, "echo", "in")).toBe("in");
  });
});

describe("folders of the engine", () => {
  test("with blanks, commas, colons, backslashes, newlines and template words in their names", async () => {
    for (const odd of ["a b", "a,b:c\\d", "a\nb", "@CODE@", "{{x}}%s'\""]) {
      const [root, run] = [`${scratch()}/${odd}`, `${scratch()}/${odd}`];
      const name = newName();
      const at = ["--root", root, "--run", run];
      const id = (await mydocker([...at, "run", "-d", "--name", name, "busybox", "sleep", "1000"])).stdout;
      expect(id).toMatch(/^[0-9]{10}\n$/);
      expect((await mydocker([...at, "ps", "--format", "{{.Names}}"])).stdout).toBe(`${name}\n`);
      expect((await mydocker([...at, "exec", name, "echo", "in"])).stdout).toBe("in\n");
      expect((await mydocker([...at, "rm", "-f", name])).stdout).toBe(`${name}\n`);
      expect(existsSync(`${root}/overlay2/${id.trim()}`)).toBe(false);
    }
  });

  test("relative ones count from the current folder, and through links", async () => {
    const folder = scratch();
    mkdirSync(`${folder}/real`);
    symlinkSync("real", `${folder}/link`);
    const at = ["--root", "link/root", "--run", "link/run"];
    const result = await mydocker([...at, "run", "--rm", "--network", "none", "busybox", "echo", "in"], {
      cwd: folder,
    });
    expect(result).toEqual({ code: 0, stdout: "in\n", stderr: "" });
    expect(existsSync(`${folder}/real/root/layers`)).toBe(true);
  });

  test("only root may look into them", async () => {
    await ok("run", "--rm", "busybox", "true");
    const child = Bun.spawnSync(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls", ROOT]);
    expect(child.exitCode).not.toBe(0);
  });
});

describe("completion", () => {
  test("the bash script completes commands, flags and names of containers", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    const file = `${scratch()}/completion`;
    await bash(`$M completion bash > ${file}`);
    const complete = async (...words: string[]): Promise<string> => {
      const quoted = words.map((word) => `'${word}'`).join(" ");
      const script = `ln -sf $M ${file}.d/mydocker; PATH=${file}.d:$PATH
        source ${file}; COMP_WORDS=(mydocker ${quoted}); COMP_CWORD=${words.length}; _mydocker; echo "\${COMPREPLY[@]}"`;
      mkdirSync(`${file}.d`, { recursive: true });
      return (await bash(script)).stdout.trim();
    };
    expect(await complete("re")).toBe("restart");
    expect(await complete("run", "--env-")).toBe("--env-file");
    expect(await complete("stop", name.slice(0, -1))).toContain(name);
  });

  test("the zsh and fish scripts name every command", async () => {
    for (const shell of ["zsh", "fish"]) {
      const script = await ok("completion", shell);
      for (const command of ["run", "exec", "commit", "completion"]) expect(script).toContain(command);
    }
  });
});
