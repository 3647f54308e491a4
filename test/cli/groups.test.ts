import { describe, expect, test } from "bun:test";
import { GROUPS, ungroup } from "../../src/cli/groups.ts";
import { findCommand, loadCommand } from "../../src/cli/registry.ts";

describe("commands in groups", () => {
  test("each stands for one that there is", async () => {
    for (const [group, names] of Object.entries(GROUPS))
      for (const name of Object.keys(names)) {
        const [command] = await findCommand([group, name]);
        expect((await loadCommand(command)).name).toBe(command);
      }
  });

  test("keep their arguments", () => {
    expect(ungroup("image", ["ls", "-q"])).toEqual(["images", "-q"]);
    expect(ungroup("image", ["inspect", "x"])).toEqual(["inspect", "--type=image", "x"]);
    expect(ungroup("system", ["df"])).toEqual(["system df"]);
  });

  test.each([
    ["image", ["nope"], "unknown command: image nope: there are image ls"],
    ["image", [], "unknown command: image: there are image ls"],
    ["system", ["constructor"], "unknown command: system constructor"],
  ])("%s %p is refused", (group, rest, words) => {
    expect(() => ungroup(group, rest)).toThrow(words);
  });
});
