/** Work on so many bytes is done faster by compiled code, compiling included. */
const WORTH_COMPILING = 4 << 20;

/**
 * Has JavaScript compiled from now on, where there is much to do: the executable starts with a policy for commands that live
 * for milliseconds. `bytes` is how much there is; unknown counts as much.
 */
export function compileFor(bytes = WORTH_COMPILING): void {
  if (bytes >= WORTH_COMPILING) Bun.unsafe.setJITPolicy(1);
}
