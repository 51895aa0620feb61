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
 * | `onTick(name: string, nowMs: number)` | for timers of {@link every} |
 * | `onChange(changes: Change[])` | when values named by {@link watch} have changed |
 *
 * Code outside of functions runs while the module is built. What it computes is part of the component; it cannot call
 * numax, ask for random numbers or read the clock. Handlers can. Requests are answered by instances of their own, as a
 * rule a fresh one each: keep state in numax, not in variables.
 *
 * What a handler writes is committed as one batch when it waits, answers or returns.
 *
 * **Limits.** A key has at most 8 KiB and does not begin with `__nx/`; a field's name has at most 8 KiB; a value, an element or
 * a field's value 1 MiB; both in UTF-8. A turn's batch has at most 10,000 operations and 4 MiB. {@link ReplicatedText} has
 * limits of its own. Strings are Unicode text, in which surrogates come in pairs: half of one is refused, as it would become
 * U+FFFD on its way. {@link Data} that is no text goes as bytes.
 *
 * **Errors.** An argument of a wrong type is a TypeError. Everything else is a {@link NumaxError}: reading fails with `denied`
 * and `unavailable`; writing with `quota` as well, and with `invalid` when the turn's batch would pass its limits. Every call
 * fails with `denied` when the policy grants nothing under the key, and with `invalid` when an argument breaks a limit. What
 * else can fail stands with the call. A call that failed has changed nothing, and what the turn wrote before it stays.
 */

/** Bytes, or Unicode text that is stored in UTF-8. */
export type Data = string | Uint8Array | ArrayBuffer | ArrayBufferView;

/** The families of replicated values. The same key may hold a value of each. */
export type Kind = 'g-counter' | 'pn-counter' | 'lww-register' | 'lww-map' | 'or-set' | 'rga' | 'text';

/** Why the host refused a call. */
export type Code = 'denied' | 'invalid' | 'not-found' | 'quota' | 'unavailable';

/** A call was refused, by the host or, when an argument cannot be handed to it, by the SDK. */
export class NumaxError extends Error {
  readonly name: 'NumaxError';
  /**
   * `denied`: the policy does not grant this. `invalid`: an argument is out of its range: an oversized key, half of a
   * surrogate pair, an overflow, a batch too large. `not-found`: an element that does not exist (any more). `quota`: a quota of
   * the policy is used up for now; try again later. `unavailable`: the node cannot do this at present: its storage is full
   * or read-only, or it is shutting down.
   */
  readonly code: Code;
  /** What is wrong; for `denied` the line that would grant it. */
  readonly detail: string;
  constructor(code: Code, detail: string);
}

/** A counter that only grows. Its value is the sum of what every node added. */
export interface Counter {
  readonly key: string;
  /**
   * Adds `by`, 1 if not said, from 0 to 2^64-1. `invalid` when this node's share (in this direction) would pass 2^64-1, and for
   * a number above 2^53-1, which may not be exact: use a BigInt.
   */
  increment(by?: number | bigint): void;
  /** The value. Throws a RangeError above 2^53-1, where numbers are not exact: read `bigint`. */
  readonly value: number;
  /** The value, however large. */
  readonly bigint: bigint;
}

/** A counter that goes up and down. */
export interface UpDownCounter extends Counter {
  /** Takes `by` away, as `increment` adds it. */
  decrement(by?: number | bigint): void;
}

/** One value; of concurrent writes the later one wins. */
export interface Register {
  readonly key: string;
  /** The value; undefined when it was never set or is cleared. */
  get(): Uint8Array | undefined;
  /** The value read as UTF-8. */
  getText(): string | undefined;
  /** Writes the value, of at most 1 MiB. `invalid` when it is larger. */
  set(value: Data): void;
  /** Removes the value. */
  clear(): void;
  /**
   * Writes `value`, of at most 1 MiB, if the register holds `expected` (undefined: nothing), and says whether it did. Atomic
   * among the modules of this node only. What this turn has written before is committed first. `invalid` when `value` is larger.
   */
  compareAndSet(expected: Data | undefined, value: Data): boolean;
}

/** Named fields, each of them like a {@link Register}. */
export interface ReplicatedMap extends Iterable<[string, Uint8Array]> {
  readonly key: string;
  /** The number of fields. */
  readonly size: number;
  /** A field's value; undefined when there is none. */
  get(field: string): Uint8Array | undefined;
  /** A field read as UTF-8. */
  getText(field: string): string | undefined;
  /** Writes a field; its name has at most 8 KiB, its value 1 MiB. `invalid` when one is larger. */
  set(field: string, value: Data): void;
  /** Whether the field has a value. */
  has(field: string): boolean;
  /** Removes a field; nothing happens when there is none. */
  delete(field: string): void;
  /**
   * Removes every field seen here; what others write at the same time stays. `invalid` when they are more than fit one batch
   * (10,000): remove them one by one then, in several turns.
   */
  clear(): void;
  /** All fields in byte order. Fetched as one goes: what changes behind the field reached is not seen, what changes after it is. */
  entries(): Generator<[string, Uint8Array], void, undefined>;
}

/** A set of byte strings in which a concurrent addition wins over a removal. */
export interface ReplicatedSet extends Iterable<Uint8Array> {
  readonly key: string;
  /** The number of elements. */
  readonly size: number;
  /** Adds an element of at most 1 MiB. `invalid` when it is larger. */
  add(element: Data): void;
  /** Removes an element, as far as its additions are seen here. */
  delete(element: Data): void;
  /** Whether the element is in the set. */
  has(element: Data): boolean;
  /**
   * Removes every element seen here; what others add at the same time stays. `invalid` when they are more than fit one batch
   * (10,000): remove them one by one then, in several turns.
   */
  clear(): void;
  /**
   * All elements in byte order. Fetched as one goes: what changes behind the element reached is not seen, what changes after it
   * is.
   */
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
  /** Inserts a value of at most 1 MiB at the end and gives the new element's id. `invalid` when the value is larger. */
  push(value: Data): string;
  /**
   * Inserts a value of at most 1 MiB right behind the element `after`, or at the head, and gives the new element's id.
   * `not-found` when `after` is no element any more, `invalid` when it is no id or the value is larger.
   */
  insert(value: Data, after?: string): string;
  /** An element's value; undefined when it is removed or never was. `invalid` when `id` is no id. */
  get(id: string): Uint8Array | undefined;
  /** An element read as UTF-8. */
  getText(id: string): string | undefined;
  /** Removes an element. `not-found` when it is none any more, `invalid` when `id` is no id. */
  delete(id: string): void;
  /**
   * Removes every element seen here; what others insert at the same time stays. `invalid` when they are more than fit one batch
   * (10,000): remove them one by one then, in several turns.
   */
  clear(): void;
  /**
   * All elements in order, each with its id. Fetched as one goes: what changes behind the element reached is not seen, what
   * changes after it is.
   */
  entries(): Generator<[string, Uint8Array], void, undefined>;
  /** All elements in order. */
  values(): Generator<Uint8Array, void, undefined>;
  /** All elements in order, read as UTF-8. */
  texts(): Generator<string, void, undefined>;
}

/**
 * A text that several hands edit at once, compatible with Yjs: its root type is `doc.getText('text')`, plain text without
 * formatting. Indexes are those of JavaScript strings, which count UTF-16 code units, up to 2^31-1.
 *
 * From its first edit on a turn holds the text: other turns that edit it wait until this one ends, and fail with `unavailable`
 * after 10 s or when two wait for each other.
 *
 * The edits of one text in a turn take at most 1 MiB together, each up to 48 bytes more than what it inserts in UTF-8, and a text
 * at most 2 MiB as it is stored, with what tells of removed units; an edit that would pass that is `invalid`, and removing
 * makes room.
 */
export interface ReplicatedText {
  readonly key: string;
  /** The length of the text in UTF-16 code units. */
  readonly length: number;
  /**
   * Inserts `chunk` before the unit at `index`. `invalid` beyond the end, within a surrogate pair (which must not come in two
   * chunks either), or when the text or the turn's edits of it become too large.
   */
  insert(index: number, chunk: string): void;
  /** Removes `length` units from `index` on. `invalid` as with `insert`. */
  delete(index: number, length: number): void;
  /** The whole text. */
  read(): string;
  /** The whole text. */
  toString(): string;
  /** Removes all text seen here; what others insert at the same time stays. `invalid` when that is too much for one batch. */
  clear(): void;
  /** The Yjs state vector, for `Y.encodeStateAsUpdate(doc, vector)` elsewhere. */
  stateVector(): Uint8Array;
  /**
   * What a replica with the state vector `since` lacks, or everything, for `Y.applyUpdate` elsewhere. `invalid` when `since` is
   * no state vector.
   */
  diff(since?: Data): Uint8Array;
  /**
   * Merges an update that Yjs made (version 1), of at most 1 MiB. `invalid` when it is none, holds something other than plain
   * text, builds on edits that are not here, or when the text or the turn's edits of it become too large.
   */
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
/**
 * The keys of one family that begin with `prefix` and that this module may read, in byte order. Keys that are not UTF-8 are left
 * out. `denied` when it may read nothing below `prefix`.
 */
export function keys(kind: Kind, prefix?: string): Generator<string, void, undefined>;

/**
 * The key-value store of this node alone: durable, ordered, never replicated. What a turn writes here and to replicated values
 * is one batch. A key has at most 8 KiB and does not begin with `__nx/`, a value has at most 1 MiB; what passes that is
 * `invalid`.
 */
export const kv: {
  /** The value of a key; undefined when there is none. */
  get(key: string): Uint8Array | undefined;
  /** A value read as UTF-8. */
  getText(key: string): string | undefined;
  /** Writes a value of at most 1 MiB under a key of at most 8 KiB. `invalid` when one is larger. */
  set(key: string, value: Data): void;
  /** Removes a key; nothing happens when there is none. */
  delete(key: string): void;
  /**
   * Removes every key that begins with `prefix` and says how many there were. `denied` when the module may not write all of
   * them, `invalid` when they are more than fit one batch (10,000): remove them in several turns then.
   */
  deletePrefix(prefix: string): number;
  /** Whether a key has a value. */
  has(key: string): boolean;
  /**
   * The entries whose keys begin with `prefix` and that the module may read, in byte order. Keys that are not UTF-8 are left
   * out. `denied` when it may read nothing below `prefix`.
   */
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

/**
 * Calls `onTick(name)` every so many milliseconds (from 1 to 2^31-1), counted from the end of the last call. Call this in `init`.
 * `invalid` for another period, outside of `init`, and from 1,000 registrations on.
 */
export function every(name: string, milliseconds: number): void;
/** Calls `onTick(name)` by a cron expression of five fields, in UTC. Not in this version: it fails with `unavailable`. */
export function cron(name: string, expression: string, options?: { where?: 'every-node' | 'once-per-cluster' }): void;
/**
 * Calls `onChange` for keys that begin with `prefix` and that the module may read, of one family or of all. What this very
 * instance wrote is left out. Call this in `init`. `denied` when it may read none of them; `invalid` outside of `init`, and from
 * 1,000 registrations on.
 */
export function watch(prefix: string, options?: { kind?: Kind }): void;

/** A member of the cluster. */
export interface Peer {
  id: string;
  name: string;
  address: string;
  state: 'alive' | 'suspect' | 'dead';
  rttMicros: number | undefined;
}

/** The id of this node: 64 hexadecimal digits. Needs no grant. */
export function selfId(): string;
/** The other members that this node knows. `denied` without `net.peers` in the policy. */
export function peers(): Peer[];

/** About this module. */
export const moduleInfo: {
  /** The id under which it runs here. */
  readonly id: string;
  /** The grants of its policy, as the policy writes them. */
  readonly grants: string[];
};
