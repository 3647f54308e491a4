import type { DiskUse } from "../container/disk-use.ts";
import { statusOf } from "../container/liveness.ts";
import { imageRow, namesOf } from "./image-listing.ts";
import { renderTable } from "./table.ts";
import { humanDuration, humanSize } from "./units.ts";

/** Docker's columns are at least so wide. */
const WIDTH = 10;

/** `system df -v`: each image, each container and each volume. */
export function renderDiskUse({ eachImage, eachContainer, eachVolume }: DiskUse): string {
  const images = eachImage.flatMap(({ image, shared, unique, containers }) =>
    namesOf(image).map((name) => {
      const {
        Repository = "",
        Tag = "",
        ID = "",
        CreatedSince = "",
        Size = "",
      } = imageRow(image, name, false);
      const sizes = [Size, humanSize(shared), humanSize(unique), String(containers)];
      return [Repository, Tag, ID, CreatedSince, ...sizes];
    }),
  );
  const containers = eachContainer.map(({ record, state, size }) => [
    record.id,
    record.image,
    JSON.stringify(record.command.join(" ").slice(0, 20)),
    humanSize(size),
    `${humanDuration(Date.now() - Date.parse(record.created))} ago`,
    statusOf(state),
    record.name,
  ]);
  const volumes = eachVolume.map(({ name, links, size }) => [name, String(links), humanSize(size)]);
  const heads = {
    images: "REPOSITORY|TAG|IMAGE ID|CREATED|SIZE|SHARED SIZE|UNIQUE SIZE|CONTAINERS",
    containers: "CONTAINER ID|IMAGE|COMMAND|SIZE|CREATED|STATUS|NAMES",
    volumes: "VOLUME NAME|LINKS|SIZE",
  };
  return `Images space usage:\n\n${renderTable(heads.images.split("|"), images, WIDTH)}
Containers space usage:\n\n${renderTable(heads.containers.split("|"), containers, WIDTH)}
Local Volumes space usage:\n\n${renderTable(heads.volumes.split("|"), volumes, WIDTH)}`;
}
