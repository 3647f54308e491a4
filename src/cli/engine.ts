import { Paths } from "../container/paths.ts";

/** The folders this call works on: --root and --run, else MYDOCKER_ROOT and MYDOCKER_RUN, else the usual ones. */
export function enginePaths(): Paths {
  return new Paths(
    absolute(process.env.MYDOCKER_ROOT || "/var/lib/mydocker"),
    absolute(process.env.MYDOCKER_RUN || "/run/mydocker"),
  );
}

/** A path of the host, from the current folder where it is relative; without a trailing slash. */
export function absolute(path: string): string {
  const full = path.startsWith("/") ? path : `${process.cwd()}/${path}`;
  return full.replace(/\/+$/, "") || "/";
}
