/** Images that are made to do harm. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { mydocker, newName } from "../e2e/harness.ts";
import { imageOf, ociParts } from "../image/image-support.ts";
import { type Part, tarOf } from "../image/support.ts";

const APPLETS = ["sh", "ls", "cat", "true", "sleep", "id", "pwd", "stat", "awk", "mount", "grep", "touch"];
const folder = (name: string): Part => ({ name, type: "5", mode: 0o755 });

/** Members of a layer: busybox, and these. */
export function layerWith(...more: readonly Part[]): Buffer {
  const given = new Set(more.map(({ name }) => name.replace(/\/$/, "")));
  const base: Part[] = [
    folder("./"),
    ...["bin", "etc", "proc", "sys", "dev", "tmp"]
      .filter((name) => !given.has(name))
      .map((name) => folder(`${name}/`)),
    { name: "bin/busybox", mode: 0o755, data: readFileSync("/bin/busybox") },
    ...APPLETS.map((name): Part => ({ name: `bin/${name}`, type: "2", mode: 0o777, link: "busybox" })),
  ];
  return tarOf(...base, ...more);
}

/** A link in a layer. */
export const link = (name: string, to: string): Part => ({ name, type: "2", mode: 0o777, link: to });
export { folder };

/** Loads an image of these layers (of busybox where there are none) with this in its configuration; its name. */
export async function imageWith(config: object, ...layers: readonly Uint8Array[]): Promise<string> {
  const name = newName();
  const made = imageOf(...(layers.length > 0 ? layers : [layerWith()]));
  const changed = { ...made, config: { ...made.config, config: { Cmd: ["/bin/sh"], ...config } } };
  const stdin = tarOf(...ociParts(changed, `docker.io/library/${name}:latest`));
  expect(await mydocker(["load"], { stdin })).toMatchObject({ code: 0, stderr: "" });
  return name;
}
