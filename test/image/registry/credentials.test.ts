import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import {
  eraseCredentials,
  findCredentials,
  storeCredentials,
} from "../../../src/image/registry/credentials.ts";
import { dockerConfigPath, httpHeaders } from "../../../src/image/registry/docker-config.ts";
import { type Surroundings, surroundings } from "../../../src/image/registry/surroundings.ts";
import { failure, Machine } from "./fake.ts";

const HUB = "https://index.docker.io/v1/";

let machine: Machine;
let where: Surroundings;
beforeEach(() => {
  machine = new Machine();
  where = surroundings(machine.options);
});
afterEach(() => machine.remove());

const config = (value: unknown): void => machine.write("home/.docker/config.json", JSON.stringify(value));
const read = (): unknown => JSON.parse(readFileSync(dockerConfigPath(where), "utf8"));
const find = (name: string) => {
  const slash = name.indexOf("/");
  return findCredentials(name.slice(0, slash), name.slice(slash + 1), where);
};
const me = (password: string) => ({ auth: btoa(`me:${password}`) });
const is = (password: string) => ({ username: "me", password });

/** A credential helper that keeps one file for each key, and what it was called with. */
function helper(name: string): void {
  const script = `#!/bin/sh
input=$(cat)
echo "$1 $input" >>"${machine.folder}/calls"
key=$(echo "$input" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/' | tr '/:' '__')
case $1 in
  get) cat "${machine.folder}/kept-$key" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; };;
  store) echo "$input" >"${machine.folder}/kept-$key";;
  erase) rm -f "${machine.folder}/kept-$key";;
esac
`;
  machine.write(`bin/docker-credential-${name}`, script);
  chmodSync(`${machine.folder}/bin/docker-credential-${name}`, 0o755);
  machine.env.PATH = `${machine.folder}/bin:${process.env.PATH}`;
}
const calls = (): string[] => readFileSync(`${machine.folder}/calls`, "utf8").trim().split("\n");

describe("finding", () => {
  test("nothing where there is no file", async () => {
    expect(await find("docker.io/library/busybox")).toBeUndefined();
  });

  test("by host, by the hub's own name, by older spellings", async () => {
    config({
      auths: {
        [HUB]: me("hub"),
        "a.example": me("a"),
        "https://b.example/v1/": me("b"),
        "http://c.example:5000": me("c"),
      },
    });
    expect(await find("docker.io/library/busybox")).toEqual(is("hub"));
    expect(await find("a.example/x")).toEqual(is("a"));
    expect(await find("b.example/x")).toEqual(is("b"));
    expect(await find("c.example:5000/x")).toEqual(is("c"));
    expect(await find("c.example/x")).toBeUndefined();
    expect(await find("a.example.org/x")).toBeUndefined();
  });

  test("a password with colons, a user apart from it, an identity token", async () => {
    config({
      auths: {
        a: me("x:y:z"),
        b: { username: "me", password: "p" },
        c: { ...me(""), identitytoken: "t" },
        d: {},
      },
    });
    expect(await find("a/x")).toEqual(is("x:y:z"));
    expect(await find("b/x")).toEqual(is("p"));
    expect(await find("c/x")).toEqual({ identityToken: "t" });
    expect(await find("d/x")).toBeUndefined();
  });

  test("$DOCKER_CONFIG comes before the home", async () => {
    config({ auths: { a: me("home") } });
    machine.write("other/config.json", JSON.stringify({ auths: { a: me("other") } }));
    machine.env.DOCKER_CONFIG = `${machine.folder}/other`;
    expect(await find("a/x")).toEqual(is("other"));
  });

  test("the containers' auth.json, by the longest match, after Docker's", async () => {
    const auths = { a: me("host"), "a/x": me("path"), "a/x/y": me("deep"), "docker.io": me("hub") };
    machine.write("run/containers/auth.json", JSON.stringify({ auths }));
    expect(await find("a/x")).toEqual(is("path"));
    expect(await find("a/x/y/z")).toEqual(is("deep"));
    expect(await find("a/xy")).toEqual(is("host"));
    expect(await find("docker.io/library/busybox")).toEqual(is("hub"));
    config({ auths: { a: me("docker") } });
    expect(await find("a/x/y/z")).toEqual(is("docker"));
  });

  test("files that cannot be read are named", async () => {
    machine.write("home/.docker/config.json", "{ nonsense");
    expect(await failure(find("a/x"))).toContain(
      `cannot read ${dockerConfigPath(where)}: it is no JSON object`,
    );
    config({ auths: { a: { auth: btoa("nocolon") } } });
    expect(await failure(find("a/x"))).toContain("not USER:PASSWORD");
    config({ auths: [], credHelpers: 5, HttpHeaders: "x" });
    expect(await find("a/x")).toBeUndefined();
    expect(httpHeaders(where)).toEqual({});
  });

  test("HttpHeaders, but none that would break out or take the place of ours", () => {
    const HttpHeaders = { "X-A": "1", "X-B": "a\r\nb", "bad name": "x", Authorization: "y", "X-C": 5 };
    config({ HttpHeaders });
    expect(httpHeaders(where)).toEqual({ "x-a": "1" });
  });
});

describe("keeping", () => {
  test("in the file, mode 0600, with all else that is in it", async () => {
    machine.write(
      "home/.docker/config.json",
      JSON.stringify({ detachKeys: "ctrl-a", auths: { b: me("b") } }),
      0o644,
    );
    expect(await storeCredentials("a", "me", is("secret"), where)).toEqual({
      place: dockerConfigPath(where),
      plain: true,
    });
    expect(read()).toEqual({ detachKeys: "ctrl-a", auths: { b: me("b"), a: me("secret") } });
    expect(statSync(dockerConfigPath(where)).mode & 0o777).toBe(0o600);
    expect(readdirSync(`${machine.folder}/home/.docker`)).toEqual(["config.json"]);
    expect(await find("a/x")).toEqual(is("secret"));
    expect(await eraseCredentials("a", where)).toBe(true);
    expect(await eraseCredentials("a", where)).toBe(false);
    expect(read()).toEqual({ detachKeys: "ctrl-a", auths: { b: me("b") } });
  });

  test("in a folder of its own mode, and the hub under Docker's name", async () => {
    await storeCredentials("docker.io", "me", is("p"), where);
    expect(read()).toEqual({ auths: { [HUB]: me("p") } });
    expect(statSync(`${machine.folder}/home/.docker`).mode & 0o777).toBe(0o700);
    expect(await eraseCredentials("docker.io", where)).toBe(true);
    expect(read()).toEqual({ auths: {} });
  });

  test("an identity token in the place of a password", async () => {
    await storeCredentials("a", "me", { identityToken: "t" }, where);
    expect(read()).toEqual({ auths: { a: { auth: btoa("me:"), identitytoken: "t" } } });
  });

  test("behind a link", async () => {
    mkdirSync(`${machine.folder}/home/.docker`);
    machine.write("real.json", "{}");
    symlinkSync(`${machine.folder}/real.json`, dockerConfigPath(where));
    await storeCredentials("a", "me", is("p"), where);
    expect(JSON.parse(readFileSync(`${machine.folder}/real.json`, "utf8"))).toEqual({
      auths: { a: me("p") },
    });
    expect(readdirSync(`${machine.folder}/home/.docker`)).toEqual(["config.json"]);
  });

  test("not over a file that cannot be understood", async () => {
    machine.write("home/.docker/config.json", "{ nonsense");
    expect(await failure(storeCredentials("a", "me", is("p"), where))).toContain("mend or remove it");
    expect(readFileSync(dockerConfigPath(where), "utf8")).toBe("{ nonsense");
  });
});

describe("helpers", () => {
  test("keep, give and forget; the file says only that there is something", async () => {
    helper("test");
    config({ credsStore: "test" });
    expect(await storeCredentials("a", "me", is("secret"), where)).toEqual({
      place: "docker-credential-test",
      plain: false,
    });
    expect(read()).toEqual({ credsStore: "test", auths: { a: {} } });
    expect(await find("a/x")).toEqual(is("secret"));
    expect(await find("b/x")).toBeUndefined();
    expect(await eraseCredentials("a", where)).toBe(true);
    expect(await find("a/x")).toBeUndefined();
    expect(calls()).toEqual([
      'store {"ServerURL":"a","Username":"me","Secret":"secret"}',
      "get a",
      "get b",
      "erase a",
      "get a",
    ]);
  });

  test("one for one registry, and identity tokens", async () => {
    helper("one");
    config({ credHelpers: { "docker.io": "one" }, auths: { a: me("plain") } });
    await storeCredentials("docker.io", "me", { identityToken: "t" }, where);
    expect(await find("docker.io/library/busybox")).toEqual({ identityToken: "t" });
    expect(await find("a/x")).toEqual(is("plain"));
    expect(calls()).toEqual([`store {"ServerURL":"${HUB}","Username":"<token>","Secret":"t"}`, `get ${HUB}`]);
  });

  test("that are missing, fail, or say nonsense", async () => {
    machine.env.PATH = `${machine.folder}/bin`;
    config({ credsStore: "gone" });
    expect(await failure(find("a/x"))).toBe(
      "cannot use credential helper docker-credential-gone: executable file not found in $PATH",
    );
    config({ credsStore: "../x" });
    expect(await failure(find("a/x"))).toContain("its name is not one of a program");
    machine.write("bin/docker-credential-bad", "#!/bin/sh\necho 'keyring is locked'; exit 1\n");
    chmodSync(`${machine.folder}/bin/docker-credential-bad`, 0o755);
    config({ credsStore: "bad" });
    expect(await failure(find("a/x"))).toEndWith("docker-credential-bad: keyring is locked");
    machine.write("bin/docker-credential-bad", "#!/bin/sh\necho nonsense\n");
    expect(await failure(find("a/x"))).toEndWith("its answer is no JSON");
  });
});
