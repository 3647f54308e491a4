import { NIL_LIST, NIL_MAP, withHidden } from "../container/nil.ts";
import type { Paths } from "../container/paths.ts";
import { type ImageDocument, parseDocument } from "../image/document.ts";
import { hostPlatform } from "../image/platform.ts";
import { readBlob } from "../image/read-blob.ts";
import {
  familiar,
  findImage,
  fullName,
  type ImageConfig,
  type ListedImage,
  listImages,
} from "../image/store.ts";

/** An image as `docker inspect` shows it; undefined where there is none of that name (or beginning of an id). */
export function inspectImage(paths: Paths, reference: string): object | undefined {
  const full = fullName(reference);
  const all = listImages(paths.root);
  const found = findImage(paths.root, reference);
  const listed =
    all.find(({ tags, digests }) => tags.includes(full) || digests.includes(full)) ??
    all.find(({ id }) => id !== undefined && id === found?.id) ??
    all.find((image) => beginsWith(image, reference));
  if (!listed) return undefined;
  const image = found ?? (listed.id === undefined ? undefined : findImage(paths.root, listed.id));
  const document = documentOf(paths, listed);
  const { architecture, os, variant } = document ?? hostPlatform();
  const id = image?.id ?? listed.id ?? "";
  const shown = {
    Id: id,
    RepoTags: listed.tags.map(familiar),
    RepoDigests: listed.digests.map(familiar),
    Parent: "",
    Comment: document?.history.at(-1)?.comment ?? "",
    Created: listed.created ?? "",
    DockerVersion: "",
    Author: document?.author ?? "",
    Config: configOf(image?.config ?? {}),
    Architecture: architecture,
    ...(variant !== undefined && { Variant: variant }),
    Os: os,
    Size: listed.size ?? 0,
    VirtualSize: listed.size ?? 0,
    GraphDriver: { Name: "overlay2", Data: { LowerDir: image?.layers.join(":") ?? "" } },
    RootFS: { Type: "layers", Layers: document?.rootfs.diff_ids ?? layersOf(listed) },
    Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
  };
  return withHidden(shown, { ID: id, Variant: "", Container: "" });
}

/** An image's config with all fields that Docker's has. */
function configOf(config: ImageConfig): object {
  const said = Object.entries(config).filter(([, value]) => value !== null);
  const shown = {
    ...{
      Hostname: "",
      Domainname: "",
      User: "",
      AttachStdin: false,
      AttachStdout: false,
      AttachStderr: false,
    },
    ...{ Tty: false, OpenStdin: false, StdinOnce: false, Env: NIL_LIST, Cmd: NIL_LIST, Image: "" },
    ...{ Volumes: NIL_MAP, WorkingDir: "", Entrypoint: NIL_LIST, OnBuild: NIL_LIST, Labels: NIL_MAP },
    ...Object.fromEntries(said),
  };
  return withHidden(shown, { ExposedPorts: NIL_MAP, Healthcheck: null, StopSignal: "", Shell: NIL_LIST });
}

/** The configuration of an image that has one. */
function documentOf(paths: Paths, { id, entry }: ListedImage): ImageDocument | undefined {
  if (id === undefined || entry?.manifest === undefined) return undefined;
  return parseDocument(readBlob(paths.root, id));
}

/** The only layer of an archive is called by its diff id. */
function layersOf({ entry }: ListedImage): string[] {
  return (entry?.layers ?? []).map((layer) => `sha256:${layer}`);
}

function beginsWith({ id }: ListedImage, reference: string): boolean {
  const digits = reference.replace(/^sha256:/, "");
  return /^[0-9a-f]{6,64}$/.test(digits) && (id ?? "").startsWith(`sha256:${digits}`);
}
