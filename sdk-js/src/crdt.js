// Replicated values.

import { GCounter, LwwMap, LwwRegister, OrSet, PnCounter, Rga, Text, keys as hostKeys } from 'numax:runtime/crdt@0.2.0';
import { call } from './errors.js';
import { on } from './handles.js';
import { PAGE, walk } from './pages.js';
import { bytes, family, safe, string, text, u32, u64 } from './values.js';

class Value {
  #key;
  constructor(key) {
    this.#key = string(key, 'a key');
  }
  get key() {
    return this.#key;
  }
}

class Counter extends Value {
  increment(by = 1) {
    const n = u64(by, 'the increment');
    on(GCounter, 'g', this.key, (h) => h.increment(n));
  }
  get value() {
    return safe(this.bigint, `the counter ${JSON.stringify(this.key)}`);
  }
  get bigint() {
    return on(GCounter, 'g', this.key, (h) => h.value());
  }
}

class UpDownCounter extends Value {
  increment(by = 1) {
    const n = u64(by, 'the increment');
    on(PnCounter, 'pn', this.key, (h) => h.increment(n));
  }
  decrement(by = 1) {
    const n = u64(by, 'the decrement');
    on(PnCounter, 'pn', this.key, (h) => h.decrement(n));
  }
  get value() {
    return safe(this.bigint, `the counter ${JSON.stringify(this.key)}`);
  }
  get bigint() {
    return on(PnCounter, 'pn', this.key, (h) => h.value());
  }
}

class Register extends Value {
  get() {
    return on(LwwRegister, 'r', this.key, (h) => h.get());
  }
  getText() {
    return text(this.get());
  }
  set(value) {
    const v = bytes(value, 'the value');
    on(LwwRegister, 'r', this.key, (h) => h.set(v));
  }
  clear() {
    on(LwwRegister, 'r', this.key, (h) => h.clear());
  }
  compareAndSet(expected, value) {
    const old = expected === undefined ? undefined : bytes(expected, 'the expected value');
    const v = bytes(value, 'the value');
    return on(LwwRegister, 'r', this.key, (h) => h.compareAndSet(old, v));
  }
}

class ReplicatedMap extends Value {
  get(field) {
    const f = string(field, 'a field');
    return on(LwwMap, 'm', this.key, (h) => h.get(f));
  }
  getText(field) {
    return text(this.get(field));
  }
  set(field, value) {
    const f = string(field, 'a field');
    const v = bytes(value, 'the value');
    on(LwwMap, 'm', this.key, (h) => h.set(f, v));
  }
  has(field) {
    const f = string(field, 'a field');
    return on(LwwMap, 'm', this.key, (h) => h.contains(f));
  }
  delete(field) {
    const f = string(field, 'a field');
    on(LwwMap, 'm', this.key, (h) => h.remove(f));
  }
  clear() {
    on(LwwMap, 'm', this.key, (h) => h.clear());
  }
  get size() {
    return safe(on(LwwMap, 'm', this.key, (h) => h.size()), 'the size');
  }
  entries() {
    return walk((after) => on(LwwMap, 'm', this.key, (h) => h.entries(after, PAGE)), 'entries');
  }
  [Symbol.iterator]() {
    return this.entries();
  }
}

class ReplicatedSet extends Value {
  add(element) {
    const e = bytes(element, 'an element');
    on(OrSet, 's', this.key, (h) => h.add(e));
  }
  delete(element) {
    const e = bytes(element, 'an element');
    on(OrSet, 's', this.key, (h) => h.remove(e));
  }
  has(element) {
    const e = bytes(element, 'an element');
    return on(OrSet, 's', this.key, (h) => h.contains(e));
  }
  clear() {
    on(OrSet, 's', this.key, (h) => h.clear());
  }
  get size() {
    return safe(on(OrSet, 's', this.key, (h) => h.size()), 'the size');
  }
  values() {
    return walk((after) => on(OrSet, 's', this.key, (h) => h.elements(after, PAGE)), 'elements');
  }
  *texts() {
    for (const element of this.values()) yield text(element);
  }
  [Symbol.iterator]() {
    return this.values();
  }
}

class ReplicatedList extends Value {
  get(id) {
    const i = string(id, 'an id');
    return on(Rga, 'l', this.key, (h) => h.get(i));
  }
  getText(id) {
    return text(this.get(id));
  }
  push(value) {
    const v = bytes(value, 'the value');
    return on(Rga, 'l', this.key, (h) => h.push(v));
  }
  insert(value, after) {
    const v = bytes(value, 'the value');
    const a = after === undefined ? undefined : string(after, 'an id');
    return on(Rga, 'l', this.key, (h) => h.insert(a, v));
  }
  delete(id) {
    const i = string(id, 'an id');
    on(Rga, 'l', this.key, (h) => h.remove(i));
  }
  clear() {
    on(Rga, 'l', this.key, (h) => h.clear());
  }
  get size() {
    return safe(on(Rga, 'l', this.key, (h) => h.size()), 'the size');
  }
  entries() {
    return walk((after) => on(Rga, 'l', this.key, (h) => h.entries(after, PAGE)), 'entries');
  }
  *values() {
    for (const [, value] of this.entries()) yield value;
  }
  *texts() {
    for (const value of this.values()) yield text(value);
  }
  [Symbol.iterator]() {
    return this.values();
  }
}

class ReplicatedText extends Value {
  insert(index, chunk) {
    const [i, c] = [u32(index, 'the index'), string(chunk, 'a chunk')];
    on(Text, 't', this.key, (h) => h.insert(i, c));
  }
  delete(index, length) {
    const [i, n] = [u32(index, 'the index'), u32(length, 'the length')];
    on(Text, 't', this.key, (h) => h.remove(i, n));
  }
  read() {
    return on(Text, 't', this.key, (h) => h.read());
  }
  toString() {
    return this.read();
  }
  get length() {
    return on(Text, 't', this.key, (h) => h.size());
  }
  clear() {
    on(Text, 't', this.key, (h) => h.clear());
  }
  stateVector() {
    return on(Text, 't', this.key, (h) => h.stateVector());
  }
  diff(since) {
    const s = since === undefined ? undefined : bytes(since, 'the state vector');
    return on(Text, 't', this.key, (h) => h.diff(s));
  }
  applyUpdate(update) {
    const u = bytes(update, 'the update');
    on(Text, 't', this.key, (h) => h.applyUpdate(u));
  }
}

export const counter = (key) => new Counter(key);
export const pnCounter = (key) => new UpDownCounter(key);
export const register = (key) => new Register(key);
export const map = (key) => new ReplicatedMap(key);
export const set = (key) => new ReplicatedSet(key);
export const list = (key) => new ReplicatedList(key);
export const sharedText = (key) => new ReplicatedText(key);

export function keys(kind, prefix = '') {
  family(kind);
  const p = string(prefix, 'a prefix');
  return walk((after) => call(() => hostKeys(kind, p, after, PAGE)), 'keys');
}
