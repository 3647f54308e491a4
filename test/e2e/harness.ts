/**
 * Runs the built executable as a user does, on folders of its own, and looks at the kernel's view of the result.
 * $MYDOCKER names another executable; MYDOCKER_VM=1 says that this is the virtual machine.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { leftovers } from "./leftovers.ts";
import { BINARY, ENV, ROOT, RUN } from "./place.ts";

export * from "./kernel.ts";
export * from "./leftovers.ts";
export * from "./place.ts";

/** The virtual machine: one CPU, and system calls that take their time. */
export const SLOW = process.env.MYDOCKER_VM !== undefined;

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Options {
  readonly stdin?: string | Uint8Array;
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly timeout?: number;
}

/** Runs `mydocker ARGS` to its end. */
export async function mydocker(args: readonly string[], options: Options = {}): Promise<Result> {
  const child = start(args, options);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** Runs a line of the shell to its end, with the engine's folders and its executable as $0. */
export async function shell(line: string): Promise<Result> {
  const child = Bun.spawn(["sh", "-c", line, BINARY], { env: ENV, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr };
}

/** Starts `mydocker ARGS` and leaves it to the test. */
export function start(args: readonly string[], options: Options = {}) {
  return Bun.spawn([BINARY, ...args], {
    env: { ...ENV, ...options.env },
    cwd: options.cwd ?? "/",
    stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin as string]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: options.timeout ?? 60_000,
    killSignal: "SIGKILL",
  });
}

/** Runs and expects success; returns stdout without the last newline. */
export async function ok(...args: string[]): Promise<string> {
  const result = await mydocker(args);
  expect({ args, ...result }).toMatchObject({ code: 0 });
  return result.stdout.replace(/\n$/, "");
}

/** Runs and expects one clear line on stderr, nothing on stdout, and this exit code. */
export async function fails(code: number, words: RegExp, ...args: string[]): Promise<void> {
  const result = await mydocker(args);
  expect({ args, ...result }).toMatchObject({ code, stdout: "" });
  expect(result.stderr).toMatch(words);
  expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
}

let counter = 0;

/** A container name that no other test uses. */
export function newName(prefix = "t"): string {
  return `${prefix}-${process.pid}-${counter++}`;
}

/** Starts `run -d` with a new name; returns name, id and the pid of its first process. */
export async function background(...args: string[]): Promise<{ name: string; id: string; pid: number }> {
  const name = newName();
  const id = await ok("run", "-d", "--name", name, ...args);
  return { name, id, pid: Number(await ok("inspect", "-f", "{{.State.Pid}}", name)) };
}

/** Polls until `look` gives something true; fails after `seconds`. */
export async function until<T>(look: () => T | Promise<T>, what: string, seconds = 15): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain: ${what}`);
    await Bun.sleep(10);
  }
}

/** Removes every container of the test that has just run, and says if that leaves anything. */
async function cleanUp(): Promise<void> {
  const listed = await mydocker(["ps", "-aq"]);
  const ids = listed.stdout.split("\n").filter((id) => id !== "");
  const removed = ids.length > 0 ? await mydocker(["rm", "-f", "-v", ...ids]) : listed;
  await until(() => leftovers().length === 0, "nothing to be left").catch(() => {
    throw new Error(`left behind: ${leftovers().join("; ")} ${removed.stderr}`);
  });
}

/** To be called once at the top of each test file: cleans up after each test, and checks that nothing is left. */
export function suite(): void {
  // what a kernel cannot do is said once, when the first network is made: not to be a part of a test's output
  if (SLOW) beforeAll(async () => void (await shell("$0 network create first && $0 network rm first")));
  afterEach(cleanUp, 60_000);
  afterAll(async () => {
    (await import("./networks.ts")).removeNetworks();
    rmSync(ROOT, { recursive: true, force: true });
    rmSync(RUN, { recursive: true, force: true });
    for (const folder of scratches.splice(0)) rmSync(folder, { recursive: true, force: true });
  });
}

/** A test of what this kernel or machine may lack; the reason is printed, and .ci/test knows which skips are expected. */
export function testWhere(able: boolean, reason: string, name: string, body: () => Promise<void>): void {
  if (able) test(name, body);
  else {
    process.stderr.write(`skipped: ${name}: ${reason}\n`);
    test.skip(name, body);
  }
}

/** The same for a group of tests. */
export function describeWhere(able: boolean, reason: string, name: string, body: () => void): void {
  if (able) describe(name, body);
  else testWhere(false, reason, name, () => Promise.resolve());
}

const scratches: string[] = [];

/** A folder of the test's own, removed when its file is done. */
export function scratch(): string {
  const folder = `${ROOT}-scratch-${counter++}`;
  mkdirSync(folder, { recursive: true });
  scratches.push(folder);
  return folder;
}

/** A program under a terminal of the test's own: what it wrote, and a way to type. */
export class Session {
  private text = "";
  readonly child: Bun.Subprocess;

  constructor(args: readonly string[], size = { cols: 80, rows: 24 }) {
    this.child = Bun.spawn([BINARY, ...args], {
      env: { ...ENV, TERM: "xterm" },
      cwd: "/",
      terminal: {
        ...size,
        data: (_terminal, data) => {
          this.text += new TextDecoder().decode(data);
        },
      },
    });
  }

  get output(): string {
    return this.text;
  }

  type(keys: string): void {
    this.child.terminal?.write(keys);
  }

  resize(cols: number, rows: number): void {
    this.child.terminal?.resize(cols, rows);
  }

  /** Waits until the output fits. */
  async see(words: RegExp): Promise<void> {
    await until(() => words.test(this.text), `${words} in ${JSON.stringify(this.text)}`);
  }

  async end(): Promise<number> {
    return this.child.exited;
  }
}
