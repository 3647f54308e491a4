import { MessageWriter, type NetlinkSocket, NLM_F } from "./netlink.ts";

/** Messages of traffic control (tc(8), linux/rtnetlink.h), and where a filter for what comes in is put. */
const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;
const TC_H_CLSACT = 0xfffffff1;
const TC_H_CLSACT_HANDLE = 0xffff0000;
const TC_H_INGRESS = 0xfffffff2;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_BPF = { FD: 6, NAME: 7, FLAGS: 8 } as const;
const TCA_BPF_FLAG_ACT_DIRECT = 1;
const ETH_P_ALL = 3;

/** struct tcmsg. */
function header(index: number, handle: number, parent: number, info: number): Uint8Array {
  return new Uint8Array(new Uint32Array([0, index, handle, parent, info]).buffer);
}

/**
 * Lets a program (BPF_PROG_TYPE_SCHED_CLS) decide about every packet that comes in by a link: it goes with the link. Throws
 * ENOENT or EOPNOTSUPP where the kernel cannot.
 */
export function filterIncoming(socket: NetlinkSocket, index: number, program: number, name: string): void {
  const create = NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL;
  const writer = new MessageWriter();
  writer.start(RTM_NEWQDISC, create, header(index, TC_H_CLSACT_HANDLE, TC_H_CLSACT, 0));
  writer.text(TCA_KIND, "clsact").end();
  const info = (1 << 16) | (ETH_P_ALL << 8);
  writer.start(RTM_NEWTFILTER, create, header(index, 0, TC_H_INGRESS, info)).text(TCA_KIND, "bpf");
  writer.nest(TCA_OPTIONS, (options) =>
    options.u32(TCA_BPF.FD, program).text(TCA_BPF.NAME, name).u32(TCA_BPF.FLAGS, TCA_BPF_FLAG_ACT_DIRECT),
  );
  socket.exchange(writer.end(), "filter what comes in");
}
