import { close } from "./file.ts";
import { address, check, cstr, SYS, syscall } from "./libc.ts";

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_TYPE_SCHED_CLS = 3;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;

/** bpf(2): loads a program of that type; a descriptor of it. */
function loadProgram(type: number, program: BigUint64Array, what: string): number {
  const license = cstr("MIT");
  const load = new DataView(new ArrayBuffer(120));
  load.setUint32(0, type, true);
  load.setUint32(4, program.length, true);
  load.setBigUint64(8, BigInt(address(program)), true);
  load.setBigUint64(16, BigInt(address(license)), true);
  return check(syscall(SYS.bpf, BPF_PROG_LOAD, new Uint8Array(load.buffer), 120), "bpf", `load ${what}`);
}

/** Loads a program that decides about packets (BPF_PROG_TYPE_SCHED_CLS); a descriptor of it. */
export function loadPacketProgram(program: BigUint64Array): number {
  return loadProgram(BPF_PROG_TYPE_SCHED_CLS, program, "a packet filter");
}

/**
 * Loads a device filter and attaches it to the cgroup v2 folder `group`; it lives as long as the group.
 * The filter answers 1 to allow, 0 to deny.
 */
export function attachDeviceProgram(group: number, program: BigUint64Array): void {
  const fd = loadProgram(BPF_PROG_TYPE_CGROUP_DEVICE, program, "a device filter");
  try {
    const attach = new Uint32Array([group, fd, BPF_CGROUP_DEVICE, 0, 0, 0, 0, 0]);
    check(syscall(SYS.bpf, BPF_PROG_ATTACH, attach, 32), "bpf", "attach a device filter");
  } finally {
    close(fd);
  }
}
