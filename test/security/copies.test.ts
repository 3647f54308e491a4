/** Copies by names that a container exchanges meanwhile. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { background, mydocker, ok, scratch, suite, until } from "../e2e/harness.ts";
import { treasure } from "./images.ts";
import { withProbes } from "./probes.ts";

suite();

test("CVE-2018-15664, CVE-2021-41089: cp, both ways, of a folder that is a link to the host's the next moment", async () => {
  const { path, untouched } = treasure();
  const own = scratch();
  writeFileSync(`${own}/new`, "new\n");
  const setup = `mkdir /dir; echo own > /dir/secret; ln -s ${path} /link; exec /probes/swap /dir /link`;
  const { name } = await background(...withProbes("swap"), "busybox", "sh", "-c", setup);
  await until(async () => (await ok("logs", name)).includes("ready"), "the attacker");
  const end = Date.now() + 2000;
  for (let out = 0, into = 0; Date.now() < end || (out * into === 0 && Date.now() < end + 20_000); ) {
    const read = await mydocker(["cp", `${name}:/dir/secret`, "-"]);
    expect(read.stdout).not.toContain("the host's");
    if (read.code === 0) out++;
    await mydocker(["cp", `${name}:/dir`, own]);
    const written = await mydocker(["cp", `${own}/new`, `${name}:/dir/new`]);
    if (written.code === 0) into++;
    untouched();
  }
  for (const file of readdirSync(own, { recursive: true, withFileTypes: true }))
    if (file.isFile())
      expect(readFileSync(`${file.parentPath}/${file.name}`, "utf8")).not.toContain("the host's");
  // without somebody who exchanges them they go where they are to
  await ok("exec", name, "mkdir", "-p", "/still");
  await ok("cp", `${own}/new`, `${name}:/still/new`);
  expect(await ok("exec", name, "cat", "/still/new")).toBe("new");
}, 60_000);
