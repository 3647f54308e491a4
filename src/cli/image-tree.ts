import { type ListedImage, shortId } from "../image/store.ts";
import { imageRow, namesOf } from "./image-listing.ts";
import { humanSize } from "./units.ts";

/** A layer with what lies on it. */
interface Node {
  readonly size: number;
  readonly images: ListedImage[];
  readonly above: Map<string, Node>;
}

/**
 * `images --tree`: layers from the lowest up, each with its size, those above it further in, and the images that end there.
 * A layer that several images have is shown once.
 */
export function renderTree(images: readonly ListedImage[]): string {
  const root: Node = { size: 0, images: [], above: new Map() };
  for (const image of images) {
    let node = root;
    const { layers = [], sizes = [] } = image.entry ?? {};
    for (let i = layers.length - 1; i >= 0; i--) {
      const name = layers[i] ?? "";
      const next = node.above.get(name) ?? { size: sizes[i] ?? 0, images: [], above: new Map() };
      node.above.set(name, next);
      node = next;
    }
    node.images.push(image);
  }
  const lines = [...unpacked(root), ...render(root, "")];
  return lines.map((line) => `${line}\n`).join("");
}

/** Images of which no layer is there yet. */
function unpacked(root: Node): string[] {
  return root.images.map((image) => `${nameOf(image)} (not unpacked yet)`);
}

function nameOf(image: ListedImage): string {
  const names = namesOf(image).map(({ repository, tag }) => `${repository}:${tag}`);
  return names.join(", ");
}

function render(node: Node, indent: string): string[] {
  const lines: string[] = [];
  const children = [...node.above];
  for (const [i, [name, child]] of children.entries()) {
    const last = i === children.length - 1;
    const ends = child.images.map((image) => {
      const { ID = "", Size = "" } = imageRow(image, { repository: "", tag: "", digest: "" }, false);
      return ` ← ${nameOf(image)} (${ID}, ${Size})`;
    });
    lines.push(`${indent}${last ? "└─" : "├─"} ${shortId(name)} ${humanSize(child.size, 3)}${ends.join("")}`);
    lines.push(...render(child, `${indent}${last ? "   " : "│  "}`));
  }
  return lines;
}
