/**
 * The last file (.ci/test names the files in order; run alone it makes a container of its own): nothing of all that the
 * suite has made is on the machine any more. Each file's own `suite()` looks after each test; this looks at the rest.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { background, mydocker, namespaces, ok, until } from "./harness.ts";
import {
  BEFORE,
  cgroupsLeft,
  foldersLeft,
  leftovers,
  linksNow,
  monitors,
  mountsLeft,
  namespacesLeft,
  namespacesNow,
  processesLeft,
  straysNow,
} from "./leftovers.ts";
import { removeNetworks } from "./networks.ts";
import { ROOT, RUN } from "./place.ts";

const CONCERNS = {
  mounts: mountsLeft,
  cgroups: cgroupsLeft,
  processes: processesLeft,
  folders: foldersLeft,
  namespaces: namespacesLeft,
};

/** What is there now and was not when the suite began. */
const since = (now: Set<string>, before: Set<string>): string[] => [...now].filter((one) => !before.has(one));

describe("the search for leftovers", () => {
  afterAll(() => {
    removeNetworks();
    for (const folder of [ROOT, RUN]) rmSync(folder, { recursive: true, force: true });
  });

  test("sees a container that runs in each of its places, and none of them when it is gone", async () => {
    const { name, pid } = await background("busybox", "sleep", "1000");
    for (const look of Object.values(CONCERNS)) expect(look()).not.toEqual([]);
    expect(processesLeft().some((one) => one.includes(`${pid} sleep`))).toBe(true);
    expect(monitors()).toHaveLength(1);
    const own = namespaces(pid);
    for (const namespace of Object.values(own)) expect(namespacesNow()).toContain(namespace);
    await ok("rm", "-f", name);
    await until(() => leftovers().length === 0, "the container to go");
    for (const namespace of Object.values(own)) expect(namespacesNow()).not.toContain(namespace);
  });
});

describe("what the suite leaves behind", () => {
  // a process whose parent is gone is reaped by the machine's first one, which may take its time
  for (const [what, look] of Object.entries(CONCERNS))
    test(`no ${what}`, async () => {
      await until(() => look().length === 0, "nothing to be left").catch(() => {});
      expect(look()).toEqual([]);
    });

  test("no container, by the program's own word", async () => {
    expect(await mydocker(["ps", "-aq"])).toEqual({ code: 0, stdout: "", stderr: "" });
    for (const folder of [ROOT, RUN]) rmSync(folder, { recursive: true, force: true });
  });

  test("no network link", () => expect(since(linksNow(), BEFORE.links)).toEqual([]));

  test("no stray file, and none of the suite's folders", () => {
    expect(since(straysNow(), BEFORE.strays)).toEqual([]);
    expect([ROOT, RUN].filter((folder) => existsSync(folder))).toEqual([]);
  });
});
