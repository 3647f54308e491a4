import { readText } from "../linux/file.ts";
import type { ImageConfig } from "./image.ts";

/** Where the store keeps manifests, configurations and layers as they are stored, by digest. */
export function blobsPath(root: string): string {
  return `${root}/blobs/sha256`;
}

/** A blob's file; its name is its digest. */
export function blobPath(root: string, digest: string): string {
  return `${blobsPath(root)}/${digest.slice("sha256:".length)}`;
}

/** How the containers of the image of that id run. It was checked when the image was put into the store. */
export function readConfig(root: string, id: string): ImageConfig {
  const whole = JSON.parse(readText(blobPath(root, id))) as { readonly config?: ImageConfig };
  return whole.config ?? {};
}
