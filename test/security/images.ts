/** Images that are made to do harm. */

import { expect } from "bun:test";
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mydocker, newName, scratch } from "../e2e/harness.ts";
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

/** Tries to load an image of these layers (of busybox where there are none) with this in its configuration. */
export async function tryImage(config: object, ...layers: readonly Uint8Array[]) {
  const name = newName();
  const made = imageOf(...(layers.length > 0 ? layers : [layerWith()]));
  const changed = { ...made, config: { ...made.config, config: { Cmd: ["/bin/sh"], ...config } } };
  const stdin = tarOf(...ociParts(changed, `docker.io/library/${name}:latest`));
  return { name, ...(await mydocker(["load"], { stdin })) };
}

/** The same where it must be loaded; its name. */
export async function imageWith(config: object, ...layers: readonly Uint8Array[]): Promise<string> {
  const { name, ...result } = await tryImage(config, ...layers);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  return name;
}

/** Makes the members of a tar as a careless program does: names are taken as they are, and links are followed. */
export function unpackCarelessly(parts: readonly Part[], into: string): void {
  for (const { name, type = "0", link: to = "", data = "", mode = 0o644 } of parts) {
    const path = name.startsWith("/") ? name : `${into}/${name}`;
    if (type === "5") mkdirSync(path, { recursive: true, mode });
    else if (type === "2") symlinkSync(to, path);
    else if (type === "1") linkSync(to.startsWith("/") ? to : `${into}/${to}`, path);
    else {
      writeFileSync(path, data, { mode });
      chmodSync(path, mode);
    }
  }
}

/** A folder of the host's that nothing of a container's or an image's may reach. */
export function treasure() {
  const path = scratch();
  const fill = (): void => {
    rmSync(path, { recursive: true });
    mkdirSync(`${path}/empty`, { recursive: true });
    writeFileSync(`${path}/secret`, "the host's\n");
  };
  fill();
  const isUntouched = (): boolean =>
    readdirSync(path).sort().join() === "empty,secret" &&
    readdirSync(`${path}/empty`).length === 0 &&
    readFileSync(`${path}/secret`, "utf8") === "the host's\n" &&
    lstatSync(`${path}/secret`).mode === 0o100644 &&
    lstatSync(`${path}/secret`).nlink === 1;
  /** As far down as a name can lead up. */
  const up = `../../../../../../../../..${path}`;
  return { path, up, isUntouched, fill, untouched: () => expect(isUntouched()).toBe(true) };
}
