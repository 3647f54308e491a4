import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { errnoName, errnoWords, isErrno, SysError } from "../../src/linux/errno.ts";
import { close, O, open, writeFileAtomic } from "../../src/linux/file.ts";
import { parseSignal, SIGNALS } from "../../src/linux/signals.ts";
import { isStillAt } from "../../src/linux/stat.ts";
import { localTime } from "../../src/linux/time.ts";

describe("errno", () => {
  test("numbers have the names that the C library gives them", () => {
    for (const [name, number] of Object.entries(constants.errno)) {
      // two names of one number
      if (["EWOULDBLOCK", "ENOTSUP"].includes(name)) continue;
      const shown = errnoName(number);
      if (!shown.startsWith("errno ")) expect([number, shown]).toEqual([number, name]);
      else expect(number).toBeGreaterThan(40);
    }
    expect(errnoName(35)).toBe("EDEADLK");
    expect(errnoName(4000)).toBe("errno 4000");
    expect(errnoName(0)).toBe("errno 0");
  });

  test("a failed call names itself, what it was about, and why", () => {
    const error = new SysError("open", "/x", 2);
    expect(error).toMatchObject({ message: "open /x: ENOENT", code: "ENOENT", errno: 2, name: "SysError" });
    expect(new SysError("fork", "", 11).message).toBe("fork: EAGAIN");
    expect(isErrno(error, "EPERM", "ENOENT")).toBe(true);
    expect(isErrno(error, "EPERM")).toBe(false);
    expect(isErrno(Object.assign(new Error(), { code: "ENOENT" }), "ENOENT")).toBe(false);
  });

  test("words", () => {
    expect(errnoWords("ENOENT")).toBe("no such file or directory");
    expect(errnoWords("EWHAT")).toBe("EWHAT");
  });
});

describe("signals", () => {
  test("numbers are the C library's", () => {
    for (const [name, number] of Object.entries(constants.signals)) expect(parseSignal(name)).toBe(number);
    expect(
      Object.keys(SIGNALS).every((name) => SIGNALS[name] === parseSignal(`sig${name.toLowerCase()}`)),
    ).toBe(true);
  });

  test.each([
    ["9", 9],
    ["KILL", 9],
    ["SIGKILL", 9],
    ["sigterm", 15],
    ["hup", 1],
    ["64", 64],
    ["RTMIN", 34],
    ["SIGRTMIN+3", 37],
    ["RTMAX", 64],
    ["RTMAX-14", 50],
    ["rtmin+1", 35],
  ])("%s is %d", (text, number) => {
    expect(parseSignal(text)).toBe(number);
  });

  test.each([
    "",
    "0",
    "65",
    "-9",
    "9.5",
    "NOPE",
    "SIG",
    "SIGSIGKILL",
    "RTMIN-1",
    "RTMAX+1",
    "RTMIN+31",
    "KILL ",
    "toString",
  ])("%p is none", (text) => {
    expect(parseSignal(text)).toBeUndefined();
  });
});

describe("time", () => {
  test.each(["UTC", "America/New_York", "Asia/Kolkata", "XYZ-3:30"])(
    "local time in %s is the date command's",
    async (TZ) => {
      const times = [0, 1_000_000_000, 1_750_000_000, 1_767_225_599, 4_102_444_800];
      const code = `const { localTime } = await import("${import.meta.dir}/../../src/linux/time.ts");
      for (const time of ${JSON.stringify(times)}) console.log(localTime(time * 1000 + 999))`;
      const env = { ...process.env, TZ };
      const ours = Bun.spawn([process.execPath, "-e", code], { env });
      const dates = times.map((time) => `date -d @${time} '+%Y-%m-%d %H:%M:%S'`).join(";");
      const theirs = Bun.spawn(["bash", "-c", dates], { env });
      expect(await new Response(ours.stdout).text()).toBe(await new Response(theirs.stdout).text());
    },
  );

  test("has the classic form", () => {
    expect(localTime(Date.now())).toMatch(/^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$/);
  });
});

describe("writeFileAtomic", () => {
  function inFolder(use: (folder: string) => void): void {
    const folder = mkdtempSync(`${tmpdir()}/mydocker-atomic-`);
    try {
      use(folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  test.each([true, false])(
    "writes and replaces as a whole, and leaves nothing beside it (durable: %p)",
    (durable) => {
      inFolder((folder) => {
        writeFileAtomic(`${folder}/a.json`, "first, and long", durable);
        const before = statSync(`${folder}/a.json`);
        writeFileAtomic(`${folder}/a.json`, "ü", durable, 0o640);
        const after = statSync(`${folder}/a.json`);
        expect(readFileSync(`${folder}/a.json`, "utf8")).toBe("ü");
        expect(after.ino).not.toBe(before.ino);
        expect([before.mode & 0o777, after.mode & 0o777]).toEqual([0o600, 0o640]);
        expect(readdirSync(folder)).toEqual(["a.json"]);
      });
    },
  );

  test("who has the old file open keeps it", () => {
    inFolder((folder) => {
      writeFileAtomic(`${folder}/a`, "old", false);
      const old = Bun.file(`${folder}/a`);
      const link = `${folder}/b`;
      Bun.spawnSync(["ln", `${folder}/a`, link]);
      writeFileAtomic(`${folder}/a`, "new", false);
      expect(readFileSync(link, "utf8")).toBe("old");
      expect(old.size).toBeGreaterThan(0);
    });
  });

  test("a link is replaced, what it points to is not written", () => {
    inFolder((folder) => {
      writeFileSync(`${folder}/target`, "untouched");
      Bun.spawnSync(["ln", "-s", "target", `${folder}/a`]);
      writeFileAtomic(`${folder}/a`, "new", false);
      expect(readFileSync(`${folder}/target`, "utf8")).toBe("untouched");
      expect(readFileSync(`${folder}/a`, "utf8")).toBe("new");
    });
  });

  test("a failure leaves the old file and no other", () => {
    inFolder((folder) => {
      mkdirSync(`${folder}/full/inner`, { recursive: true });
      expect(() => writeFileAtomic(`${folder}/full`, "x", false)).toThrow("EISDIR");
      expect(readdirSync(folder)).toEqual(["full"]);
      expect(() => writeFileAtomic(`${folder}/missing/a`, "x", false)).toThrow("ENOENT");
      expect(() => writeFileAtomic(`${folder}/a\0b`, "x", false)).toThrow("EINVAL");
      expect(readdirSync(folder)).toEqual(["full"]);
    });
  });
});

test("a folder that was removed, or made anew, is not what is open any more", () => {
  const folder = mkdtempSync("/tmp/mydocker-test-still-");
  const fd = open(folder, O.RDONLY | O.DIRECTORY);
  expect(isStillAt(fd, folder)).toBe(true);
  rmSync(folder, { recursive: true });
  expect(isStillAt(fd, folder)).toBe(false);
  mkdirSync(folder);
  expect(isStillAt(fd, folder)).toBe(false);
  rmSync(folder, { recursive: true });
  close(fd);
});
