import { describe, expect, test } from "bun:test";
import { csvFields } from "../../src/cli/csv.ts";
import { UsageError } from "../../src/cli/errors.ts";
import { parseMount } from "../../src/cli/mount.ts";
import { parseVolumesFrom, readMounts } from "../../src/cli/mounts.ts";
import { parseTmpfs } from "../../src/cli/tmpfs.ts";
import { pruneFilter, volumeFilter } from "../../src/cli/volume-filter.ts";

const wrong = (why: string): Error => new Error(why);

describe("CSV", () => {
  test.each([
    ["a", ["a"]],
    ["a,b", ["a", "b"]],
    ["a,,b,", ["a", "", "b", ""]],
    ['"a,b",c', ["a,b", "c"]],
    ['"a""b"', ['a"b']],
    ['x,"",y', ["x", "", "y"]],
  ])("%s", (line, fields) => expect(csvFields(line, wrong)).toEqual(fields));

  test.each(['a"b', '"a', '"a"b', 'x,"'])("%s is none", (line) =>
    expect(() => csvFields(line, wrong)).toThrow("parse error on line 1"),
  );
});

describe("--mount", () => {
  test.each([
    ["type=bind,src=/a,dst=/b", { source: "/a", destination: "/b", readOnly: false, mustExist: true }],
    [
      "TYPE=BIND,source=./a/,target=/b//c,ro",
      { source: "/me/a", destination: "/b/c", readOnly: true, mustExist: true },
    ],
    [
      "type=bind,src=.,dst=/b,readonly=0",
      { source: "/me", destination: "/b", readOnly: false, mustExist: true },
    ],
    [
      '"type=bind","src=/a,b",destination=/b,bind-propagation=RSHARED,consistency=cached',
      { source: "/a,b", destination: "/b", readOnly: false, mustExist: true, propagation: "rshared" },
    ],
    [
      "type=bind,src=/a,dst=/b,bind-recursive=disabled",
      { source: "/a", destination: "/b", readOnly: false, mustExist: true, below: "none" },
    ],
    [
      "type=bind,src=/a,dst=/b,bind-nonrecursive=true",
      { source: "/a", destination: "/b", readOnly: false, mustExist: true, below: "none" },
    ],
    [
      "type=bind,src=/a,dst=/b,ro,bind-recursive=writable",
      { source: "/a", destination: "/b", readOnly: true, mustExist: true, below: "writable" },
    ],
    ["dst=/b", { source: "", name: "", destination: "/b", readOnly: false }],
    [
      "src=v,dst=/b,volume-nocopy,volume-label=a=b=c,volume-label=d,volume-subpath=x/y,volume-driver=local",
      {
        source: "",
        name: "v",
        destination: "/b",
        readOnly: false,
        noCopy: true,
        labels: { a: "b=c", d: "" },
        subpath: "x/y",
      },
    ],
  ] as const)("%s", (text, volume) => expect(parseMount(text, "/me").volume).toEqual(volume));

  test("in memory", () => {
    expect(parseMount("type=tmpfs,dst=/t,tmpfs-size=1k,tmpfs-mode=0700,ro", "/").tmpfs).toEqual({
      destination: "/t",
      options: ["noexec", "nosuid", "nodev", "ro", "size=1024", "mode=0700"],
      shown: true,
    });
  });

  // the words are Docker's
  test.each([
    ["", "value is empty"],
    ["type=bind,src=/x,dst=/y,wat=1", "unexpected key 'wat' in 'wat=1'"],
    ["wat", "invalid field 'wat' must be a key=value pair"],
    ["type=bind,src=/x,dst=/y,", "invalid field '' must be a key=value pair"],
    ["type=bind,src=/x,dst=/y,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"],
    ["type=bind,src=/x,dst=/y,volume-driver=local", "cannot mix 'volume-*' options with mount type 'bind'"],
    ["type=volume,bind-propagation=rshared,dst=/x", "cannot mix 'bind-*' options with mount type 'volume'"],
    ["type=bind,src=/x,dst=/y,tmpfs-size=1", "cannot mix 'tmpfs-*' options with mount type 'bind'"],
    ["type=tmpfs,dst=/x,tmpfs-size=x", "invalid value for tmpfs-size: x"],
    ["type=tmpfs,dst=/x,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"],
    ["type=bind,src=/x,dst=/y,bind-recursive=wat", "invalid value for bind-recursive: wat (must be"],
    ["type=bind,src=/x,dst=/y,bind-recursive=writable", "'bind-recursive=writable' requires 'readonly'"],
    ["type=bind,src=/x,dst=/y,ro,bind-recursive=readonly", "requires 'bind-propagation=rprivate'"],
    ["type=bind,src=/x,dst=/y,ro=maybe", "invalid value for ro: maybe"],
    ["type=volume", "target is required"],
    ["type=,dst=/x", "type is required"],
    ["type=volume,dst=/x,volume-nocopy=y", "invalid value for volume-nocopy: y"],
    ["type=volume,dst=/x,volume-driver=nfs", 'plugin "nfs" not found'],
    ["type=volume,dst=/x,volume-opt=type=nfs", "volume-opt 'type=nfs' is not supported"],
    ["type=image,src=a,dst=/x", 'mount type "image" unknown'],
    ["type=bind,dst=/x", 'invalid mount config for type "bind": field Source must not be empty'],
    ["type=bind,src=a,dst=/x", "invalid mount path: 'a' mount path must be absolute"],
    ["type=bind,src=/a,dst=x", "invalid mount path: 'x' mount path must be absolute"],
    ["type=bind,src=/a,dst=/", "destination can't be '/'"],
    ["type=bind,src=/a,dst=/proc/sys", "the destination can't be in /proc"],
    ["type=tmpfs,src=a,dst=/x", "field Source must not be specified"],
    ["type=volume,dst=/x,volume-subpath=../a", "subpath must be a relative path within the volume"],
    ["type=volume,dst=/x,volume-subpath=/a", "subpath must be a relative path within the volume"],
  ])("%s is refused", (text, words) => {
    expect(() => parseMount(text, "/")).toThrow(words);
    expect(() => parseMount(text, "/")).toThrow(UsageError);
  });
});

describe("--tmpfs", () => {
  test.each([
    ["/a", ["noexec", "nosuid", "nodev"]],
    ["/a:", ["noexec", "nosuid", "nodev"]],
    ["/a:exec,size=1m,size=2m", ["nosuid", "nodev", "size=2m"]],
    ["/a:exec,noexec,ro,uid=5", ["noexec", "nosuid", "nodev", "ro", "uid=5"]],
    ["/a:suid,dev,rw,strictatime", ["noexec", "strictatime"]],
  ])("%s", (text, options) => expect(parseTmpfs(text).mount).toEqual({ destination: "/a", options }));

  test.each([
    "",
    "a",
    "/",
    "/proc/x",
    "/a:wat",
    "/a:size",
    "/a:size=",
    "/a:rshared",
    "/a:bind",
    "/a:context=x",
  ])("%p is refused", (text) => expect(() => parseTmpfs(text)).toThrow(`invalid tmpfs '${text}'`));
});

test("--volumes-from", () => {
  expect(parseVolumesFrom("c")).toEqual({ container: "c", readOnly: false });
  expect(parseVolumesFrom("c:ro")).toEqual({ container: "c", readOnly: true });
  for (const text of ["", ":ro", "c:", "c:wat", "c:ro:rw"])
    expect(() => parseVolumesFrom(text)).toThrow(UsageError);
});

describe("all of them together", () => {
  const read = (lists: Readonly<Record<string, readonly string[]>>) =>
    readMounts({
      bool: () => false,
      text: () => undefined,
      int: () => undefined,
      list: (name) => lists[name] ?? [],
      has: (name) => name in lists,
      args: [],
    });

  test("as inspect shows them", () => {
    const { volumes, mounts } = read({
      volume: ["/a:/b:ro", "v:/c", "/d", "/d/"],
      mount: ["type=tmpfs,dst=/e"],
      tmpfs: ["/f:size=1m"],
      "volumes-from": ["x:ro"],
    });
    expect(volumes.map(({ destination }) => destination)).toEqual(["/b", "/c"]);
    expect(mounts.tmpfs.map(({ destination }) => destination)).toEqual(["/f", "/e"]);
    expect(mounts.asked).toEqual({
      binds: ["/a:/b:ro", "v:/c"],
      mounts: [{ Type: "tmpfs", Target: "/e" }],
      tmpfs: { "/f": "size=1m" },
      volumesFrom: ["x:ro"],
      anonymous: ["/d"],
    });
  });

  test.each([
    { volume: ["/a:/x", "v:/x/"] },
    { volume: ["/a:/x"], mount: ["dst=/x"] },
    { tmpfs: ["/x"], mount: ["dst=/x"] },
  ])("one place is one mount's: %p", (lists) =>
    expect(() => read(lists)).toThrow("Duplicate mount point: /x"),
  );
});

describe("filters of volumes", () => {
  const volume = { name: "data-1", created: "", labels: { a: "1" } };
  test.each([
    [["name=ata"], true],
    [["name=x"], false],
    [["label=a"], true],
    [["label=a=2"], false],
    [["dangling=true"], true],
    [["dangling=0"], false],
    [["driver=local", "name=x", "name=data"], true],
  ])("%p", (filters, fits) => expect(volumeFilter(filters, () => new Map())(volume)).toBe(fits));

  test("of prune", () => {
    expect(pruneFilter(["all=true"]).all).toBe(true);
    expect(pruneFilter(["label!=a"]).fits(volume)).toBe(false);
    for (const filter of ["all=x", "name=x", "label"])
      expect(() => pruneFilter([filter])).toThrow(UsageError);
  });
});
