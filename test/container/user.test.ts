import { describe, expect, test } from "bun:test";
import { resolveUser } from "../../src/container/user.ts";
import { EngineError } from "../../src/linux/errors.ts";

const passwd = `root:x:0:0:root:/root:/bin/sh
alice:x:1000:1001:Alice:/home/alice:/bin/sh
bob:x:1002:1002::/home/bob:
nohome:x:1003:1003:::
7:x:1007:1008:a name of digits:/home/seven:
broken line
alice:x:2000:2000:second:/second:
`;
const group = `root:x:0:
wheel:x:10:root,alice
audio:x:29:alice,bob
alice:x:1001:
again:x:29:alice
9:x:909:
`;
const resolve = (user: string): ReturnType<typeof resolveUser> => resolveUser(user, passwd, group);

describe("who a process is", () => {
  test.each([
    ["", { uid: 0, gid: 0, groups: [0, 10], home: "/root" }],
    ["root", { uid: 0, gid: 0, groups: [0, 10], home: "/root" }],
    ["0", { uid: 0, gid: 0, groups: [0, 10], home: "/root" }],
    ["alice", { uid: 1000, gid: 1001, groups: [1001, 10, 29], home: "/home/alice" }],
    ["1000", { uid: 1000, gid: 1001, groups: [1001, 10, 29], home: "/home/alice" }],
    ["bob", { uid: 1002, gid: 1002, groups: [1002, 29], home: "/home/bob" }],
    ["nohome", { uid: 1003, gid: 1003, groups: [1003], home: "/" }],
  ])("%p, with the groups of the user", (user, identity) => {
    expect(resolve(user)).toEqual(identity);
  });

  test.each([
    ["alice:wheel", { uid: 1000, gid: 10, groups: [10], home: "/home/alice" }],
    ["alice:29", { uid: 1000, gid: 29, groups: [29], home: "/home/alice" }],
    ["1000:4242", { uid: 1000, gid: 4242, groups: [4242], home: "/home/alice" }],
    [":wheel", { uid: 0, gid: 10, groups: [10], home: "/root" }],
  ])("%p has that group only", (user, identity) => {
    expect(resolve(user)).toEqual(identity);
  });

  test.each([
    ["4242", { uid: 4242, gid: 0, groups: [0], home: "/" }],
    ["4242:4343", { uid: 4242, gid: 4343, groups: [4343], home: "/" }],
    ["2147483647", { uid: 2147483647, gid: 0, groups: [0], home: "/" }],
  ])("%p is an id though it is not listed", (user, identity) => {
    expect(resolve(user)).toEqual(identity);
    expect(resolveUser(user, "", "")).toEqual(identity);
  });

  test("digits are always an id, also where a user or group has such a name", () => {
    expect(resolve("7")).toMatchObject({ uid: 7, gid: 0 });
    expect(resolve("alice:9")).toMatchObject({ gid: 9 });
  });

  test.each([
    ["mallory", "unable to find user mallory: no matching entries in passwd file"],
    ["mallory:wheel", "no matching entries in passwd file"],
    ["-1", "no matching entries in passwd file"],
    ["alice:nope", "unable to find group nope: no matching entries in group file"],
    ["2147483648", "2147483647"],
    ["alice:99999999999", "2147483647"],
  ])("%p is refused", (user, words) => {
    expect(() => resolve(user)).toThrow(words);
    expect(() => resolve(user)).toThrow(EngineError);
  });

  test("without files root is still root", () => {
    expect(resolveUser("", "", "")).toEqual({ uid: 0, gid: 0, groups: [0], home: "/" });
  });

  test("an empty group is none given: the user's own groups (libcontainer, GetExecUser)", () => {
    expect(resolve("alice:")).toEqual(resolve("alice"));
  });
});
