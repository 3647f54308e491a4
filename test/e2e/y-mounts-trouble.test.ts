/** Mounts in images that mean harm, in volumes that change meanwhile, and for users of a container's own. */
import { describe, expect, test } from "bun:test";
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { imageOf, ociParts } from "../image/image-support.ts";
import { tarOf } from "../image/support.ts";
import { background, mydocker, newName, ok, ROOT, scratch, suite } from "./harness.ts";
import { NONE, run } from "./volumes.ts";

suite();

describe("hostile images", () => {
  /** An image whose /data is a link there. */
  async function imageWithLink(target: string): Promise<string> {
    const name = newName();
    const layer = tarOf(
      { name: "./", type: "5", mode: 0o755 },
      { name: "bin/", type: "5", mode: 0o755 },
      { name: "bin/sh", mode: 0o755, data: readFileSync("/bin/busybox") },
      { name: "data", type: "2", link: target },
      { name: "etc/", type: "5", mode: 0o755 },
      { name: "etc/here", mode: 0o644, data: "image's" },
    );
    const made = imageOf(layer);
    const config = { ...made.config, config: { Cmd: ["/bin/sh"] } };
    const parts = tarOf(...ociParts({ ...made, config }, `docker.io/library/${name}:latest`));
    expect(await mydocker(["load"], { stdin: parts })).toMatchObject({ code: 0, stderr: "" });
    return name;
  }

  test("a link at the place of a mount leads nowhere outside of the root", async () => {
    const outside = scratch();
    for (const target of [outside, "../../../../../../../../etc", "/proc/1/root/etc", "/"]) {
      const image = await imageWithLink(target);
      for (const mount of [
        ["-v", "vol:/data"],
        ["--tmpfs", "/data"],
        ["-v", `${scratch()}:/data`],
      ]) {
        const { code, stderr } = await mydocker([
          "run",
          "--rm",
          ...NONE,
          ...mount,
          image,
          "/bin/sh",
          "-c",
          "echo >/data/x",
        ]);
        // what it leads to may be no place for a mount
        expect([0, 1, 125, 127]).toContain(code);
        expect(stderr.split("\n").length).toBeLessThan(3);
      }
      expect(existsSync(`${outside}/x`)).toBe(false);
      expect(existsSync("/etc/x")).toBe(false);
      await ok("volume", "rm", "-f", "vol");
      await ok("rmi", image);
    }
  });

  test("a volume is filled with what the link leads to inside the image, never on the host", async () => {
    const image = await imageWithLink("/etc");
    await run("-v", "vol:/data", image, "/bin/sh", "-c", "true");
    expect(readFileSync(`${ROOT}/volumes/vol/_data/here`, "utf8")).toBe("image's");
    expect(existsSync(`${ROOT}/volumes/vol/_data/fstab`)).toBe(false);
    await ok("volume", "rm", "vol");
    await ok("rmi", image);
  });

  test("a part that is renamed for a link again and again is inside the volume, or not mounted", async () => {
    await run(
      "-v",
      "vol:/d",
      "busybox",
      "sh",
      "-c",
      "mkdir /d/a /d/real; touch /d/real/inside; ln -s / /d/evil",
    );
    const flip = "cd /d; while :; do mv -T real a/x; ln -sfn / real; rm real; mv -T a/x real; done";
    const { id } = await background(
      ...NONE,
      "-v",
      "vol:/d",
      "busybox",
      "sh",
      "-c",
      flip.replaceAll("-T ", ""),
    );
    for (let i = 0; i < 20; i++) {
      const part = "type=volume,src=vol,dst=/p,volume-subpath=real";
      const { stdout } = await mydocker(["run", "--rm", ...NONE, "--mount", part, "busybox", "ls", "/p"]);
      for (const name of stdout.split("\n").filter((one) => one !== ""))
        expect(["inside", "x"]).toContain(name);
    }
    await ok("rm", "-f", id);
    await ok("volume", "rm", "vol");
  });
});

test("for users of its own a volume is filled and written as it is without, and memory has their ids", async () => {
  const probe = await mydocker([
    "run",
    "--rm",
    ...NONE,
    "--userns",
    "auto",
    "-v",
    "vol:/bin",
    "busybox",
    "true",
  ]);
  if (probe.code !== 0) {
    expect(probe.stderr).toMatch(/id-mapped mounts/);
    // as with Docker it is there, though nobody could have it
    await ok("volume", "rm", "vol");
    return;
  }
  const look = "stat -c '%u %g' /bin/busybox /t; echo >/bin/x; chown 5:6 /bin/x; touch /t/x && echo ok";
  const args = ["--userns", "auto", "-v", "vol:/bin", "--tmpfs", "/t:uid=7,gid=8"];
  expect(await run(...args, "busybox", "sh", "-c", look)).toBe("0 0\n7 8\nok");
  const { uid, gid } = lstatSync(`${ROOT}/volumes/vol/_data/x`);
  expect([uid, gid]).toEqual([5, 6]);
  await ok("volume", "rm", "vol");
});
