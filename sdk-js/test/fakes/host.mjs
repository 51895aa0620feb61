// A host in memory, in place of the interfaces that a component imports. Import this before the SDK.

import { register } from 'node:module';

const modules = {
  'numax:runtime/crdt@0.2.0': ['GCounter', 'PnCounter', 'LwwRegister', 'LwwMap', 'OrSet', 'Rga', 'Text', 'keys'],
  'numax:runtime/kv@0.2.0': ['get', 'set', 'delete', 'deletePrefix', 'exists', 'scan'],
  'numax:runtime/events@0.2.0': ['every', 'cron', 'watch', 'subscribe'],
  'numax:runtime/cluster@0.2.0': ['selfId', 'peers'],
  'numax:runtime/module-info@0.2.0': ['id', 'grants'],
  'wasi:http/types@0.2.12': ['Fields', 'IncomingBody', 'OutgoingBody', 'OutgoingResponse', 'ResponseOutparam'],
};

const hook = `
const modules = ${JSON.stringify(modules)};
export async function resolve(specifier, context, next) {
  return specifier in modules ? { url: specifier, shortCircuit: true } : next(specifier, context);
}
export async function load(url, context, next) {
  if (!(url in modules)) return next(url, context);
  const lines = modules[url].map((n) => 'const $' + n + ' = host[' + JSON.stringify(n) + ']; export { $' + n + ' as ' + JSON.stringify(n) + ' };');
  const source = 'const host = globalThis.fakeHost[' + JSON.stringify(url) + '];' + lines.join('');
  return { format: 'module', shortCircuit: true, source };
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

/** What a `result` that is an error looks like when the engine throws it. */
export const refusal = (tag, val) => Object.assign(Object.create(null), { payload: { tag, val } });

/** Handles that are open now, and every one ever opened. */
export const handles = { open: 0, opened: 0 };

const values = new Map();
const refused = (key) => {
  if (key.startsWith('deny:')) throw refusal('denied', 'crdt.gcounter = ["deny:*"]');
};

/** A resource class of the host: handles over the value of a key, which `empty` makes. */
function family(name, empty, methods) {
  class Resource {
    #key;
    static open(key) {
      refused(key);
      handles.open++;
      handles.opened++;
      const resource = new Resource();
      resource.#key = `${name}/${key}`;
      return resource;
    }
    get state() {
      if (!values.has(this.#key)) values.set(this.#key, empty());
      return values.get(this.#key);
    }
    [Symbol.dispose]() {
      handles.open--;
    }
  }
  Object.assign(Resource.prototype, methods);
  return Resource;
}

const page = (list, after, limit, items, id = (x) => x) => {
  const rest = after === undefined ? list : list.slice(list.findIndex((x) => String(id(x)) === String(after)) + 1);
  const part = rest.slice(0, limit);
  return { [items]: part, next: rest.length > limit ? id(part.at(-1)) : undefined };
};
const counting = {
  increment(by) {
    this.state.n += by;
  },
  decrement(by) {
    this.state.n -= by;
  },
  value() {
    return this.state.n;
  },
};
const store = new Map();
let made = 0;

globalThis.fakeHost = {
  'numax:runtime/crdt@0.2.0': {
    GCounter: family('g', () => ({ n: 0n }), counting),
    PnCounter: family('pn', () => ({ n: 0n }), counting),
    LwwRegister: family('r', () => ({}), {
      get() {
        return this.state.v;
      },
      set(v) {
        this.state.v = v;
      },
      clear() {
        delete this.state.v;
      },
      compareAndSet(expected, v) {
        if (String(expected) !== String(this.state.v)) return false;
        this.state.v = v;
        return true;
      },
    }),
    LwwMap: family('m', () => new Map(), {
      get(f) {
        return this.state.get(f);
      },
      set(f, v) {
        this.state.set(f, v);
      },
      contains(f) {
        return this.state.has(f);
      },
      remove(f) {
        this.state.delete(f);
      },
      clear() {
        this.state.clear();
      },
      size() {
        return BigInt(this.state.size);
      },
      entries(after, limit) {
        return page([...this.state].sort(), after, limit, 'entries', ([f]) => f);
      },
    }),
    OrSet: family('s', () => new Map(), {
      add(e) {
        this.state.set(String(e), e);
      },
      remove(e) {
        this.state.delete(String(e));
      },
      contains(e) {
        return this.state.has(String(e));
      },
      clear() {
        this.state.clear();
      },
      size() {
        return BigInt(this.state.size);
      },
      elements(after, limit) {
        return page([...this.state.values()], after, limit, 'elements');
      },
    }),
    Rga: family('l', () => [], {
      insert(after, v) {
        const at = after === undefined ? 0 : this.state.findIndex(([id]) => id === after) + 1;
        if (after !== undefined && at === 0) throw refusal('not-found');
        const id = `id${++made}`;
        this.state.splice(at, 0, [id, v]);
        return id;
      },
      push(v) {
        this.state.push([`id${++made}`, v]);
        return `id${made}`;
      },
      get(id) {
        return this.state.find(([other]) => other === id)?.[1];
      },
      remove(id) {
        const at = this.state.findIndex(([other]) => other === id);
        if (at < 0) throw refusal('not-found');
        this.state.splice(at, 1);
      },
      clear() {
        this.state.length = 0;
      },
      size() {
        return BigInt(this.state.length);
      },
      entries(after, limit) {
        return page(this.state, after, limit, 'entries', ([id]) => id);
      },
    }),
    // Updates are whole texts here: what is tested is the way to the host.
    Text: family('t', () => ({ text: '' }), {
      insert(index, chunk) {
        if (index > this.state.text.length) throw refusal('invalid', 'beyond the end');
        this.state.text = this.state.text.slice(0, index) + chunk + this.state.text.slice(index);
      },
      remove(index, len) {
        this.state.text = this.state.text.slice(0, index) + this.state.text.slice(index + len);
      },
      read() {
        return this.state.text;
      },
      size() {
        return this.state.text.length;
      },
      clear() {
        this.state.text = '';
      },
      stateVector() {
        return new Uint8Array([this.state.text.length]);
      },
      diff(since) {
        return new TextEncoder().encode(this.state.text.slice(since?.[0] ?? 0));
      },
      applyUpdate(update) {
        this.state.text += new TextDecoder().decode(update);
      },
    }),
    keys: (kind, prefix, after, limit) =>
      page([...Array(1200).keys()].map((i) => `${prefix}${String(i).padStart(4, '0')}`), after, limit, 'keys'),
  },
  'numax:runtime/kv@0.2.0': {
    get: (k) => store.get(k),
    set: (k, v) => void store.set(k, v),
    delete: (k) => void store.delete(k),
    deletePrefix: (p) => {
      const found = [...store.keys()].filter((k) => k.startsWith(p));
      found.forEach((k) => store.delete(k));
      return BigInt(found.length);
    },
    exists: (k) => store.has(k),
    scan: (p, after, limit) =>
      page([...store].filter(([k]) => k.startsWith(p)).sort(), after, limit, 'entries', ([k]) => k),
  },
  'numax:runtime/events@0.2.0': { every() {}, cron() {}, watch() {}, subscribe() {} },
  'numax:runtime/cluster@0.2.0': {
    selfId: () => 'ab'.repeat(32),
    peers: () => [{ id: 'cd', name: 'n', address: 'a', state: 'alive', rttMicros: 7n }],
  },
  'numax:runtime/module-info@0.2.0': { id: () => 'visits', grants: () => ['random = true'] },
};

// HTTP, as far as the adapter uses it. What happens is noted in `sent`.

export const sent = {};
const nothing = { status: undefined, headers: undefined, body: [], finished: false, disposed: [], blocked: 0, gone: false };

const disposable = (name) => ({
  [Symbol.dispose]() {
    sent.disposed.push(name);
  },
});

class OutgoingResponse {
  constructor(fields) {
    this.fields = fields;
  }
  setStatusCode(status) {
    this.status = status;
  }
  body() {
    let room = 0n;
    return {
      ...disposable('body'),
      write: () => ({
        ...disposable('stream'),
        checkWrite: () => room,
        subscribe: () => ({
          ...disposable('pollable'),
          block() {
            sent.blocked++;
            room = 10n;
          },
        }),
        write(bytes) {
          if (sent.gone) throw refusal('closed');
          if (BigInt(bytes.length) > room) throw new Error('wrote more than there was room for');
          room -= BigInt(bytes.length);
          sent.body.push(...bytes);
        },
      }),
    };
  }
}

globalThis.fakeHost['wasi:http/types@0.2.12'] = {
  Fields: {
    fromList(list) {
      if (list.some(([name]) => name === 'connection')) throw refusal('forbidden');
      return list.map(([name, value]) => `${name}: ${Buffer.from(value).toString('latin1')}`);
    },
  },
  IncomingBody: {
    finish: () => (sent.disposed.push('incoming-body'), disposable('trailers')),
  },
  OutgoingBody: {
    finish() {
      sent.finished = true;
    },
  },
  OutgoingResponse,
  ResponseOutparam: {
    set(_out, { val }) {
      Object.assign(sent, { status: val.status, headers: val.fields });
    },
  },
};

/** A request as the host hands it in; `chunks` are the pieces of its body. */
export function incoming(method, path, { headers = [], chunks = [] } = {}) {
  Object.assign(sent, structuredClone(nothing));
  const known = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].includes(method);
  return {
    ...disposable('request'),
    method: () => (known ? { tag: method.toLowerCase() } : { tag: 'other', val: method }),
    headers: () => ({
      ...disposable('fields'),
      entries: () => headers.map(([name, value]) => [name, new Uint8Array(Buffer.from(value, 'latin1'))]),
    }),
    scheme: () => ({ tag: 'HTTP' }),
    authority: () => undefined,
    pathWithQuery: () => path,
    consume: () => ({
      stream: () => ({
        ...disposable('incoming-stream'),
        blockingRead() {
          if (chunks.length === 0) throw refusal('closed');
          return new TextEncoder().encode(chunks.shift());
        },
      }),
    }),
  };
}

/** The body that was sent, as text. */
export const body = () => new TextDecoder().decode(new Uint8Array(sent.body));
