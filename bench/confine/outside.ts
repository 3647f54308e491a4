import { existsSync, readFileSync } from "node:fs";
import type { Site } from "../engine.ts";
import { output, start } from "../measure.ts";
import { PATHS } from "./paths.ts";
import { INSIDE } from "./programs.ts";
import { attempt, readState, readVerdicts, type Seen, type Subject, type Tried } from "./subject.ts";

/** What is known of a running container from the host's side. */
export interface Outside {
  readonly masked: readonly string[];
  readonly readonly: readonly string[];
  readonly devices: readonly string[];
  /** What a program finds that `exec` starts in it. */
  readonly exec: Tried<Seen>;
  readonly privilegedExec: Tried<Seen>;
}

/** Starts a container that sleeps, and looks at its OCI configuration and its groups; removes it again. */
export function lookFromOutside(subject: Subject, site: Site): Outside {
  const { engine, flags } = subject;
  const name = `${site.prefix}-seen`;
  start(engine.runWith(["-d", "--name", name, ...flags], ["sleep", "1000"]), site.log);
  try {
    const [pid = "", id = ""] = output(engine.call("inspect", "-f", "{{.State.Pid}} {{.Id}}", name))
      .trim()
      .split(" ");
    const exec = (...options: string[]): Tried<Seen> => {
      const run = (program: string, ...args: readonly string[]): string =>
        output(engine.call("exec", ...options, name, `${INSIDE}/${program}`, ...args));
      return attempt(() => ({
        calls: readVerdicts(run("calls")),
        state: readState(run("state", ...PATHS)),
      }));
    };
    return {
      ...pathsOf(configurationOf(subject, site, id)),
      devices: deviceRules(Number(pid)),
      exec: exec(),
      privilegedExec: exec("--privileged"),
    };
  } finally {
    output(engine.call("rm", "-f", name));
  }
}

/** Where each engine keeps the configuration that it hands to its runtime. */
function configurationOf({ name, engine }: Subject, site: Site, id: string): string {
  if (name === "mydocker") return `${site.folder}/mydocker-root/containers/${id}/config.json`;
  if (name === "podman") return output(engine.call("inspect", "-f", "{{.OCIConfigPath}}", id)).trim();
  return `${site.folder}/dockerd/exec/containerd/daemon/io.containerd.runtime.v2.task/moby/${id}/config.json`;
}

function pathsOf(file: string): Pick<Outside, "masked" | "readonly"> {
  const { linux } = JSON.parse(readFileSync(file, "utf8")) as {
    linux: { maskedPaths?: string[]; readonlyPaths?: string[] };
  };
  return { masked: linux.maskedPaths ?? [], readonly: linux.readonlyPaths ?? [] };
}

/** Of cgroup v1; v2 keeps them in a program that does not tell. */
function deviceRules(pid: number): string[] {
  const path = /^\d+:devices:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];
  const file = `/sys/fs/cgroup/devices${path}/devices.list`;
  return path && existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").sort() : [];
}
