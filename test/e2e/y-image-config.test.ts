import { describe, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { background, fails, mydocker, newName, ok, ROOT, scratch, start, suite } from "./harness.ts";

suite();

/** An image of the embedded busybox with these changes; its name. */
async function imageWith(...changes: readonly string[]): Promise<string> {
  const container = newName();
  await ok("run", "--name", container, "busybox", "true");
  const image = newName();
  await ok("commit", ...changes.flatMap((change) => ["-c", change]), container, image);
  await ok("rm", container);
  return image;
}

describe("what an image says of its containers", () => {
  test("entrypoint, command, environment, user, working folder, labels and stop signal are honoured", async () => {
    const image = await imageWith(
      'ENTRYPOINT ["sh", "-c"]',
      'CMD ["echo $A $(id -un) $(pwd)"]',
      "ENV A=one B='two words'",
      "USER nobody",
      "WORKDIR /tmp",
      "LABEL kept=yes",
      "STOPSIGNAL SIGUSR1",
    );
    expect(await ok("run", "--rm", image)).toBe("one nobody /tmp");
    expect(await ok("run", "--rm", "-e", "A=mine", "-u", "0", "-w", "/", image)).toBe("mine root /");
    expect(await ok("run", "--rm", image, "echo $B")).toBe("two words");
    expect(await ok("run", "--rm", "--entrypoint", "id", image, "-u")).toBe("65534");
    const { name } = await background(image, "trap 'echo got it; exit 3' USR1; while :; do sleep 0.05; done");
    expect(await ok("inspect", "-f", "{{.Config.Labels.kept}} {{.Config.StopSignal}}", name)).toBe(
      "yes SIGUSR1",
    );
    await ok("stop", name);
    expect(await ok("logs", name)).toBe("got it");
    expect(await ok("inspect", "-f", "{{.State.ExitCode}}", name)).toBe("3");
    await ok("rm", name);
    await ok("rmi", image);
  });

  test("what is only kept is shown, of image and container, and handed on", async () => {
    const image = await imageWith(
      "EXPOSE 80 53/udp",
      "HEALTHCHECK --interval=5s --retries=2 CMD true",
      'SHELL ["/bin/sh", "-ec"]',
      "ONBUILD RUN true",
    );
    const container = newName();
    await ok("create", "--name", container, image);
    const second = newName();
    await ok("commit", container, second);
    for (const one of [image, container, second])
      expect(JSON.parse(await ok("inspect", "-f", "{{json .Config}}", one))).toMatchObject({
        ExposedPorts: { "80/tcp": {}, "53/udp": {} },
        Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 5_000_000_000, Retries: 2 },
        Shell: ["/bin/sh", "-ec"],
        OnBuild: ["RUN true"],
      });
    await ok("rm", container);
    await ok("rmi", second, image);
  });

  test("what it does not say is empty to a template, and there in JSON as Docker has it", async () => {
    await ok("run", "--rm", "busybox", "true");
    const fields = [
      "Labels",
      "Entrypoint",
      "Volumes",
      "OnBuild",
      "ExposedPorts",
      "Shell",
      "User",
      "Healthcheck",
    ];
    const template = fields.map((field) => `{{.Config.${field}}}`).join(" ");
    expect(await ok("inspect", "-f", `${template} {{if .Config.Volumes}}some{{end}}`, "busybox")).toBe(
      "map[] [] map[] [] map[] []  <nil> ",
    );
    const json = JSON.parse(await ok("inspect", "-f", "{{json .}}", "busybox"));
    expect(json.Config).toMatchObject({ Entrypoint: null, Volumes: null, Labels: null, User: "" });
    expect(json.Config).not.toHaveProperty("ExposedPorts");
    expect(await ok("inspect", "-f", "{{.ID}}", "busybox")).toBe(json.Id);
    expect(await mydocker(["rmi", "-f", "nosuch"])).toMatchObject({ code: 0, stdout: "" });
  });

  test("a change that is none is refused before anything is done", async () => {
    const { name } = await background("busybox", "sleep", "1000");
    await fails(125, /invalid change "FROM x": FROM is none of CMD,/, "commit", "-c", "FROM x", name, "no");
    await fails(125, /EXPOSE many: use a port/, "commit", "-c", "EXPOSE many", name, "no");
    await fails(125, /ENV needs a value/, "commit", "-c", "ENV", name, "no");
    expect(await ok("images", "-q", "no")).toBe("");
    expect(await ok("inspect", "-f", "{{.State.Paused}}", name)).toBe("false");
  });
});

test("an image of another platform is told, unless it was asked for", async () => {
  const name = newName();
  const foreign = process.arch === "arm64" ? "linux/amd64" : "linux/arm64";
  const seed = newName();
  await ok("run", "--name", seed, "busybox", "true");
  const tar = `${scratch()}/root.tar`;
  await ok("export", "-o", tar, seed);
  await ok("import", "--platform", foreign, tar, name);
  const told = await mydocker(["run", "--rm", name, "echo", "hello"]);
  expect(told).toMatchObject({ code: 0, stdout: "hello\n" });
  expect(told.stderr).toBe(
    `WARNING: The requested image's platform (${foreign}) does not match the detected host platform and no specific platform was requested\n`,
  );
  const asked = await mydocker(["run", "--rm", "--platform", foreign, name, "echo", "hello"]);
  expect(asked).toMatchObject({ code: 0, stdout: "hello\n", stderr: "" });
  await ok("rm", seed);
  await ok("rmi", name);
});

test("an archive whose writer is killed leaves the one before it, and nothing beside it", async () => {
  const folder = scratch();
  await ok("run", "--rm", "busybox", "true");
  const big = newName();
  await ok("run", "--name", big, "busybox", "dd", "if=/dev/urandom", "of=/big", "bs=1M", "count=64");
  await ok("export", "-o", `${folder}/whole.tar`, big);
  const size = statSync(`${folder}/whole.tar`).size;
  const child = start(["export", "-o", `${folder}/whole.tar`, big]);
  await Bun.sleep(20);
  child.kill("SIGKILL");
  await child.exited;
  expect(readdirSync(folder)).toEqual(["whole.tar"]);
  expect(statSync(`${folder}/whole.tar`).size).toBe(size);
  await ok("rm", big);
});

describe("volumes that an image declares", () => {
  test("get one of their own, begin with what the image has there, and are no part of a commit", async () => {
    const seed = newName();
    const script =
      "mkdir /data; echo seed >/data/s; ln -s s /data/l; ln /data/s /data/h; chown 5:6 /data; chmod 750 /data";
    await ok("run", "--name", seed, "busybox", "sh", "-c", script);
    const image = newName();
    await ok("commit", "-c", 'VOLUME ["/data", "/other/"]', seed, image);
    const { name, pid } = await background(image, "sh", "-c", "echo new >/data/n; sleep 1000");
    expect(
      await ok("exec", name, "sh", "-c", "ls /data; cat /data/l; stat -c '%a %u %g %h' /data /data/h"),
    ).toBe("h\nl\nn\ns\nseed\n750 5 6 2\n644 0 0 2");
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
    for (const place of ["/data", "/other"]) expect(mounts).toMatch(new RegExp(` ${place} rw`));
    const volume = await ok("inspect", "-f", "{{(index .Mounts 0).Name}}", name);
    expect(volume).toMatch(/^[0-9a-f]{64}$/);
    const folder = `${ROOT}/volumes/${volume}/_data`;
    expect(readdirSync(folder).sort()).toEqual(["h", "l", "n", "s"]);
    expect(lstatSync(folder).uid).toBe(5);
    expect(JSON.parse(await ok("inspect", "-f", "{{json .Mounts}}", name))).toMatchObject([
      { Type: "volume", Name: volume, Destination: "/data", Source: folder, Driver: "local", RW: true },
      { Type: "volume", Destination: "/other" },
    ]);
    const second = newName();
    await ok("commit", name, second);
    expect(await ok("run", "--rm", second, "ls", "/data")).toBe("h\nl\ns");
    await ok("restart", "-t", "0", name);
    expect(await ok("exec", name, "cat", "/data/n")).toBe("new");
    // as Docker: they stay, unless it is said that they are to go
    await ok("rm", "-f", name, seed);
    expect(readdirSync(folder).sort()).toEqual(["h", "l", "n", "s"]);
    const left = (await ok("volume", "ls", "-q")).split("\n");
    expect(left).toHaveLength(2);
    await ok("volume", "rm", ...left);
    await ok("rmi", second, image);
  });

  test("give way to what the user puts there; a place where none can be is refused", async () => {
    const image = await imageWith("VOLUME /data");
    const shown = await ok(
      "run",
      "--rm",
      "-v",
      `${ROOT}/given:/data:ro`,
      image,
      "grep",
      " /data ",
      "/proc/self/mountinfo",
    );
    expect(shown).toContain("/given /data ro");
    const bad = await imageWith("VOLUME /proc/sys");
    await fails(125, /declares a volume at "\/proc\/sys"/, "run", "--rm", bad, "true");
    expect((await mydocker(["ps", "-aq"])).stdout).toBe("");
    await ok("rmi", image, bad);
  });
});
