import { EngineError } from "../../linux/errors.ts";
import { listFolder } from "../../linux/folder.ts";
import { readConfig, type Surroundings } from "./surroundings.ts";

/** PEM texts for a host. */
export interface Certificates {
  /** CAs that count besides the system's. */
  readonly ca: readonly string[];
  /** The client's certificate and its key. */
  readonly client?: { readonly cert: string; readonly key: string };
}

/**
 * What lies for a host (with its port, as users name it) in certs.d: `*.crt` are CAs, `NAME.cert` with `NAME.key` a client
 * certificate. The first folder of ~/.config/containers, /etc/containers, /etc/docker that has one for the host counts.
 * EngineError where half of a pair is missing, or where there are several.
 */
export function certificatesFor(host: string, where: Surroundings): Certificates {
  const folders = [`${where.home}/.config/containers`, `${where.etc}/containers`, `${where.etc}/docker`].map(
    (folder) => `${folder}/certs.d/${host}`,
  );
  for (const folder of folders) {
    const names = listFolder(folder)
      .map(({ name }) => name)
      .sort();
    if (names.length > 0) return readFolder(folder, names);
  }
  return { ca: [] };
}

function readFolder(folder: string, names: readonly string[]): Certificates {
  const ca = names.filter((name) => name.endsWith(".crt")).map((name) => readPem(`${folder}/${name}`));
  const halves = names.filter((name) => /\.(?:cert|key)$/.test(name));
  for (const name of halves) {
    const other = name.endsWith("key") ? name.replace(/key$/, "cert") : name.replace(/cert$/, "key");
    if (!halves.includes(other))
      throw new EngineError(
        `cannot use ${folder}/${name}: ${other} must lie beside it (a client certificate and its key)`,
      );
  }
  const [cert, key, more] = halves;
  if (cert === undefined || key === undefined) return { ca };
  if (more !== undefined)
    throw new EngineError(`cannot use ${folder}: it has several client certificates; leave one`);
  return { ca, client: { cert: readPem(`${folder}/${cert}`), key: readPem(`${folder}/${key}`) } };
}

function readPem(path: string): string {
  const text = readConfig(path) ?? "";
  if (!text.includes("-----BEGIN "))
    throw new EngineError(`cannot use ${path}: it is no certificate or key (PEM)`);
  return text;
}

const BUNDLES = [
  "ssl/certs/ca-certificates.crt",
  "pki/tls/certs/ca-bundle.crt",
  "ssl/ca-bundle.pem",
  "ssl/cert.pem",
];

/**
 * The CAs of this machine, which its administrator may have added to: $SSL_CERT_FILE or the system's bundle; those that Bun
 * carries where there is neither.
 */
export async function systemRoots(where: Surroundings): Promise<readonly string[]> {
  const named = where.env.SSL_CERT_FILE;
  if (named) return [readPem(named)];
  for (const bundle of BUNDLES) {
    const text = readConfig(`${where.etc}/${bundle}`);
    if (text?.includes("-----BEGIN ")) return [text];
  }
  const { rootCertificates } = await import("node:tls");
  return rootCertificates;
}
