import { describe, expect, test } from "bun:test";
import { harmless } from "../../src/cli/harmless.ts";
import { describeRow, drawRow, fitRows, layOut, type Row } from "../../src/cli/progress-bars.ts";
import type { LayerState } from "../../src/image/progress.ts";

const ID = "a1b2c3d4e5f6";

function row(state: LayerState, at = 0, of = 0, note = "", digest = `sha256:${ID}${"0".repeat(52)}`): Row {
  return { digest, state, at, of, note };
}

describe("the words are Docker's", () => {
  const pull: [LayerState, string][] = [
    ["waiting", "Pulling fs layer"],
    ["verifying", "Verifying Checksum"],
    ["downloaded", "Download complete"],
    ["done", "Pull complete"],
    ["exists", "Already exists"],
  ];
  const push: [LayerState, string][] = [
    ["waiting", "Preparing"],
    ["pushed", "Pushed"],
    ["exists", "Layer already exists"],
  ];
  for (const [state, words] of pull)
    test(`pull: ${state}`, () => expect(describeRow(row(state), "pull")).toBe(`${ID}: ${words}`));
  for (const [state, words] of push)
    test(`push: ${state}`, () => expect(describeRow(row(state), "push")).toBe(`${ID}: ${words}`));

  test("with a note", () => {
    expect(describeRow(row("retrying", 0, 0, "5"), "pull")).toBe(`${ID}: Retrying in 5 seconds`);
    expect(describeRow(row("retrying", 0, 0, "1"), "pull")).toBe(`${ID}: Retrying in 1 second`);
    expect(describeRow(row("retrying"), "pull")).toBe(`${ID}: Retrying`);
    expect(describeRow(row("mounted", 0, 0, "library/busybox"), "push")).toBe(
      `${ID}: Mounted from library/busybox`,
    );
  });
});

describe("bars", () => {
  test("as wide as Docker's, and right at both ends", () => {
    const draw = (at: number, of: number): string => drawRow(row("downloading", at, of), "pull", 200);
    expect(draw(12_300_000, 45_600_000)).toBe(
      `${ID}: Downloading [=============>                                     ]   12.3MB/45.6MB`,
    );
    expect(draw(1, 1000)).toBe(`${ID}: Downloading [>${" ".repeat(50)}]       1B/1kB`);
    expect(draw(1000, 1000)).toBe(`${ID}: Downloading [${"=".repeat(50)}>]      1kB/1kB`);
    expect(drawRow(row("extracting", 1, 2), "pull", 200)).toStartWith(`${ID}: Extracting [====`);
    expect(drawRow(row("pushing", 1, 2), "push", 200)).toStartWith(`${ID}: Pushing [====`);
  });

  test("without a total, or with a wrong one, there is only a number", () => {
    expect(drawRow(row("downloading", 1500), "pull", 200)).toBe(`${ID}: Downloading    1.5kB`);
    expect(drawRow(row("downloading", 1500, 1000), "pull", 200)).toBe(`${ID}: Downloading    1.5kB`);
    expect(drawRow(row("downloading"), "pull", 200)).toBe(`${ID}: Downloading`);
  });

  test("never wider than the window: first the bar shrinks, then it goes, then the rest is cut", () => {
    const seen = new Set<string>();
    for (let columns = 1; columns <= 120; columns++) {
      const text = drawRow(row("downloading", 12_300_000, 45_600_000), "pull", columns);
      expect(text.length).toBeLessThanOrEqual(columns);
      seen.add(`${text.includes("[") ? "bar" : ""} ${text.endsWith("45.6MB") ? "numbers" : ""}`);
    }
    expect([...seen]).toEqual([" ", " numbers", "bar numbers"]);
    const narrow = drawRow(row("downloading", 12_300_000, 45_600_000), "pull", 80);
    expect(narrow).toBe(`${ID}: Downloading [=========>${" ".repeat(26)}]   12.3MB/45.6MB`);
    expect(narrow).toHaveLength(80);
    expect(drawRow(row("mounted", 0, 0, "x".repeat(100)), "push", 30)).toBe(`${ID}: Mounted from xxx`);
  });
});

describe("more layers than lines", () => {
  const rows = (...states: LayerState[]): Row[] =>
    states.map((state, at) => row(state, 0, 0, "", `sha256:${at}`));
  const ids = (some: readonly Row[]): string => some.map(({ digest }) => digest.slice(7)).join(" ");

  test("all where there is room", () => {
    const all = rows("done", "downloading", "waiting");
    expect(fitRows(all, 3)).toEqual({ gone: [], shown: all, hidden: 0 });
  });

  test("those that are over make place, and no more of them than needed", () => {
    const { gone, shown, hidden } = fitRows(rows("done", "downloading", "exists", "waiting", "done"), 3);
    expect([ids(gone), ids(shown), hidden]).toEqual(["0 2", "1 3 4", 0]);
  });

  test("then those that something happens with come first, each in its place", () => {
    const { gone, shown, hidden } = fitRows(
      rows("waiting", "waiting", "retrying", "done", "waiting", "extracting"),
      4,
    );
    expect([ids(gone), ids(shown), hidden]).toEqual(["3", "0 2 5", 2]);
    expect(layOut({ gone, shown, hidden }, "pull", 80)).toEqual([
      "0: Pulling fs layer",
      "2: Retrying",
      "5: Extracting",
      "... and 2 more",
    ]);
    expect(layOut({ gone, shown, hidden }, "pull", 6)).toEqual(["0: Pul", "2: Ret", "5: Ext", "... an"]);
  });

  test("one line", () => {
    const { shown, hidden } = fitRows(rows("downloading", "downloading"), 1);
    expect([shown, hidden]).toEqual([[], 2]);
  });
});

test("what a registry says cannot steer the terminal", () => {
  expect(harmless("a\x1b[2Jb\r\nc\x07\x9b\x7f\u202ed\u2028é文")).toBe("a?[2Jb??c????d?é文");
});
