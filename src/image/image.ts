/** How an image's containers run by default, under the names of the OCI image-config (and of Docker's: Healthcheck, Shell). */
export interface ImageConfig {
  readonly Env?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly StopSignal?: string;
  readonly Healthcheck?: object;
  readonly Shell?: readonly string[];
  readonly OnBuild?: readonly string[];
}

/** An image that is unpacked and in step with what it came from. */
export interface Image {
  /** `sha256:` and the digest of its configuration, or of the archive in image/ that it is. */
  readonly id: string;
  /** Absolute paths of its folders, top first, as overlay's `lowerdir` wants them. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
  /** `OS/ARCH` of what it was built for, where that is not this machine. */
  readonly foreign?: string;
  /** Bytes of file content, unpacked. */
  readonly size: number;
  /** RFC 3339. */
  readonly created: string;
}

/** What runs from an archive that brings no configuration of its own. */
export const PLAIN_CONFIG: ImageConfig = { Env: [], Cmd: ["/bin/sh"] };

/** A container that was made from an image. */
export interface ImageUser {
  readonly name: string;
  readonly running: boolean;
}

/** Who uses images, for those who remove them. */
export interface ImageUse {
  /** The containers that were made from the image of that id. */
  readonly usersOf: (id: string) => readonly ImageUser[];
  /** Names (or paths) of the folders of the layers of all containers. */
  readonly inUse: () => ReadonlySet<string>;
  readonly force?: boolean;
}
