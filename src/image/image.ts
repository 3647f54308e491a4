/** How an image's containers run by default, under the names of the OCI image-config. */
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
}

/** An image that is unpacked and in step with what it came from. */
export interface Image {
  readonly name: string;
  /** `sha256:` and the digest of the archive as it is stored. */
  readonly id: string;
  /** Absolute paths of its folders, top first, as overlay's `lowerdir` wants them. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
  /** Bytes of file content, unpacked. */
  readonly size: number;
  /** RFC 3339. */
  readonly created: string;
}

/** What runs from an archive that brings no configuration of its own. */
export const PLAIN_CONFIG: ImageConfig = { Env: [], Cmd: ["/bin/sh"] };

/** Who uses the image to be removed. */
export interface ImageUse {
  /** The name of a container that was made from the image of that (plain) name, if any: then it stays unless `force`. */
  readonly usedBy: (name: string) => string | undefined;
  readonly inUse: () => ReadonlySet<string>;
  readonly force?: boolean;
}
