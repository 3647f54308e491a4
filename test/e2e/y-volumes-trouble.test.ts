/** Volumes that many want at once, whose makers are killed, and that containers mean harm with. */
import { describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  background,
  fails,
  mydocker,
  newName,
  ok,
  ROOT,
  scratch,
  shell,
  start,
  suite,
  until,
} from "./harness.ts";
import { dataOf, folderOf, imageWithData, NONE, run, volumes } from "./volumes.ts";

suite();

describe("volumes in trouble", () => {
  test("many runs at once make one volume, whole from the first look on", async () => {
    const image = await imageWithData(300);
    const volume = newName();
    const counts = await Promise.all(
      Array.from({ length: 6 }, () => run("-v", `${volume}:/data`, image, "sh", "-c", "ls /data | wc -l")),
    );
    expect(counts).toEqual(Array(6).fill("300"));
    // and the same of one that was there, empty
    await ok("volume", "rm", volume);
    await ok("volume", "create", volume);
    const again = await Promise.all(
      Array.from({ length: 6 }, () => run("-v", `${volume}:/data`, image, "sh", "-c", "ls /data | wc -l")),
    );
    expect(again).toEqual(Array(6).fill("300"));
    await ok("volume", "rm", volume);
    await ok("rmi", image);
  });

  test("of runs and removals at once each does what it says", async () => {
    const volume = newName();
    const runs = Array.from({ length: 6 }, () =>
      run("-v", `${volume}:/d`, "busybox", "sh", "-c", "echo >/d/x; ls /d"),
    );
    let over = false;
    const removals = (async () => {
      while (!over) {
        const { code, stderr } = await mydocker(["volume", "rm", volume]);
        if (code !== 0) expect(stderr).toMatch(/no such volume|volume is in use/);
      }
    })();
    expect(await Promise.all(runs)).toEqual(Array(6).fill("x"));
    over = true;
    await removals;
    await ok("volume", "rm", "-f", volume);
    expect(await volumes()).toEqual([]);
  });

  test("a run that is killed at any moment leaves a volume that is whole, or none", async () => {
    const image = await imageWithData(400);
    const volume = newName();
    for (let delay = 4; delay < 130; delay += 15) {
      // half of them fill one that is there and empty
      if (delay % 2 === 0) await ok("volume", "create", volume);
      const child = start([
        "run",
        "--rm",
        ...NONE,
        "-v",
        `${volume}:/data`,
        "-v",
        "/anonymous",
        image,
        "true",
      ]);
      await Bun.sleep(delay);
      child.kill("SIGKILL");
      await child.exited;
      await until(async () => (await mydocker(["ps", "-aq"])).stdout === "", "the container to go");
      expect(await run("-v", `${volume}:/data`, image, "sh", "-c", "ls /data | wc -l")).toBe("400");
      await ok("volume", "rm", volume);
      expect(readdirSync(`${ROOT}/volumes`)).toEqual([]);
    }
    await ok("rmi", image);
  });

  test("a removal that was killed is ended by the next one", async () => {
    const script = "mkdir /d/sub; for i in $(seq 3000); do echo $i >/d/sub/$i; done";
    await run("-v", "big:/d", "busybox", "sh", "-c", script);
    const child = start(["volume", "rm", "big"]);
    await until(
      () => readdirSync(`${ROOT}/volumes`).some((name) => name.startsWith(".gone-")),
      "it to begin",
    );
    child.kill("SIGKILL");
    await child.exited;
    expect(await volumes()).toEqual([]);
    expect(await run("-v", "big:/d", "busybox", "ls", "/d")).toBe("");
    await ok("volume", "rm", "big");
    expect(readdirSync(`${ROOT}/volumes`)).toEqual([]);
  });

  test("filling does not touch what a container that has the volume writes meanwhile", async () => {
    const image = await imageWithData(3);
    const volume = newName();
    const { id } = await background(...NONE, "-v", `${volume}:/d`, "busybox", "sleep", "1000");
    // what somebody who was killed in the middle has put ready
    mkdirSync(`${folderOf(volume)}/filling`);
    for (const name of ["1", "2"]) writeFileSync(`${folderOf(volume)}/filling/${name}`, "image\n");
    await ok("exec", id, "sh", "-c", "echo mine >/d/1; ln -s /etc /d/link");
    expect(await run("-v", `${volume}:/data`, image, "sh", "-c", "cat /data/1 /data/2; ls /data")).toBe(
      "mine\nimage\n1\n2\nlink",
    );
    expect(readdirSync(folderOf(volume)).sort()).toEqual(["_data", "record.json"]);
    await ok("rm", "-f", id);
    await ok("volume", "rm", volume);
    await ok("rmi", image);
  });

  test("what somebody who was killed has left is ended by a start too, and what was only begun goes", async () => {
    const name = newName();
    await ok("create", "--name", name, ...NONE, "-v", "vol:/d", "busybox", "ls", "/d");
    mkdirSync(`${folderOf("vol")}/filling`);
    mkdirSync(`${folderOf("vol")}/.staged`);
    for (const folder of ["filling", ".staged"]) writeFileSync(`${folderOf("vol")}/${folder}/${folder}`, "");
    expect(await ok("start", "-a", name)).toBe("filling");
    expect(readdirSync(folderOf("vol")).sort()).toEqual(["_data", "record.json"]);
    await ok("rm", name);
    await ok("volume", "rm", "vol");
  });

  test("holes in what the image has stay holes", async () => {
    const seed = newName();
    await ok(
      "run",
      "--name",
      seed,
      ...NONE,
      "busybox",
      "sh",
      "-c",
      "mkdir /data; truncate -s 268435456 /data/sparse",
    );
    const image = newName();
    await ok("commit", seed, image);
    await run("-v", "vol:/data", image, "true");
    const { size, blocks } = lstatSync(`${dataOf("vol")}/sparse`);
    expect([size, blocks < 100]).toEqual([2 ** 28, true]);
    await ok("rm", seed);
    await ok("volume", "rm", "vol");
    await ok("rmi", image);
  });

  test("a record that is lost costs its labels, a damaged record of a container nothing", async () => {
    await ok("volume", "create", "--label", "a=b", "vol");
    writeFileSync(`${folderOf("vol")}/record.json`, "{");
    expect(JSON.parse(await ok("volume", "inspect", "vol"))).toMatchObject([{ Name: "vol", Labels: null }]);
    const { id } = await background(...NONE, "-v", "vol:/d", "busybox", "true");
    await until(async () => (await ok("inspect", "-f", "{{.State.Running}}", id)) === "false", "the end");
    const record = `${ROOT}/containers/${id}/record.json`;
    const text = readFileSync(record, "utf8");
    writeFileSync(record, text.slice(0, -1));
    await fails(1, /volume is in use/, "volume", "rm", "vol");
    writeFileSync(record, text);
    await ok("rm", id);
    await ok("volume", "rm", "vol");
  });

  test("what somebody has mounted on it is filled, used, and not removed with it", async () => {
    const image = await imageWithData(3);
    const steps = [
      "$0 volume create disk",
      `mount -t tmpfs none ${dataOf("disk")}`,
      `$0 run --rm --network none -v disk:/data ${image} sh -c 'ls /data; touch /data/mine'`,
      "$0 volume rm disk; $0 volume prune -af",
      `ls ${dataOf("disk")}`,
    ];
    const { stdout, stderr } = await shell(`unshare -m --propagation private sh -c "${steps.join("\n")}"`);
    expect(stdout).toBe("disk\n1\n2\n3\nTotal reclaimed space: 0B\n1\n2\n3\nmine\n");
    expect(stderr).toMatch(/^mydocker: remove disk: volume is in use - something is mounted on .*unmount it/);
    expect(readdirSync(dataOf("disk"))).toEqual([]);
    await ok("volume", "rm", "disk");
    await ok("rmi", image);
  });

  test("no link that a container puts into its volume leads the host anywhere", async () => {
    const outside = scratch();
    writeFileSync(`${outside}/kept`, "kept");
    await run("-v", "evil:/d", "busybox", "ln", "-s", outside, "/d/link");
    expect(await ok("system", "df", "-v")).toMatch(/evil +0 +0B/);
    await ok("volume", "rm", "evil");
    expect(readdirSync(outside)).toEqual(["kept"]);
  });
});
