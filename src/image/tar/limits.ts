/** What an archive may ask for at most. */
export interface Limits {
  readonly members: number;
  /** Folders above a member, and itself. */
  readonly depth: number;
  /** Bytes of content of all files together. */
  readonly content: number;
  /** Bytes of one pax header or long name; of all global pax headers together. */
  readonly headers: number;
  /** Bytes of the names and values of one member's extended attributes. */
  readonly xattrs: number;
  /** Pieces of data in one sparse file. */
  readonly extents: number;
  /** Bytes behind the end of the archive: they are nothing, but must be decompressed for the digest. */
  readonly behind: number;
}

/** Far above what images have, and low enough for one that is made to do harm. Content has no limit but the disk. */
export const DEFAULT_LIMITS: Limits = {
  members: 5_000_000,
  depth: 1024,
  content: Number.MAX_SAFE_INTEGER,
  headers: 1 << 20,
  xattrs: 256 << 10,
  extents: 1 << 20,
  behind: 1 << 28,
};
