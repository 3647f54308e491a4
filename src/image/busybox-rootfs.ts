import { BLOCK, padding, type TarMember, tarHeader } from "./tar/header.ts";

/** Build time only: nothing of the program imports this. */
export interface BusyboxTar {
  /** `sha256:…` of the archive. */
  readonly id: string;
  /** Bytes of the content of its files. */
  readonly content: number;
  /** RFC 3339. */
  readonly created: string;
}

const FOLDERS =
  "bin dev etc home proc root sys tmp usr usr/bin usr/sbin var var/spool var/spool/mail var/tmp var/www sbin lib";
const MODES: Readonly<Record<string, number>> = { root: 0o700, tmp: 0o1777, "var/tmp": 0o1777 };

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
sync:x:4:100:sync:/bin:/bin/sync
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`;

const GROUP = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
wheel:x:10:root
www-data:x:33:
operator:x:37:
staff:x:50:
users:x:100:
nobody:x:65534:
`;

const USERS = PASSWD.trim()
  .split("\n")
  .map((line) => line.slice(0, line.indexOf(":")));
// nobody can log in by a password
const SHADOW = USERS.map((user) => `${user}:*:10933:0:99999:7:::\n`).join("");

const FILES: readonly (readonly [name: string, text: string, mode: number])[] = [
  ["etc/passwd", PASSWD, 0o644],
  ["etc/group", GROUP, 0o644],
  ["etc/shadow", SHADOW, 0o640],
  ["etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n", 0o644],
  ["etc/hostname", "busybox\n", 0o644],
  ["etc/hosts", "127.0.0.1\tlocalhost\n", 0o644],
  // what is mounted over it needs a place: made in each container it would cost 0.4 ms
  ["etc/resolv.conf", "", 0o644],
  ["etc/profile", "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", 0o644],
];

/**
 * Writes the embedded image's archive to `out`: the static busybox at `busybox` with a link for each of its applets,
 * and the files that programs expect. The same busybox gives the same bytes. `list` is a busybox of the same version
 * that runs here; another architecture's does not. Throws where the program is missing or not busybox.
 */
export async function makeBusyboxTar(
  out: string,
  busybox = "/bin/busybox",
  list = "/bin/busybox",
): Promise<BusyboxTar> {
  const program = Bun.file(busybox);
  if (!(await program.exists()))
    throw new Error(`cannot make ${out}: ${busybox} is missing (apt install busybox-static)`);
  const bytes = new Uint8Array(await program.arrayBuffer());
  const modified = Math.floor(program.lastModified / 1000) * 1000;
  const tar = archiveOf(bytes, appletsOf(list), BigInt(modified));
  // plain: the megabyte that gzip would save costs 5 ms at the first use
  await Bun.write(out, tar);
  return {
    id: `sha256:${new Bun.CryptoHasher("sha256").update(tar).digest("hex")}`,
    content: FILES.reduce((sum, [, text]) => sum + Buffer.byteLength(text), bytes.length),
    created: new Date(modified).toISOString(),
  };
}

/** The applets' usual places, such as `usr/bin/env`. */
function appletsOf(busybox: string): string[] {
  const result = Bun.spawnSync([busybox, "--list-full"]);
  const lines = result.stdout.toString().trim().split("\n");
  if (result.exitCode !== 0 || lines.length < 50) throw new Error(`cannot list the applets of ${busybox}`);
  return lines.map((line) => line.replace(/^\//, "")).sort();
}

function archiveOf(
  program: Uint8Array,
  applets: readonly string[],
  modifiedMs: bigint,
): Uint8Array<ArrayBuffer> {
  const mtime = (modifiedMs / 1000n) * 1_000_000_000n;
  const parts: Uint8Array[] = [];
  const add = (
    member: Partial<TarMember> & Pick<TarMember, "name" | "type" | "mode">,
    data?: Uint8Array,
  ): void => {
    const size = data?.length ?? 0;
    parts.push(tarHeader({ uid: 0, gid: 0, mtime, ...member, size }));
    if (data !== undefined) parts.push(data, new Uint8Array(padding(size)));
  };
  const folders = ["", ...FOLDERS.split(" ").sort()];
  for (const name of folders) add({ name: `./${name}`, type: "5", mode: MODES[name] ?? 0o755 });
  add({ name: "./bin/busybox", type: "0", mode: 0o755 }, program);
  // hard links: one system call each to unpack, and no inode of their own
  for (const applet of applets) {
    if (applet === "bin/busybox") continue;
    const folder = applet.slice(0, Math.max(0, applet.lastIndexOf("/")));
    // an applet in the root (linuxrc) is of no use in a container
    if (folders.includes(folder) && folder !== "")
      add({ name: `./${applet}`, type: "1", mode: 0o755, link: "./bin/busybox" });
  }
  for (const [name, text, mode] of FILES)
    add({ name: `./${name}`, type: "0", mode }, new TextEncoder().encode(text));
  parts.push(new Uint8Array(2 * BLOCK));
  return Uint8Array.from(Buffer.concat(parts));
}
