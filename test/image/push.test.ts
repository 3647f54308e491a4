import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { MEDIA } from "../../src/image/document.ts";
import { SILENT } from "../../src/image/progress.ts";
import { pushImage } from "../../src/image/push.ts";
import { digestOf } from "../../src/image/read-blob.ts";
import { parseReference } from "../../src/image/reference.ts";
import {
  blob,
  bytesOf,
  describe as descriptorOf,
  imageOf,
  load,
  manifestOf,
  withStore,
} from "./image-support.ts";
import { fakeRegistry } from "./registry/fake.ts";
import { isRoot, tarOf } from "./support.ts";

const layer = tarOf({ name: "file", data: "text" });

/** What arrives in a registry of an image whose only layer is stored as these bytes, and called plain. */
async function pushed(stored: Uint8Array): Promise<Uint8Array> {
  const registry = fakeRegistry();
  try {
    return await withPushed(stored, registry);
  } finally {
    registry.stop();
  }
}

async function withPushed(
  stored: Uint8Array,
  { domain, manifests, blobs }: ReturnType<typeof fakeRegistry>,
): Promise<Uint8Array> {
  let arrived: Uint8Array | undefined;
  await withStore(async (store) => {
    const config = bytesOf(imageOf(layer).config);
    const manifest = bytesOf(manifestOf(config, [stored]));
    const top = {
      ...descriptorOf(MEDIA.ociManifest, manifest),
      annotations: { "io.containerd.image.name": `${domain}/x:latest` },
    };
    const index = { name: "index.json", data: bytesOf({ schemaVersion: 2, manifests: [top] }) };
    await load(store, [index, ...[config, manifest, stored].map(blob)]);
    await pushImage(store, parseReference(`${domain}/x`), "latest", { progress: SILENT });
    const { layers } = JSON.parse(new TextDecoder().decode(manifests.get("x:latest")?.bytes));
    arrived = blobs.get(layers[0].digest);
  });
  if (arrived === undefined) throw new Error("no layer arrived");
  return arrived;
}

describe.skipIf(!isRoot)("push", () => {
  test("compresses what is plain, but not again what is only called so", async () => {
    const plain = await pushed(layer);
    expect(plain.length).toBeLessThan(layer.length);
    expect(digestOf(Bun.gunzipSync(new Uint8Array(plain)))).toBe(digestOf(layer));
    const gzip = await pushed(gzipSync(layer));
    expect(digestOf(Bun.gunzipSync(new Uint8Array(gzip)))).toBe(digestOf(layer));
  });
});
