/** What is wrong with an archive, without its name: whoever knows which one it was puts that before it. */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}
