// Does what it is told, in one turn: see the README beside this folder.

import { NumaxError, counter, keys, list, map, pnCounter, register, set, sharedText } from '@numax/sdk';

const decoder = new TextDecoder();

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const unhex = (text) => Uint8Array.from({ length: text.length / 2 }, (_, at) => parseInt(text.slice(2 * at, 2 * at + 2), 16));
/** What may be missing: JSON knows null only. */
const some = (value) => (value === undefined ? null : value);
const shown = (value) => (value === undefined ? null : decoder.decode(value));
const pairs = (entries) => Array.from(entries, ([name, value]) => [name, shown(value)]);
/** The answer of what has no other. */
const ok = (done) => (done === undefined ? 'ok' : done);

const families = {
  'g-counter': (key, f, by) => {
    const c = counter(key);
    return { increment: () => ok(c.increment(by)), value: () => String(c.bigint) }[f];
  },
  'pn-counter': (key, f, by) => {
    const c = pnCounter(key);
    return {
      increment: () => ok(c.increment(by)),
      decrement: () => ok(c.decrement(by)),
      value: () => String(c.bigint),
    }[f];
  },
  'lww-register': (key, f, a, b) => {
    const r = register(key);
    return {
      set: () => ok(r.set(a)),
      get: () => some(r.getText()),
      clear: () => ok(r.clear()),
      'compare-and-set': () => r.compareAndSet(a ?? undefined, b),
    }[f];
  },
  'lww-map': (key, f, a, b) => {
    const m = map(key);
    return {
      set: () => ok(m.set(a, b)),
      get: () => some(m.getText(a)),
      contains: () => m.has(a),
      remove: () => ok(m.delete(a)),
      entries: () => pairs(m),
      size: () => m.size,
      clear: () => ok(m.clear()),
    }[f];
  },
  'or-set': (key, f, a) => {
    const s = set(key);
    return {
      add: () => ok(s.add(a)),
      remove: () => ok(s.delete(a)),
      contains: () => s.has(a),
      elements: () => [...s.texts()],
      size: () => s.size,
      clear: () => ok(s.clear()),
    }[f];
  },
  rga: (key, f, a, b) => {
    const l = list(key);
    return {
      insert: () => l.insert(b, a ?? undefined),
      push: () => l.push(a),
      get: () => some(l.getText(a)),
      remove: () => ok(l.delete(a)),
      entries: () => pairs(l.entries()),
      size: () => l.size,
      clear: () => ok(l.clear()),
    }[f];
  },
  text: (key, f, a, b) => {
    const t = sharedText(key);
    return {
      insert: () => ok(t.insert(a, b)),
      remove: () => ok(t.delete(a, b)),
      read: () => t.read(),
      size: () => t.length,
      clear: () => ok(t.clear()),
      'state-vector': () => hex(t.stateVector()),
      diff: () => hex(t.diff(a ? unhex(a) : undefined)),
      'apply-update': () => ok(t.applyUpdate(unhex(a))),
      units: () => a.length,
    }[f];
  },
  keys: (prefix, kind) => () => [...keys(kind, prefix)],
  trap: () => {
    throw new Error('as told');
  },
};

/** An argument in which what stands for no text is half of a surrogate pair. */
const broken = (argument) => (typeof argument === 'string' ? argument.replaceAll('\ue000', '\ud800') : argument);

function answer([family, ...rest]) {
  try {
    const call = families[family]?.(...rest.map(broken));
    return call ? call() : 'unknown';
  } catch (e) {
    if (e instanceof NumaxError) return { error: e.code, why: e.detail };
    throw e;
  }
}

export default {
  async fetch(request) {
    if (request.method !== 'POST') return new Response('javascript\n');
    const answers = (await request.json()).map(answer);
    return new Response(JSON.stringify(answers), { headers: { 'content-type': 'application/json' } });
  },
};
