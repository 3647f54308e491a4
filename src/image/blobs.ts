import { readText } from "../linux/file.ts";
import type { ImageDocument } from "./document.ts";
import type { ImageConfig } from "./image.ts";

/** Where the store keeps manifests, configurations and layers as they are stored, by digest. */
export function blobsPath(root: string): string {
  return `${root}/blobs/sha256`;
}

/** A blob's file; its name is its digest. */
export function blobPath(root: string, digest: string): string {
  return `${blobsPath(root)}/${digest.slice("sha256:".length)}`;
}

/** That of this program, under the names of Go. */
const ARCHITECTURE = process.arch === "x64" ? "amd64" : process.arch;

/**
 * How the containers of the image of that id run, and what it was built for where that is not this machine. It was checked when
 * the image was put into the store.
 */
export function readConfig(root: string, id: string): { config: ImageConfig; foreign?: string } {
  const whole = JSON.parse(readText(blobPath(root, id))) as Partial<ImageDocument>;
  const { config, os = "linux", architecture = ARCHITECTURE } = whole;
  if (os === "linux" && (architecture === "" || architecture === ARCHITECTURE))
    return { config: config ?? {} };
  return { config: config ?? {}, foreign: `${os}/${architecture}` };
}
