import { releaseNetwork } from "../../container/network.ts";
import { successor } from "../successor.ts";

/** Of a container that had ports, or a name in networks: gives them back. */
export const command = successor("__settle", (paths, id) => releaseNetwork(paths, id));
