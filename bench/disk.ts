import { mkdirSync } from "node:fs";
import type { Site } from "./engine.ts";
import { output } from "./measure.ts";

/**
 * The site with a file system of its own for all that is timed: ext4 with a journal, in a sparse file. On one without a journal,
 * as some virtual machines have, the kernel looks past every inode that was removed within the last minute each time that it
 * makes a file (ext4's recently_deleted), and engines would pay for the images that were removed before their turn.
 */
export function withDisk(site: Site): Site {
  const [file, folder] = [`${site.folder}/disk.img`, `${site.folder}/disk`];
  mkdirSync(folder);
  output({ argv: ["truncate", "-s", "40G", file] });
  output({ argv: ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", file] });
  output({ argv: ["mount", "-o", "loop", file, folder] });
  return { ...site, folder, log: `${folder}/stderr` };
}
