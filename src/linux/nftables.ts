import { attributeList, attributesOf, MessageWriter, type NetlinkSocket, NLM_F, textOf } from "./netlink.ts";

/** Messages of nf_tables (linux/netfilter/nf_tables.h). All its numbers are in the network's order. */
const NFT_MSG = {
  NEWTABLE: 0,
  DELTABLE: 2,
  NEWCHAIN: 3,
  GETCHAIN: 4,
  NEWRULE: 6,
  GETRULE: 7,
  DELRULE: 8,
  NEWSET: 9,
  NEWSETELEM: 12,
  GETSETELEM: 13,
  DELSETELEM: 14,
} as const;
const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;

/** Families of tables. */
export const NFPROTO = { INET: 1, IPV4: 2, IPV6: 10 } as const;

/** Where a base chain is hooked in. */
export const NF_INET = { PRE_ROUTING: 0, FORWARD: 2, LOCAL_OUT: 3, POST_ROUTING: 4 } as const;
export const NF_DROP = 0;
export const NF_ACCEPT = 1;

const SET_FLAG_MAP = 8;
const NFTA_LIST_ELEM = 1;
const CHAIN = { TABLE: 1, NAME: 3, HOOK: 4, POLICY: 5, TYPE: 7 } as const;
const RULE = { TABLE: 1, CHAIN: 2, HANDLE: 3, EXPRESSIONS: 4 } as const;
const SET = {
  TABLE: 1,
  NAME: 2,
  FLAGS: 3,
  KEY_TYPE: 4,
  KEY_LEN: 5,
  DATA_TYPE: 6,
  DATA_LEN: 7,
  ID: 10,
  USERDATA: 13,
} as const;
const ELEMENTS = { TABLE: 1, SET: 2, LIST: 3 } as const;
const ELEMENT = { KEY: 1, DATA: 2 } as const;
const NFTA_DATA_VALUE = 1;

/** How the `nft` program calls the parts of keys: what it shows them as. */
const TYPE = { ipv4_addr: 7, ipv6_addr: 8, inet_proto: 12, inet_service: 13, ifname: 41 } as const;
const SIZE: Readonly<Record<keyof typeof TYPE, number>> = {
  ipv4_addr: 4,
  ipv6_addr: 16,
  inet_proto: 4,
  inet_service: 4,
  ifname: 16,
};

/** A set, or with `data` a map, of concatenations. */
export interface SetShape {
  readonly name: string;
  readonly key: readonly (keyof typeof TYPE)[];
  readonly data?: readonly (keyof typeof TYPE)[];
}

/** A chain that packets meet by themselves. */
export interface BaseChain {
  readonly name: string;
  readonly type: "filter" | "nat";
  readonly hook: number;
  readonly priority: number;
}

/** One element: its key, and in a map what it leads to; each part padded to four bytes. */
export interface SetElement {
  readonly key: Uint8Array;
  readonly data?: Uint8Array;
}

/** An expression of a rule, which writes itself (nft-expressions.ts). */
export type Expression = (writer: MessageWriter) => void;

/** struct nfgenmsg. */
function header(family: number, resource = 0): Uint8Array {
  return Uint8Array.of(family, 0, resource >> 8, resource & 0xff);
}

function concatenated(parts: readonly (keyof typeof TYPE)[]): {
  readonly type: number;
  readonly length: number;
} {
  let type = 0;
  let length = 0;
  for (const part of parts) {
    type = (type << 6) | TYPE[part];
    length += SIZE[part];
  }
  return { type, length };
}

/** An attribute has 16 bits for its length. */
const MOST_ELEMENTS = 500;

/** Changes to one table that are made together, or not at all. */
export class Transaction {
  private readonly writer = new MessageWriter();
  private sets = 0;

  constructor(
    private readonly family: number,
    private readonly table: string,
  ) {
    this.writer.start(NFNL_MSG_BATCH_BEGIN, 0, header(0, NFNL_SUBSYS_NFTABLES)).end();
  }

  /** Makes the table where there is none. */
  addTable(): this {
    this.start(NFT_MSG.NEWTABLE, NLM_F.CREATE).text(1, this.table).end();
    return this;
  }

  deleteTable(): this {
    this.start(NFT_MSG.DELTABLE, 0).text(1, this.table).end();
    return this;
  }

  addChain({ name, type, hook, priority }: BaseChain): this {
    const writer = this.start(NFT_MSG.NEWCHAIN, NLM_F.CREATE).text(CHAIN.TABLE, this.table);
    writer.text(CHAIN.NAME, name);
    writer.nest(CHAIN.HOOK, (nested) => nested.be32(1, hook).be32(2, priority));
    writer.be32(CHAIN.POLICY, NF_ACCEPT).text(CHAIN.TYPE, type).end();
    return this;
  }

  addSet({ name, key, data }: SetShape): this {
    const keys = concatenated(key);
    const writer = this.start(NFT_MSG.NEWSET, NLM_F.CREATE).text(SET.TABLE, this.table).text(SET.NAME, name);
    writer
      .be32(SET.FLAGS, data ? SET_FLAG_MAP : 0)
      .be32(SET.KEY_TYPE, keys.type)
      .be32(SET.KEY_LEN, keys.length);
    if (data) {
      const values = concatenated(data);
      writer.be32(SET.DATA_TYPE, values.type).be32(SET.DATA_LEN, values.length);
    }
    // the order of a number's bytes, which only `nft` asks for: names of links are in the host's
    if (key[0] === "ifname") writer.raw(SET.USERDATA, Uint8Array.of(0, 4, 1, 0, 0, 0));
    writer.be32(SET.ID, ++this.sets).end();
    return this;
  }

  /** Elements that are there already with the same data are no error; with other data EEXIST or EBUSY. */
  addElements(set: string, elements: readonly SetElement[]): this {
    return this.elements(NFT_MSG.NEWSETELEM, NLM_F.CREATE, set, elements);
  }

  /** ENOENT where one is not there. */
  deleteElements(set: string, elements: readonly SetElement[]): this {
    return this.elements(NFT_MSG.DELSETELEM, 0, set, elements);
  }

  /** A rule at the end of a chain, or at its beginning. */
  addRule(chain: string, expressions: readonly Expression[], first = false): this {
    const writer = this.start(NFT_MSG.NEWRULE, NLM_F.CREATE | (first ? 0 : NLM_F.APPEND));
    writer.text(RULE.TABLE, this.table).text(RULE.CHAIN, chain);
    writer.nest(RULE.EXPRESSIONS, (list) => {
      for (const expression of expressions) list.nest(NFTA_LIST_ELEM, expression);
    });
    writer.end();
    return this;
  }

  deleteRule(chain: string, handle: bigint): this {
    const writer = this.start(NFT_MSG.DELRULE, 0).text(RULE.TABLE, this.table).text(RULE.CHAIN, chain);
    writer.be64(RULE.HANDLE, handle).end();
    return this;
  }

  /** Throws the SysError of the first change that the kernel refuses; none is made then. */
  commit(socket: NetlinkSocket): void {
    this.writer.start(NFNL_MSG_BATCH_END, 0, header(0, NFNL_SUBSYS_NFTABLES)).end();
    socket.exchange(this.writer, `nf_tables ${this.table}`);
  }

  private elements(message: number, flags: number, set: string, elements: readonly SetElement[]): this {
    for (let at = 0; at < elements.length; at += MOST_ELEMENTS) {
      const writer = this.start(message, flags).text(ELEMENTS.TABLE, this.table).text(ELEMENTS.SET, set);
      writer.nest(ELEMENTS.LIST, (list) => {
        for (const { key, data } of elements.slice(at, at + MOST_ELEMENTS))
          list.nest(NFTA_LIST_ELEM, (element) => {
            element.nest(ELEMENT.KEY, (value) => value.raw(NFTA_DATA_VALUE, key));
            if (data) element.nest(ELEMENT.DATA, (value) => value.raw(NFTA_DATA_VALUE, data));
          });
      });
      writer.end();
    }
    return this;
  }

  private start(message: number, flags: number): MessageWriter {
    return this.writer.start((NFNL_SUBSYS_NFTABLES << 8) | message, flags | NLM_F.ACK, header(this.family));
  }
}

/** The elements of a set with these keys that there are; none where there is no such set, or table. */
export function readElements(
  socket: NetlinkSocket,
  family: number,
  table: string,
  set: string,
  keys: readonly Uint8Array[],
): SetElement[] {
  const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG.GETSETELEM;
  const writer = new MessageWriter();
  for (const key of keys) {
    writer.start(type, 0, header(family)).text(ELEMENTS.TABLE, table).text(ELEMENTS.SET, set);
    writer.nest(ELEMENTS.LIST, (list) =>
      list.nest(NFTA_LIST_ELEM, (element) =>
        element.nest(ELEMENT.KEY, (value) => value.raw(NFTA_DATA_VALUE, key)),
      ),
    );
    writer.end();
  }
  const found: SetElement[] = [];
  for (const { body } of socket.exchange(
    writer,
    `elements of ${table} ${set}`,
    (code) => code === "ENOENT",
  )) {
    const list = attributesOf(body.subarray(4)).get(ELEMENTS.LIST) ?? new Uint8Array(0);
    for (const element of attributeList(list)) {
      const attributes = attributesOf(element);
      const [key, data] = [dataIn(attributes.get(ELEMENT.KEY)), dataIn(attributes.get(ELEMENT.DATA))];
      if (key) found.push({ key, ...(data && { data }) });
    }
  }
  return found;
}

function dataIn(nested: Uint8Array | undefined): Uint8Array | undefined {
  return nested && attributesOf(nested).get(NFTA_DATA_VALUE);
}

/** A chain as the kernel lists it; `policy` of base chains only. */
export interface ListedChain {
  readonly family: number;
  readonly table: string;
  readonly name: string;
  readonly policy: number | undefined;
}

function chainOf(body: Uint8Array): ListedChain {
  const attributes = attributesOf(body.subarray(4));
  return {
    family: body[0] ?? 0,
    table: textOf(attributes.get(CHAIN.TABLE)),
    name: textOf(attributes.get(CHAIN.NAME)),
    policy: attributes.get(CHAIN.POLICY)?.[3],
  };
}

const GET_CHAIN = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG.GETCHAIN;

/** Every chain of every table. */
export function listChains(socket: NetlinkSocket): ListedChain[] {
  const found: ListedChain[] = [];
  const writer = new MessageWriter().start(GET_CHAIN, NLM_F.DUMP, header(0)).end();
  socket.dump(writer, "list chains", ({ body }) => {
    found.push(chainOf(body));
  });
  return found;
}

/** One chain; undefined where there is none of that name. */
export function findChain(
  socket: NetlinkSocket,
  family: number,
  table: string,
  name: string,
): ListedChain | undefined {
  const writer = new MessageWriter().start(GET_CHAIN, 0, header(family));
  writer.text(CHAIN.TABLE, table).text(CHAIN.NAME, name).end();
  const [found] = socket.exchange(writer, `chain ${name} of ${table}`, () => true);
  return found && chainOf(found.body);
}

/** A rule: its handle, and its expressions by name, with their attributes. */
export interface ListedRule {
  readonly handle: bigint;
  readonly expressions: readonly ListedExpression[];
}

export interface ListedExpression {
  readonly name: string;
  readonly attributes: ReadonlyMap<number, Uint8Array>;
}

/** The rules of a chain, in order. */
export function listRules(socket: NetlinkSocket, family: number, table: string, chain: string): ListedRule[] {
  const found: ListedRule[] = [];
  const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG.GETRULE;
  const writer = new MessageWriter().start(type, NLM_F.DUMP, header(family));
  writer.text(RULE.TABLE, table).text(RULE.CHAIN, chain);
  socket.dump(writer.end(), `list rules of ${chain}`, ({ body }) => {
    const attributes = attributesOf(body.subarray(4));
    if (textOf(attributes.get(RULE.CHAIN)) !== chain || textOf(attributes.get(RULE.TABLE)) !== table) return;
    const handle = attributes.get(RULE.HANDLE) ?? new Uint8Array(8);
    found.push({
      handle: new DataView(handle.buffer, handle.byteOffset, 8).getBigUint64(0, false),
      expressions: attributeList(attributes.get(RULE.EXPRESSIONS) ?? new Uint8Array(0)).map((one) => {
        const parts = attributesOf(one);
        return { name: textOf(parts.get(1)), attributes: attributesOf(parts.get(2) ?? new Uint8Array(0)) };
      }),
    });
  });
  return found;
}
