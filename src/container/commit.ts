import { configComment } from "../image/config-comment.ts";
import { archivePath, hasImage, type ImageConfig, imageName } from "../image/store.ts";
import { EngineError } from "../linux/errors.ts";
import { close, mkdirAll, O, open } from "../linux/file.ts";
import { exists } from "../linux/stat.ts";
import { isRunning } from "./liveness.ts";
import { holdLayer, openMerged } from "./overlay.ts";
import type { Paths } from "./paths.ts";
import type { Container, ContainerRecord } from "./record.ts";
import { findId, readContainer, readState, waitForLock } from "./store.ts";

/**
 * `commit`: the merged view of a container, running or not, as image/IMAGE.tar, which `run` finds at once. A name that
 * exists is refused. How the container runs (environment, command, user, working folder) is the image's from then on.
 * Returns the image's name.
 */
export async function commitContainer(paths: Paths, reference: string, image: string): Promise<string> {
  const container = readContainer(paths, findId(paths, reference));
  const { record } = container;
  const name = imageName(image);
  const out = archivePath(paths.root, name);
  if (hasImage(paths.root, name)) throw taken(name);
  mkdirAll(`${paths.root}/image`, 0o700);
  const view = viewOfRunning(paths, record) ?? (await viewOfStopped(paths, record));
  try {
    const { packTree } = await import("../image/pack.ts");
    Bun.unsafe.setJITPolicy(1);
    packTree(view.merged, out, configComment(configFrom(container)));
  } catch (error) {
    throw exists(out) ? taken(name) : error;
  } finally {
    for (const fd of view.open) close(fd);
  }
  return name;
}

/** What the engine itself puts into an environment. */
const OWN_VARIABLES = /^(HOSTNAME|HOME|TERM)=/;

/** How containers of the new image run: as this one, as far as its flags did not only concern it alone. */
function configFrom({ record, spec }: Container): ImageConfig {
  const entrypoint = record.entrypoint;
  return {
    Env: spec.process.env.filter((entry) => !OWN_VARIABLES.test(entry)),
    Cmd: record.command.slice(entrypoint.length),
    ...(entrypoint.length > 0 && { Entrypoint: entrypoint }),
    ...(spec.process.cwd !== "/" && { WorkingDir: spec.process.cwd }),
    ...(record.user !== "" && { User: record.user }),
    ...(Object.keys(record.labels).length > 0 && { Labels: record.labels }),
    ...(record.stopSignal !== "SIGTERM" && { StopSignal: record.stopSignal }),
  };
}

/** A container's merged view, and all that must be closed when it is read. */
interface View {
  readonly merged: number;
  readonly open: readonly number[];
}

/** Of a container that runs, and may end meanwhile: nobody removes its layer before we are done. Undefined where it does not. */
function viewOfRunning(paths: Paths, record: ContainerRecord): View | undefined {
  const state = readState(paths, record);
  if (!isRunning(state)) return undefined;
  const layer = holdLayer(paths, record.id);
  const merged = open(paths.merged(record.id), O.RDONLY | O.DIRECTORY);
  // mounted when it was opened only if it still runs now
  if (isRunning(state)) return { merged, open: [merged, layer] };
  for (const fd of [merged, layer]) close(fd);
  return undefined;
}

/** Of one that does not run: nobody may start or remove it while its layers are mounted here. */
async function viewOfStopped(paths: Paths, record: ContainerRecord): Promise<View> {
  const lock = await waitForLock(paths, record.id, 10);
  if (lock === undefined)
    throw new EngineError(`cannot commit container ${record.name}: another command is busy with it`, 1);
  try {
    const merged = openMerged(paths, record.id, record.layers);
    return { merged, open: [merged, lock] };
  } catch (error) {
    close(lock);
    throw error;
  }
}

function taken(name: string): EngineError {
  return new EngineError(
    `cannot commit to ${name}: an image of that name exists; 'mydocker rmi ${name}' removes it`,
    1,
  );
}
