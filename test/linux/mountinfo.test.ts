import { expect, test } from "bun:test";
import { mountLines } from "../../src/linux/mountinfo.ts";

test("lines of mountinfo: places with blanks, what is shared, and what is optional", () => {
  const text = `21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
22 21 0:20 /a /with\\040blank\\134 rw master:3 shared:4 - tmpfs none rw
23 21 0:21 / /plain ro - tmpfs none rw,size=1k
`;
  expect(mountLines(text)).toEqual([
    { id: "21", place: "/", kinds: ["shared:1"] },
    { id: "22", place: "/with blank\\", kinds: ["master:3", "shared:4"] },
    { id: "23", place: "/plain", kinds: [] },
  ]);
  expect(mountLines().some(({ place }) => place === "/proc")).toBe(true);
});
