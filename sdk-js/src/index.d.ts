/**
 * Write numax modules in JavaScript and TypeScript.
 *
 * A module exports any of these functions, and numax calls them:
 *
 * | export | when |
 * |---|---|
 * | `default` with `fetch(request: Request): Response \| Promise<Response>` | for each HTTP request |
 * | `run()` | once; the module is a command |
 * | `init()`, `shutdown()` | first and last, in the instance that hears of timers and changes |
 * | `onTick(name: string, nowMs: number)` | for timers of {@link every} and {@link cron} |
 * | `onChange(changes: Change[])` | when values named by {@link watch} have changed |
 *
 * Code outside of functions runs while the module is built. What it computes is part of the component; it cannot call
 * numax, ask for random numbers or read the clock. Handlers can. Requests are answered by instances of their own, as a
 * rule a fresh one each: keep state in numax, not in variables.
 *
 * What a handler writes is committed as one batch when it waits, answers or returns.
 */

/** Bytes, or a text that is stored in UTF-8. */
export type Data = string | Uint8Array | ArrayBuffer | ArrayBufferView;

/** The families of replicated values. The same key may hold a value of each. */
export type Kind = 'g-counter' | 'pn-counter' | 'lww-register' | 'lww-map' | 'or-set' | 'rga' | 'text';

/** Why the host refused a call. */
export type Code = 'denied' | 'invalid' | 'not-found' | 'quota' | 'unavailable';

/** The host refused a call. */
export class NumaxError extends Error {
  readonly name: 'NumaxError';
  /** `denied`: the policy does not grant this. `unavailable`: not now. */
  readonly code: Code;
  /** What the host says; for `denied` the line that would grant it. */
  readonly detail: string;
  constructor(code: Code, detail: string);
}

/** A counter that only grows. */
export interface Counter {
  readonly key: string;
  /** Adds `by`, 1 if not said, from 0 to 2^64-1. A number above 2^53 is refused as it may not be exact: use a BigInt. */
  increment(by?: number | bigint): void;
  /** The value. Throws a RangeError above 2^53-1, where numbers are not exact: read `bigint`. */
  readonly value: number;
  /** The value, however large. */
  readonly bigint: bigint;
}

/** A counter that goes up and down. */
export interface UpDownCounter extends Counter {
  /** Subtracts `by`, 1 if not said, from 0 to 2^64-1. */
  decrement(by?: number | bigint): void;
}

/** One value; of concurrent writes the later one wins. */
export interface Register {
  readonly key: string;
  get(): Uint8Array | undefined;
  /** The value read as UTF-8. */
  getText(): string | undefined;
  set(value: Data): void;
  clear(): void;
  /**
   * Sets `value` if the register holds `expected` (undefined: nothing). Atomic on this node only; what the handler has
   * written before it is committed first.
   */
  compareAndSet(expected: Data | undefined, value: Data): boolean;
}

/** Named fields, each of them like a {@link Register}. */
export interface ReplicatedMap extends Iterable<[string, Uint8Array]> {
  readonly key: string;
  /** The number of fields. */
  readonly size: number;
  get(field: string): Uint8Array | undefined;
  /** A field read as UTF-8. */
  getText(field: string): string | undefined;
  set(field: string, value: Data): void;
  has(field: string): boolean;
  delete(field: string): void;
  clear(): void;
  /** All fields in byte order. */
  entries(): Generator<[string, Uint8Array], void, undefined>;
}

/** A set of byte strings in which a concurrent addition wins over a removal. */
export interface ReplicatedSet extends Iterable<Uint8Array> {
  readonly key: string;
  /** The number of elements. */
  readonly size: number;
  add(element: Data): void;
  delete(element: Data): void;
  has(element: Data): boolean;
  clear(): void;
  /** All elements in byte order. */
  values(): Generator<Uint8Array, void, undefined>;
  /** All elements in byte order, read as UTF-8. */
  texts(): Generator<string, void, undefined>;
}

/**
 * An ordered list. Elements have ids that never change, and are inserted behind one another. Of what several nodes insert
 * at one place at the same time, each one's run stays whole.
 */
export interface ReplicatedList extends Iterable<Uint8Array> {
  readonly key: string;
  /** The number of elements. */
  readonly size: number;
  /** Inserts at the end and gives the new element's id. */
  push(value: Data): string;
  /** Inserts right behind the element with the id `after`, or at the head, and gives the new element's id. */
  insert(value: Data, after?: string): string;
  get(id: string): Uint8Array | undefined;
  /** An element read as UTF-8. */
  getText(id: string): string | undefined;
  /** Removes an element. Throws `not-found` when it is none any more. */
  delete(id: string): void;
  clear(): void;
  /** All elements in order, each with its id. */
  entries(): Generator<[string, Uint8Array], void, undefined>;
  /** All elements in order. */
  values(): Generator<Uint8Array, void, undefined>;
  /** All elements in order, read as UTF-8. */
  texts(): Generator<string, void, undefined>;
}

/**
 * A text that several hands edit at once, compatible with Yjs: its root type is `doc.getText('text')`, plain text without
 * formatting. Indexes are those of JavaScript strings. From its first edit on a turn holds the text: other turns that
 * edit it wait until this one ends.
 */
export interface ReplicatedText {
  readonly key: string;
  /** The length of the text. */
  readonly length: number;
  /** Inserts before the character at `index`. */
  insert(index: number, chunk: string): void;
  /** Removes `length` characters from `index` on. */
  delete(index: number, length: number): void;
  /** The whole text. */
  read(): string;
  /** The whole text. */
  toString(): string;
  clear(): void;
  /** The Yjs state vector, for `Y.encodeStateAsUpdate(doc, vector)` elsewhere. */
  stateVector(): Uint8Array;
  /** What a replica with the state vector `since` lacks, or everything, for `Y.applyUpdate` elsewhere. */
  diff(since?: Data): Uint8Array;
  /** Merges an update that Yjs made (version 1), of at most 1 MiB. */
  applyUpdate(update: Data): void;
}

/** The grow-only counter of this key. */
export function counter(key: string): Counter;
/** The counter of this key that goes both ways. */
export function pnCounter(key: string): UpDownCounter;
/** The register of this key. */
export function register(key: string): Register;
/** The map of this key. */
export function map(key: string): ReplicatedMap;
/** The set of this key. */
export function set(key: string): ReplicatedSet;
/** The list of this key. */
export function list(key: string): ReplicatedList;
/** The text of this key. */
export function sharedText(key: string): ReplicatedText;
/** The keys of one family below `prefix` that this module may read, in byte order. */
export function keys(kind: Kind, prefix?: string): Generator<string, void, undefined>;

/** The key-value store of this node alone: durable, ordered, never replicated. */
export const kv: {
  get(key: string): Uint8Array | undefined;
  /** A value read as UTF-8. */
  getText(key: string): string | undefined;
  set(key: string, value: Data): void;
  delete(key: string): void;
  /** Deletes all keys with this prefix and says how many there were. */
  deletePrefix(prefix: string): number;
  has(key: string): boolean;
  /** All entries with this prefix, in byte order of their keys. */
  scan(prefix?: string): Generator<[string, Uint8Array], void, undefined>;
};

/** One replicated value has changed. */
export interface Change {
  kind: Kind;
  key: string;
  op: 'increment' | 'decrement' | 'set' | 'remove' | 'add' | 'insert' | 'edit' | 'clear';
  /** The node whose write this was. */
  origin: string;
  /** Whether that was another node than this one. */
  remote: boolean;
}

/** Calls `onTick(name)` every so many milliseconds, counted from the end of the last call. Call this in `init`. */
export function every(name: string, milliseconds: number): void;
/** Calls `onTick(name)` by a cron expression of five fields, in UTC. Call this in `init`. */
export function cron(name: string, expression: string, options?: { where?: 'every-node' | 'once-per-cluster' }): void;
/** Calls `onChange` for keys with this prefix, of one family or of all. Call this in `init`. */
export function watch(prefix: string, options?: { kind?: Kind }): void;

/** A member of the cluster. */
export interface Peer {
  id: string;
  name: string;
  address: string;
  state: 'alive' | 'suspect' | 'dead';
  rttMicros: number | undefined;
}

/** The id of this node: 64 hexadecimal digits. */
export function selfId(): string;
/** The other members that this node knows of. */
export function peers(): Peer[];

/** About this module. */
export const moduleInfo: {
  /** The id under which it runs here. */
  readonly id: string;
  /** The grants of its policy, as the policy writes them. */
  readonly grants: string[];
};
