// The key-value store of this node alone.

import * as host from 'numax:runtime/kv@0.2.0';
import { call } from './errors.js';
import { PAGE, walk } from './pages.js';
import { bytes, safe, string, text } from './values.js';

const key = (value) => string(value, 'a key');

export const kv = Object.freeze({
  get(k) {
    const name = key(k);
    return call(() => host.get(name));
  },
  getText(k) {
    return text(kv.get(k));
  },
  set(k, value) {
    const name = key(k);
    const v = bytes(value, 'the value');
    call(() => host.set(name, v));
  },
  delete(k) {
    const name = key(k);
    call(() => host.delete(name));
  },
  deletePrefix(prefix) {
    const p = string(prefix, 'a prefix');
    return safe(call(() => host.deletePrefix(p)), 'the number of deleted keys');
  },
  has(k) {
    const name = key(k);
    return call(() => host.exists(name));
  },
  scan(prefix = '') {
    const p = string(prefix, 'a prefix');
    return walk((after) => call(() => host.scan(p, after, PAGE)), 'entries');
  },
});
