import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { placesOf, readRegistries } from "../../../src/image/registry/registries-conf.ts";
import { surroundings } from "../../../src/image/registry/surroundings.ts";
import { Machine } from "./fake.ts";

let machine: Machine;
beforeEach(() => {
  machine = new Machine();
});
afterEach(() => machine.remove());

const SYSTEM = "etc/containers/registries.conf";
const USER = "home/.config/containers/registries.conf";
const places = (name: string) => {
  const slash = name.indexOf("/");
  const registries = readRegistries(surroundings(machine.options));
  return placesOf(registries, name.slice(0, slash), name.slice(slash + 1)).map(
    ({ host, path, insecure, mirror }) =>
      `${host} ${path}${insecure ? " insecure" : ""}${mirror ? ` ${mirror}` : ""}`,
  );
};
const broken = (text: string) => {
  machine.write(SYSTEM, text);
  return () => places("a/x");
};

describe("places", () => {
  test("without a file there is only the registry", () => {
    expect(places("docker.io/library/busybox")).toEqual(["docker.io library/busybox"]);
  });

  test("mirrors come first, in order; the prefix is their location's", () => {
    machine.write(
      SYSTEM,
      `unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "docker.io/library"
[[registry.mirror]]
location = "m1:5000/hub"
insecure = true
[[registry.mirror]]
location = "m2"
pull-from-mirror = "digest-only"
[[registry]]
location = "b"
insecure = true
mirror-by-digest-only = true
[[registry.mirror]]
location = "m3"
`,
    );
    expect(places("docker.io/library/busybox")).toEqual([
      "m1:5000 hub/busybox insecure all",
      "m2 busybox digest-only",
      "docker.io library/busybox",
    ]);
    expect(places("docker.io/other/busybox")).toEqual(["docker.io other/busybox"]);
    expect(places("docker.io/library2/busybox")).toEqual(["docker.io library2/busybox"]);
    expect(places("b/x")).toEqual(["m3 x digest-only", "b x insecure"]);
    expect(places("b:5000/x")).toEqual(["b:5000 x"]);
  });

  test("the longest prefix rewrites, or blocks", () => {
    machine.write(
      SYSTEM,
      `[[registry]]
prefix = "a"
location = "other/sub"
[[registry]]
prefix = "a/x/y"
location = "deep"
[[registry]]
prefix = "a/bad"
blocked = true
[[registry]]
prefix = "*.example.com"
insecure = true
[[registry]]
prefix = "*.sub.example.com"
location = "moved"
`,
    );
    expect(places("a/x")).toEqual(["other sub/x"]);
    expect(places("a/x/y/z")).toEqual(["deep z"]);
    expect(() => places("a/bad/z")).toThrow(`cannot use a/bad/z: registries.conf blocks "a/bad"`);
    expect(places("a/badly")).toEqual(["other sub/badly"]);
    expect(places("r.example.com:5000/x")).toEqual(["r.example.com:5000 x insecure"]);
    expect(places("r.sub.example.com/x")).toEqual(["moved x"]);
    expect(places("example.com/x")).toEqual(["example.com x"]);
  });
});

describe("files", () => {
  const to = (location: string) => `[[registry]]\nprefix = "a"\nlocation = "${location}"\n`;

  test("those of the .d folders replace entries, in the order of their names", () => {
    machine.write(SYSTEM, to("system"));
    expect(places("a/x")).toEqual(["system x"]);
    machine.write(`${SYSTEM}.d/20.conf`, to("twenty"));
    machine.write(`${SYSTEM}.d/10.conf`, to("ten"));
    machine.write(`${SYSTEM}.d/30.txt`, to("no"));
    expect(places("a/x")).toEqual(["twenty x"]);
    machine.write(`${USER}.d/00.conf`, to("user"));
    expect(places("a/x")).toEqual(["user x"]);
  });

  test("the user's own takes the place of the system's", () => {
    machine.write(SYSTEM, to("system"));
    machine.write(`${SYSTEM}.d/20.conf`, to("twenty"));
    machine.write(USER, "");
    expect(places("a/x")).toEqual(["a x"]);
    machine.write("named.conf", to("named"));
    machine.env.CONTAINERS_REGISTRIES_CONF = `${machine.folder}/named.conf`;
    machine.write(`${SYSTEM}.d/20.conf`, "");
    expect(places("a/x")).toEqual(["named x"]);
  });

  test("what cannot be understood names the file", () => {
    const path = `cannot read ${machine.folder}/${SYSTEM}: `;
    expect(broken("a = [[[")).toThrow(`${path}TOML Parse error`);
    expect(broken("[registries.search]\nregistries = []")).toThrow("old format (version 1)");
    expect(broken("registry = 5")).toThrow("registry is no list of tables");
    expect(broken("[[registry]]\ninsecure = true")).toThrow("neither prefix nor location");
    expect(broken('[[registry]]\nlocation = "a"\ninsecure = "yes"')).toThrow("insecure is true or false");
    expect(broken('[[registry]]\nlocation = "https://a"')).toThrow("must not begin with");
    expect(broken('[[registry]]\nlocation = "a"\n[[registry.mirror]]\ninsecure = true')).toThrow(
      "a mirror of a has no location",
    );
    expect(
      broken('[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "b"\npull-from-mirror = "x"'),
    ).toThrow("digest-only or tag-only");
  });
});
