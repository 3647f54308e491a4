import { dispose } from "../../container/remove.ts";
import { successor } from "../successor.ts";

/** Of a container whose client is gone, or that goes with its program: removes it. */
export const command = successor("__reap", (paths, id) => dispose(paths, id));
