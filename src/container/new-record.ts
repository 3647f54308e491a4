import type { Image, ImageConfig } from "../image/store.ts";
import { EngineError } from "../linux/errors.ts";
import type { CreateOptions } from "./create.ts";
import type * as CreateVolumes from "./create-volumes.ts";
import { claimIds } from "./idmap.ts";
import { networkOf, sharedIds } from "./network-choice.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord, Declared } from "./record.ts";
import { DEFAULT_PIDS } from "./resources.ts";

/** Where a container's lower layers come from, and what its image says of its process. */
export interface Source extends Pick<Image, "id" | "layers" | "config" | "foreign"> {
  /** What makes volumes; not loaded where none are wanted. */
  readonly volumes?: typeof CreateVolumes;
}

/** What is written down of a new container. Throws EngineError where there is nothing to run. */
export function makeRecord(
  paths: Paths,
  id: string,
  options: CreateOptions,
  source: Source,
): ContainerRecord {
  const { config } = source;
  const replaced = options.entrypoint !== undefined;
  const entrypoint = replaced
    ? [options.entrypoint ?? ""].filter((part) => part !== "")
    : (config.Entrypoint ?? []);
  const args = options.args.length > 0 ? options.args : replaced ? [] : (config.Cmd ?? []);
  const command = [...entrypoint, ...args];
  if (command.length === 0) throw new EngineError("no command was given, and the image names none");
  return {
    id,
    name: options.name ?? id,
    created: new Date().toISOString(),
    image: options.rootfs ? "" : options.image,
    imageId: source.id,
    ...declaredBy(config, options.mounts?.asked.anonymous),
    layers: source.layers,
    entrypoint,
    command,
    user: options.user ?? config.User ?? "",
    ...(source.volumes?.resolveVolumes(paths, options, config) ?? {
      volumes: options.volumes,
      ...(options.mounts && { tmpfs: options.mounts.tmpfs }),
    }),
    ...(options.mounts && { mounts: options.mounts.asked }),
    ...(options.readOnly && { readOnly: true }),
    limits: { pids: DEFAULT_PIDS, ...options.limits },
    ...(options.security && { security: options.security }),
    ...(options.namespaces && { namespaces: sharedIds(paths, options.namespaces) }),
    ...(options.sysctls && { sysctls: options.sysctls }),
    ...(options.init && { init: true }),
    ...(options.ids !== undefined && { idmap: claimIds(paths, id, options.ids) }),
    ...(options.cgroupParent !== undefined && { cgroupParent: options.cgroupParent }),
    ...(options.oomScoreAdj !== undefined && { oomScoreAdj: options.oomScoreAdj }),
    ...(options.shmSize !== undefined && { shmSize: options.shmSize }),
    ...networkOf(paths, options, config),
    stdin: options.stdin,
    autoRemove: options.autoRemove,
    stopSignal: options.stopSignal ?? config.StopSignal ?? "SIGTERM",
    ...(options.stopTimeout !== undefined && { stopTimeout: options.stopTimeout }),
    labels: { ...config.Labels, ...options.labels },
  };
}

/** Only the fields that are there: most images have none of them, and the record is read often. */
function declaredBy(config: ImageConfig, places: readonly string[] = []): { readonly declared?: Declared } {
  const { ExposedPorts, Healthcheck, Shell, OnBuild } = config;
  // as Docker: a place that was given for a volume is as good as declared
  const given = Object.fromEntries(places.map((place) => [place, {}]));
  const Volumes = places.length > 0 ? { ...config.Volumes, ...given } : config.Volumes;
  if (!(ExposedPorts || Volumes || Healthcheck || Shell || OnBuild)) return {};
  return {
    declared: {
      ...(ExposedPorts && { ExposedPorts }),
      ...(Volumes && { Volumes }),
      ...(Healthcheck && { Healthcheck }),
      ...(Shell && { Shell }),
      ...(OnBuild && { OnBuild }),
    },
  };
}
