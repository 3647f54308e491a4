import { describe, expect, test } from "bun:test";
import { Screen } from "./screen.ts";

/** A program under a real terminal, or with a pipe, that pulls two layers and writes a word to stderr at its end. */
const PROGRAM = `
  const { openProgress } = await import(${JSON.stringify(new URL("../../src/cli/progress.ts", import.meta.url).pathname)});
  const progress = openProgress({ fd: 1, quiet: false, kind: "pull" });
  progress.line("latest: Pulling from library/busybox");
  const [a, b] = ["sha256:" + "a".repeat(64), "sha256:" + "b".repeat(64)];
  progress.layer(a, "waiting");
  progress.layer(b, "waiting");
  const until = performance.now() + 350;
  for (let at = 0; performance.now() < until; at++) {
    progress.layer(a, "downloading", Math.min(at, 1e6), 1e6);
    await Bun.sleep(1);
  }
  progress.layer(a, "done");
  progress.layer(b, "downloading", 1, 2);
  progress.end();
  require("node:fs").writeSync(2, "end\\n");
`;

describe("a real one", () => {
  async function underTerminal(
    columns: number,
    rows: number,
    TERM: string,
  ): Promise<{ text: string; screen: Screen }> {
    let text = "";
    const decoder = new TextDecoder();
    const child = Bun.spawn([process.execPath, "-e", PROGRAM], {
      env: { ...process.env, TERM },
      terminal: { cols: columns, rows, data: (_, data) => (text += decoder.decode(data, { stream: true })) },
    });
    expect(await child.exited).toBe(0);
    for (const end = Date.now() + 5000; !text.includes("end") && Date.now() < end; ) await Bun.sleep(1);
    const screen = new Screen(columns, rows);
    if (TERM !== "dumb") screen.write(text);
    return { text, screen };
  }

  test("terminal: few drawings, and what is right at the end", async () => {
    const { text, screen } = await underTerminal(72, 10, "xterm");
    expect(screen.text).toEqual([
      "latest: Pulling from library/busybox",
      "aaaaaaaaaaaa: Pull complete",
      expect.stringMatching(/^b{12}: Downloading \[=+> +\] {7}1B\/2B$/),
      "end",
    ]);
    // by its width it knows the window
    expect(screen.text[2]?.length).toBeGreaterThan(60);
    expect(screen.text[2]?.length).toBeLessThanOrEqual(72);
    const drawings = text.split("\x1b[J").length - 1;
    expect(drawings).toBeGreaterThanOrEqual(3);
    expect(drawings).toBeLessThanOrEqual(8);
  });

  test("terminal that is dumb: plain lines", async () => {
    const { text } = await underTerminal(72, 10, "dumb");
    expect(text).not.toContain("\x1b");
    expect(text).toContain("aaaaaaaaaaaa: Pull complete\r\n");
  });

  test("pipe whose reader goes away: the work goes on", async () => {
    const shell = `"$0" -e "$1" | head -n 1`;
    const child = Bun.spawn(["sh", "-c", shell, process.execPath, PROGRAM], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    expect(stdout).toBe("latest: Pulling from library/busybox\n");
    expect(stderr).toBe("end\n");
  });
});
