/** Images that mean harm, and commits that are broken off. */
import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { bytesOf, describe as descriptorOf, imageOf, manifestOf, ociParts } from "../image/image-support.ts";
import { tarOf } from "../image/support.ts";
import { background, mydocker, newName, ok, ROOT, RUN, start, suite, until } from "./harness.ts";

suite();

const layer = tarOf(
  { name: "./", type: "5", mode: 0o755 },
  { name: "bin/", type: "5", mode: 0o755 },
  { name: "bin/sh", mode: 0o755, data: readFileSync("/bin/busybox") },
);
// a title, colours, a line break, a C1 control, a change of the writing's direction
const EVIL = "\u001b]0;title\u0007\u001b[31mred\r\n\u009b1m\u202eevil";
const CONTROLS = /(?!\n)\p{Cc}|\u202e/u;

/** Loads an image with these fields in its configuration; its name. */
async function loadWith(fields: object, config: object = {}): Promise<string> {
  const name = newName();
  const made = imageOf(layer);
  const changed = { ...made, config: { ...made.config, ...fields, config: { Cmd: ["/bin/sh"], ...config } } };
  const result = await mydocker(["load"], {
    stdin: tarOf(...ociParts(changed, `docker.io/library/${name}:latest`)),
  });
  expect(result).toMatchObject({ code: 0, stdout: `Loaded image: ${name}:latest\n`, stderr: "" });
  return name;
}

describe("what an image says of itself", () => {
  test("does not steer the terminal", async () => {
    const history = [{ created: "2024-01-02T03:04:05Z", created_by: EVIL, comment: EVIL }];
    const image = await loadWith({ history }, { User: EVIL, Cmd: ["/bin/sh", "-c", `true ${EVIL}`] });
    const whole = await ok("history", "--no-trunc", image);
    expect(whole).toContain("red");
    expect(whole).not.toMatch(CONTROLS);
    expect(whole.split("\n").length).toBe(2);
    const run = await mydocker(["run", "--rm", image]);
    expect(run.stderr).toMatch(/^mydocker: unable to find user .*red.*\n$/);
    expect(run.stderr).not.toMatch(CONTROLS);
    const container = newName();
    await ok("create", "--name", container, "-u", "0", image);
    expect(await ok("ps", "-a", "--no-trunc")).not.toMatch(CONTROLS);
    await ok("rm", container);
    await ok("rmi", image);
  });

  test("is refused in one line where it is wrong, and nothing of it stays", async () => {
    const document = bytesOf({ ...imageOf(layer).config, created: EVIL });
    const manifest = bytesOf(manifestOf(document, [layer]));
    const top = { ...descriptorOf("application/vnd.oci.image.manifest.v1+json", manifest), annotations: {} };
    const index = { name: "index.json", data: bytesOf({ schemaVersion: 2, manifests: [top] }) };
    const blobs = [document, manifest, layer].map((data) => ({
      name: `blobs/sha256/${new Bun.CryptoHasher("sha256").update(data).digest("hex")}`,
      data,
    }));
    const result = await mydocker(["load"], { stdin: tarOf(index, ...blobs) });
    expect(result).toMatchObject({ code: 125, stdout: "" });
    expect(result.stderr).toMatch(/^mydocker: .*created is .*, which is no time\n$/);
    expect(result.stderr).not.toMatch(CONTROLS);
    expect((await mydocker(["images"])).code).toBe(0);
  });
});

describe("commit", () => {
  test("does not take for its layer what a power cut has left of an earlier one", async () => {
    const container = newName();
    await ok("run", "--name", container, "busybox", "sh", "-c", "echo whole > /file");
    const first = newName();
    await ok("commit", container, first);
    const { RootFS } = JSON.parse(await ok("inspect", "-f", "{{json .}}", first));
    const blob = `${ROOT}/blobs/sha256/${RootFS.Layers.at(-1).slice("sha256:".length)}`;
    await ok("rmi", first);
    // as after a boot: the blob was never written out, and nothing is known of a sweep
    writeFileSync(blob, "torn");
    rmSync(`${RUN}/.locks`, { recursive: true });
    const second = newName();
    await ok("commit", container, second);
    expect(await ok("run", "--rm", second, "cat", "/file")).toBe("whole");
    await ok("rm", container);
    await ok("rmi", second);
  });

  test("that is broken off lets the container go on", async () => {
    const { name } = await background(
      "busybox",
      "sh",
      "-c",
      "mkdir /d; cd /d; for i in $(seq 15000); do echo $i > $i; done; echo ready; while :; do sleep 1; done",
    );
    await until(async () => (await ok("logs", name)).includes("ready"), "the files");
    const image = newName();
    const commit = start(["commit", name, image]);
    await until(async () => (await ok("inspect", "-f", "{{.State.Status}}", name)) === "paused", "the pause");
    commit.kill("SIGINT");
    expect(await commit.exited).toBe(130);
    expect(await new Response(commit.stderr).text()).toBe("mydocker: interrupted\n");
    expect(await ok("inspect", "-f", "{{.State.Status}}", name)).toBe("running");
    expect((await mydocker(["inspect", "--type", "image", image])).code).toBe(1);
    await ok("rm", "-f", name);
  });
});
