import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { background, fails, mydocker, newName, ok, ROOT, scratch, suite } from "./harness.ts";

suite();

/** What a person may type wrong: the arguments, the exit code, and words of the one line that must answer it. */
const WRONG: readonly (readonly [args: string, code: number, words: RegExp])[] = [
  ["frobnicate", 1, /unknown command: frobnicate/],
  ["--frobnicate ps", 125, /unknown flag: --frobnicate/],
  ["--root", 125, /flag needs an argument: --root/],
  ["run", 1, /requires at least 1 argument/],
  ["run --rootfs", 1, /requires at least 1 argument/],
  ["run --nosuchflag busybox", 125, /unknown flag: --nosuchflag/],
  ["run -nosuchflag busybox", 125, /unknown flag/],
  ["run -y busybox", 125, /unknown shorthand flag: 'y'/],
  ["run --name", 125, /flag needs an argument: --name/],
  ["run --rm=perhaps busybox", 125, /invalid value "perhaps"/],
  ["run --name ../../etc busybox", 125, /invalid container name/],
  ["run --name .hidden busybox", 125, /invalid container name/],
  ["run --name -x busybox", 125, /invalid container name/],
  ["run nosuchimage", 125, /Unable to find image 'nosuchimage/],
  ["run ../../etc/passwd", 125, /invalid reference format/],
  ["run -m 12q busybox true", 125, /invalid size: '12q'/],
  ["run -m -5m busybox true", 125, /invalid size/],
  ["run -m 5m busybox true", 125, /minimum memory limit/],
  ["run -m 99999999999999g busybox true", 125, /invalid size/],
  ["run -cpus 0.001 busybox true", 125, /range of CPUs/],
  ["run -cpus many busybox true", 125, /invalid number of CPUs/],
  ["run -cpushare 1 busybox true", 125, /the minimum is 2/],
  ["run -cpushare some busybox true", 125, /invalid CPU shares/],
  ["run -cpuset 3-1-2 busybox true", 125, /invalid list of CPUs/],
  ["run --pids-limit x busybox true", 125, /invalid value "x"/],
  ["run -v only busybox true", 125, /invalid volume specification/],
  ["run -v /a:b busybox true", 125, /invalid volume specification/],
  ["run -v /a:/b:wrong busybox true", 125, /invalid volume specification.*'wrong'/],
  ["run -v /a:/b:ro,rw busybox true", 125, /invalid volume specification/],
  ["run -v /tmp:/proc busybox true", 125, /destination can't be in \/proc/],
  ["run -v /tmp:/a -v /var:/a/ busybox true", 125, /Duplicate mount point: \/a/],
  ["run -v /tmp:/etc/passwd busybox true", 125, /one is a folder and the other is a file/],
  ["run -v /a:/ busybox true", 125, /destination can't be '\/'/],
  ["run -e =x busybox true", 125, /invalid environment variable/],
  ["run --env-file /no/such busybox true", 125, /\/no\/such/],
  ["run -u nobodyhere busybox true", 125, /no matching entries in passwd file/],
  ["run -u 0:nogrouphere busybox true", 125, /no matching entries in group file/],
  ["run -it busybox sh", 125, /the input device is not a TTY/],
  ["run -it -d busybox sh", 125, /-it and -d/],
  ["run --rootfs /no/such true", 125, /no such folder/],
  ["run --rootfs /etc/passwd true", 125, /no such folder/],
  ["ps extra", 1, /accepts no arguments/],
  ["ps --filter colour=red", 125, /invalid filter/],
  ["ps --filter exited=soon", 125, /invalid filter/],
  ["inspect --type volume nosuch", 1, /no such volume/],
  ["inspect --type plugin nosuch", 1, /unknown type plugin/],
  ["ps --filter name", 125, /invalid filter/],
  ["ps --format {{.ID", 64, /unclosed action/],
  ["logs", 1, /requires exactly 1 argument/],
  ["logs nosuch", 1, /No such container: nosuch/],
  ["logs --since yesterday nosuch", 125, /invalid time 'yesterday'/],
  ["logs --tail many nosuch", 125, /invalid value "many"/],
  ["exec nosuch", 1, /requires at least 2 arguments/],
  ["exec nosuch true", 1, /No such container: nosuch/],
  ["exec -it nosuch true", 125, /not a TTY/],
  ["stop", 1, /requires at least 1 argument/],
  ["stop -t soon nosuch", 125, /invalid value "soon"/],
  ["stop nosuch", 1, /No such container: nosuch/],
  ["start nosuch", 1, /No such container: nosuch/],
  ["restart nosuch", 1, /No such container: nosuch/],
  ["kill nosuch", 1, /No such container: nosuch/],
  ["kill -s NOSIG nosuch", 125, /invalid signal: NOSIG/],
  ["kill -s 65 nosuch", 125, /invalid signal: 65/],
  ["rm nosuch", 1, /No such container: nosuch/],
  ["rm ../../etc", 1, /No such container/],
  ["commit nosuch", 1, /No such container: nosuch/],
  ["commit nosuch image", 1, /No such container: nosuch/],
  ["rmi nosuch", 1, /No such image: nosuch/],
  ["import /etc", 1, /cannot import \/etc: it is a folder/],
  ["import /etc/passwd", 125, /cannot import \/etc\/passwd: it is not a tar archive/],
  ["import /nowhere.tar", 1, /open \/nowhere.tar: no such file/],
  ["tag busybox sha256:abc", 1, /refusing to create an ambiguous tag/],
  ["rmi ../../etc", 1, /invalid reference format|No such image/],
  ["inspect --type image nosuch", 1, /No such image: nosuch/],
  ["completion tcsh", 125, /no completion for tcsh/],
  ["help nosuch", 1, /unknown command: nosuch/],
];

describe("one line on stderr, nothing on stdout, the right code, and nothing left", () => {
  for (const [line, code, words] of WRONG)
    test(`mydocker ${line}`, async () => {
      const args = line.split(" ");
      if (line.startsWith("inspect")) {
        expect(await mydocker(args)).toMatchObject({ code, stderr: expect.stringMatching(words) });
        return;
      }
      await fails(code, words, ...args);
      for (const folder of ["containers", "overlay2", "names"])
        expect(existsSync(`${ROOT}/${folder}`) ? readdirSync(`${ROOT}/${folder}`) : []).toEqual([]);
    });

  test("empty arguments are no names of anything", async () => {
    await fails(125, /invalid reference format/, "run", "", "true");
    await fails(125, /invalid volume specification/, "run", "-v", "", "busybox", "true");
    await fails(127, /not found/, "run", "busybox", "");
    await fails(1, /No such container/, "rm", "");
    await fails(1, /No such container/, "stop", "");
  });

  test("an env file with blanks in a name is told with its line", async () => {
    const file = `${scratch()}/env`;
    writeFileSync(file, "GOOD=1\n# fine\nBAD NAME=2\n");
    await fails(125, /line 3: 'BAD NAME'/, "run", "--env-file", file, "busybox", "true");
  });

  test("what fails with a name leaves the name free", async () => {
    const name = newName();
    await fails(127, /not found/, "run", "--name", name, "busybox", "nosuch");
    await fails(126, /permission denied/, "run", "-d", "--name", name, "busybox", "/etc");
    await fails(125, /passwd/, "run", "-u", "nobodyhere", "--name", name, "busybox", "true");
    await fails(125, /nosuchimage/, "run", "--name", name, "nosuchimage");
    expect(await ok("run", "--name", name, "busybox", "echo", "free")).toBe("free");
  });

  test("start of a container whose program is gone by now says so, and it stays", async () => {
    const { name } = await background("busybox", "sh", "-c", "rm /bin/sleep; cp /bin/busybox /p; exec /p sh");
    await ok("stop", "-t", "0", name);
    const other = newName();
    await ok("run", "--name", other, "busybox", "rm", "/bin/rm");
    await fails(127, /"rm".*executable file not found/, "start", "-a", other);
    expect((await mydocker(["start", other])).code).toBe(1);
    expect(await ok("inspect", "-f", "{{.State.Running}}", other)).toBe("false");
    expect(await ok("rm", other)).toBe(other);
  });
});

describe("wordings and codes still to come", () => {
  test("a relative working folder is told for what it is", () =>
    fails(125, /working (directory|folder).*relative.*absolute/, "run", "-w", "relative", "busybox", "true"));

  test("a status that no container can have is an invalid filter, as with Docker", () =>
    fails(125, /invalid filter/, "ps", "--filter", "status=foo"));

  test("rm -f says on stderr, not on stdout, what was not there", async () => {
    expect(await mydocker(["rm", "-f", "nosuch"])).toMatchObject({ code: 0, stdout: "" });
  });
});
