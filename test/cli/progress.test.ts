import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { Bars, openProgress, type ProgressOptions } from "../../src/cli/progress.ts";
import type { Progress } from "../../src/image/progress.ts";
import { Screen } from "./screen.ts";

function digest(name: string): string {
  return `sha256:${name.repeat(64).slice(0, 64)}`;
}
const A = digest("a");
const B = digest("b");
const C = digest("c");

/** Bars on a model of a screen, with a clock that only the test moves. */
class Stage {
  readonly screen: Screen;
  readonly bars: Bars;
  draws = 0;
  clock = 0;

  constructor(columns: number, rows: number, kind: "pull" | "push" = "pull") {
    this.screen = new Screen(columns, rows);
    const write = (text: string): void => {
      this.draws += 1;
      this.screen.write(text);
      expect(this.screen.column).toBe(0);
    };
    this.bars = new Bars({ write, size: () => this.screen }, kind, () => this.clock);
  }

  /** The next call is not too early to be drawn. */
  later(): Progress {
    this.clock += 100;
    return this.bars;
  }

  get text(): string[] {
    expect(this.screen.below).toBe(1);
    return this.screen.text;
  }
}

describe("on a terminal", () => {
  test("each layer has its line, drawn over in place, with the cursor below", () => {
    const stage = new Stage(80, 24);
    stage.bars.line("latest: Pulling from library/busybox");
    expect(stage.text).toEqual(["latest: Pulling from library/busybox"]);
    stage.later().layer(A, "waiting");
    stage.later().layer(B, "waiting");
    const [a, b] = ["aaaaaaaaaaaa", "bbbbbbbbbbbb"];
    expect(stage.text.slice(1)).toEqual([`${a}: Pulling fs layer`, `${b}: Pulling fs layer`]);
    stage.later().layer(A, "downloading", 500, 1000);
    expect(stage.text[1]).toMatch(/^a+: Downloading \[=+> +\] {5}500B\/1kB$/);
    stage.later().layer(A, "downloaded");
    stage.later().layer(B, "exists");
    // shorter than what was there before
    expect(stage.text.slice(1)).toEqual([`${a}: Download complete`, `${b}: Already exists`]);
    stage.later().layer(A, "done");
    stage.bars.end();
    expect(stage.text.slice(1)).toEqual([`${a}: Pull complete`, `${b}: Already exists`]);
  });

  test("what is said in between stands above, what is said at the end below", () => {
    const stage = new Stage(80, 24);
    stage.bars.layer(A, "downloading", 1, 2);
    stage.bars.line(`a warning ${"w".repeat(100)}`);
    stage.later().layer(A, "done");
    stage.bars.line("Digest: sha256:0");
    stage.bars.line("Status: Downloaded");
    stage.bars.end();
    expect(stage.text).toEqual([
      `a warning ${"w".repeat(70)}`,
      "w".repeat(30),
      "aaaaaaaaaaaa: Pull complete",
      "Digest: sha256:0",
      "Status: Downloaded",
    ]);
  });

  test("ten drawings a second, the first at once and the last always", () => {
    const stage = new Stage(80, 24);
    for (stage.clock = 0; stage.clock < 1000; stage.clock += 1)
      stage.bars.layer(A, "downloading", stage.clock, 1000);
    // what was too early waits for a timer, which this test's clock does not move
    expect(stage.draws).toBe(1);
    stage.bars.layer(A, "done");
    stage.bars.end();
    expect(stage.draws).toBe(2);
    expect(stage.text).toEqual(["aaaaaaaaaaaa: Pull complete"]);
    stage.bars.end();
    expect(stage.draws).toBe(2);
  });

  test("what was too early is drawn a little later", async () => {
    const stage = new Stage(80, 24);
    stage.bars.layer(A, "waiting");
    stage.clock += 99;
    stage.bars.layer(A, "verifying");
    expect(stage.text).toEqual(["aaaaaaaaaaaa: Pulling fs layer"]);
    for (const end = Date.now() + 5000; stage.draws < 2 && Date.now() < end; ) await Bun.sleep(1);
    expect(stage.text).toEqual(["aaaaaaaaaaaa: Verifying Checksum"]);
  });

  test("nothing is written where nothing has changed", () => {
    const stage = new Stage(80, 24);
    stage.later().layer(A, "waiting");
    stage.later().layer(A, "waiting");
    expect(stage.draws).toBe(1);
  });

  test("more layers than rows: those that are over scroll away, none is lost or doubled", () => {
    const stage = new Stage(60, 6);
    const all = [..."0123456789defghijklm"].map(digest);
    stage.bars.line("latest: Pulling from library/large");
    for (const one of all) stage.later().layer(one, "waiting");
    expect(stage.text).toHaveLength(1 + 5);
    expect(stage.text.at(-1)).toBe("... and 16 more");
    for (const one of all) {
      stage.later().layer(one, "downloading", 1, 2);
      expect(stage.text.slice(-5).join("\n")).toContain(`${one.slice(7, 19)}: Downloading`);
      stage.later().layer(one, "done");
    }
    stage.bars.line("Digest: sha256:0");
    stage.bars.end();
    expect(stage.text).toEqual([
      "latest: Pulling from library/large",
      ...all.map((one) => `${one.slice(7, 19)}: Pull complete`),
      "Digest: sha256:0",
    ]);
  });

  test("a window that changes: wider, lower, narrower", () => {
    const stage = new Stage(60, 24);
    for (const one of [A, B, C]) stage.later().layer(one, "downloading", 1, 2);
    stage.screen.columns = 100;
    stage.later().layer(A, "downloading", 3, 4);
    expect(stage.text).toHaveLength(3);
    expect(stage.text[0]?.length).toBeGreaterThan(60);
    // too narrow for what is there: that is not touched any more
    stage.screen.columns = 50;
    stage.later().layer(A, "waiting");
    expect(stage.text.slice(3)).toEqual([
      "aaaaaaaaaaaa: Pulling fs layer",
      ...["b", "c"].map((one) => expect.stringMatching(new RegExp(`^${one}{12}: Downloading .{1,24}$`))),
    ]);
    stage.later().layer(A, "done");
    stage.screen.rows = 3;
    stage.later().layer(B, "extracting", 1, 2);
    stage.bars.end();
    expect(stage.text.slice(-3)).toEqual([
      "aaaaaaaaaaaa: Pull complete",
      expect.stringMatching(/^b{12}: Extracting/),
      expect.stringMatching(/^c{12}: Downloading/),
    ]);
  });

  test("texts of a registry stay texts", () => {
    const stage = new Stage(80, 24, "push");
    stage.bars.line("\x1b]0;title\x07\x1b[2Jevil\nlines");
    stage.later().layer("sha256:\x1b[31m\r\n文", "mounted", 0, 0, "a/\x1b[1mb\x9b");
    expect(stage.text).toEqual(["?]0;title??[2Jevil?lines", "?[31m???: Mounted from a/?[1mb?"]);
  });
});

/** What is written to a file. */
function toFile(kind: ProgressOptions["kind"], quiet: boolean, work: (progress: Progress) => void): string {
  const path = `/var/tmp/mydocker-progress-${process.pid}`;
  const fd = openSync(path, "w");
  try {
    work(openProgress({ fd, quiet, kind }));
    return readFileSync(path, "utf8");
  } finally {
    closeSync(fd);
    rmSync(path);
  }
}

function pullTwo(progress: Progress): void {
  progress.line("latest: Pulling from library/busy\x1bbox");
  progress.layer(A, "waiting");
  progress.layer(B, "exists");
  for (let at = 0; at < 100; at++) progress.layer(A, "downloading", at, 100);
  for (const left of [2, 1]) progress.layer(A, "retrying", 0, 0, left);
  progress.layer(A, "downloading", 1, 100);
  progress.layer(A, "retrying", 0, 0, 4);
  progress.layer(A, "waiting");
  progress.layer(A, "verifying");
  progress.layer(A, "downloaded");
  progress.layer(A, "extracting", 1, 100);
  progress.layer(A, "done");
  progress.layer(A, "done");
  progress.line("Status: done");
  progress.end();
}

describe("elsewhere", () => {
  test("a line for each state, as it comes", () => {
    expect(toFile("pull", false, pullTwo).split("\n")).toEqual([
      "latest: Pulling from library/busy?box",
      "aaaaaaaaaaaa: Pulling fs layer",
      "bbbbbbbbbbbb: Already exists",
      "aaaaaaaaaaaa: Retrying in 2 seconds",
      "aaaaaaaaaaaa: Retrying in 4 seconds",
      "aaaaaaaaaaaa: Verifying Checksum",
      "aaaaaaaaaaaa: Download complete",
      "aaaaaaaaaaaa: Pull complete",
      "Status: done",
      "",
    ]);
  });

  test("a push", () => {
    const text = toFile("push", false, (progress) => {
      for (const one of [A, B, C]) progress.layer(one, "waiting");
      progress.layer(A, "pushing", 1, 2);
      progress.layer(B, "mounted", 0, 0, "library/busybox");
      progress.layer(C, "exists");
      progress.layer(A, "pushed");
      progress.end();
    });
    expect(text.split("\n").slice(3)).toEqual([
      "bbbbbbbbbbbb: Mounted from library/busybox",
      "cccccccccccc: Layer already exists",
      "aaaaaaaaaaaa: Pushed",
      "",
    ]);
  });

  test("quiet", () => {
    expect(toFile("pull", true, pullTwo)).toBe("");
  });
});
