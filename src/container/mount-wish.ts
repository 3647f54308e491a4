/** What was asked for in the way of mounts besides -v of the host's folders. */

/** --volumes-from. */
export interface VolumesFrom {
  readonly container: string;
  readonly readOnly: boolean;
}

/** A file system in memory; the options as mount(8) has them, defaults included. */
export interface Tmpfs {
  readonly destination: string;
  readonly options: readonly string[];
  /** Of --mount, which `inspect` shows among the mounts. */
  readonly shown?: true;
}

/** What was asked for, as `inspect` shows it. */
export interface AskedMounts {
  readonly binds?: readonly string[];
  readonly mounts?: readonly object[];
  /** Options by destination. */
  readonly tmpfs?: Readonly<Record<string, string>>;
  readonly volumesFrom?: readonly string[];
  /** Where volumes without a name are to be: `-v /data`. */
  readonly anonymous?: readonly string[];
}

export interface MountWish {
  readonly tmpfs: readonly Tmpfs[];
  readonly from: readonly VolumesFrom[];
  readonly asked: AskedMounts;
}
