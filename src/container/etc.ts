import { readTextIfAny, writeFile } from "../linux/file.ts";
import type { Paths } from "./paths.ts";

const HOSTS = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;

/** The files of /etc that the engine provides, by their names in the container's folder. */
export const PROVIDED = {
  hosts: "/etc/hosts",
  hostname: "/etc/hostname",
  "resolv.conf": "/etc/resolv.conf",
} as const;

/** Writes hosts, hostname and resolv.conf into the container's folder; they are bound over the image's. */
export function writeProvided(
  paths: Paths,
  id: string,
  hostname: string,
  ownAddress: string | undefined,
): void {
  const folder = paths.container(id);
  writeFile(`${folder}/hosts`, ownAddress ? `${HOSTS}${ownAddress}\t${hostname}\n` : HOSTS, 0o644);
  writeFile(`${folder}/hostname`, `${hostname}\n`, 0o644);
  writeFile(`${folder}/resolv.conf`, readTextIfAny("/etc/resolv.conf") ?? "", 0o644);
}
