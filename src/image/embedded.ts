import file from "../../build/busybox.tar.gz" with { type: "file" };

/** The stored bytes of the image that the program carries (a gzipped tar; see busybox-rootfs.ts). */
export async function embeddedArchive(): Promise<Uint8Array> {
  return await Bun.file(file).bytes();
}
