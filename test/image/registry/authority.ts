/** A certificate authority of the tests' own, made by openssl. */
import { readFileSync } from "node:fs";

export interface Authority {
  /** The CA's certificate. */
  readonly ca: string;
  /** Of `localhost` and 127.0.0.1. */
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
  /** Of a name that is not ours. */
  readonly stranger: { readonly cert: string; readonly key: string };
  /** Of `localhost`, but of yesterday. */
  readonly old: { readonly cert: string; readonly key: string };
}

function openssl(folder: string, ...args: string[]): void {
  const result = Bun.spawnSync(["openssl", ...args], { cwd: folder, stderr: "pipe" });
  if (!result.success) throw new Error(`openssl ${args[0]}: ${result.stderr}`);
}

/** Makes it, in a folder that is there. */
export function makeAuthority(folder: string): Authority {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const read = (name: string): string => readFileSync(`${folder}/${name}`, "utf8");
  const basic = ["-addext", "basicConstraints=critical,CA:TRUE"];
  openssl(
    folder,
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-subj",
    "/CN=tests",
    ...basic,
  );
  const make = (name: string, names: string, days = "2"): { cert: string; key: string } => {
    const extension = ["-addext", `subjectAltName=${names}`];
    openssl(
      folder,
      "req",
      ...key,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      "-subj",
      `/CN=${name}`,
      ...extension,
    );
    const from = ["-in", `${name}.csr`, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl(
      folder,
      "x509",
      "-req",
      ...from,
      "-copy_extensions",
      "copy",
      "-days",
      days,
      "-out",
      `${name}.crt`,
    );
    return { cert: read(`${name}.crt`), key: read(`${name}.key`) };
  };
  return {
    ca: read("ca.crt"),
    server: make("server", "DNS:localhost,IP:127.0.0.1"),
    client: make("client", "DNS:client"),
    stranger: make("stranger", "DNS:stranger.example"),
    old: make("old", "DNS:localhost", "-1"),
  };
}
