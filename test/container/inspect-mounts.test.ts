import { expect, test } from "bun:test";
import { inspectMounts, inspectMountWishes } from "../../src/container/inspect-mounts.ts";
import type { ContainerRecord } from "../../src/container/record.ts";

const record = { id: "1234567890", volumes: [], tmpfs: [] } as unknown as ContainerRecord;

test("records from before there were volumes are read", () => {
  const old = {
    ...record,
    volumes: [
      { source: "/h", destination: "/a", readOnly: true },
      { source: "/r/containers/1234567890/volumes/1", destination: "/b", readOnly: false, anonymous: true },
    ],
  } as const;
  expect(inspectMounts(old)).toEqual([
    { Type: "bind", Source: "/h", Destination: "/a", Mode: "ro", RW: false, Propagation: "rprivate" },
    {
      Type: "volume",
      Name: "1234567890-1",
      Source: "/r/containers/1234567890/volumes/1",
      Destination: "/b",
      Driver: "local",
      Mode: "",
      RW: true,
      Propagation: "",
    },
  ]);
  expect(inspectMountWishes(old)).toMatchObject({ Binds: ["/h:/a:ro"], ReadonlyRootfs: false });
});

test("nothing asked for is null, as with Docker", () => {
  expect(JSON.parse(JSON.stringify(inspectMountWishes(record)))).toEqual({
    Binds: null,
    ReadonlyRootfs: false,
    VolumesFrom: null,
    VolumeDriver: "",
  });
});
