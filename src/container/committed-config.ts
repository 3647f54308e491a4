import type { ImageConfig } from "../image/store.ts";
import type { Container } from "./record.ts";

/** What the engine itself puts into an environment. */
const OWN_VARIABLES = /^(HOSTNAME|HOME|TERM)=/;

/** How containers of an image that is made of this one run: as this one, as far as its flags did not only concern it alone. */
export function configFrom({ record, spec }: Container): ImageConfig {
  const entrypoint = record.entrypoint;
  return {
    ...record.declared,
    Env: spec.process.env.filter((entry) => !OWN_VARIABLES.test(entry)),
    Cmd: record.command.slice(entrypoint.length),
    ...(entrypoint.length > 0 && { Entrypoint: entrypoint }),
    ...(spec.process.cwd !== "/" && { WorkingDir: spec.process.cwd }),
    ...(record.user !== "" && { User: record.user }),
    ...(Object.keys(record.labels).length > 0 && { Labels: record.labels }),
    ...(record.stopSignal !== "SIGTERM" && { StopSignal: record.stopSignal }),
  };
}
