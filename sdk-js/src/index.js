// Write numax modules in JavaScript. See README.md; types and documentation are in index.d.ts.

export { selfId, peers } from './cluster.js';
export { counter, keys, list, map, pnCounter, register, set, sharedText } from './crdt.js';
export { NumaxError } from './errors.js';
export { cron, every, watch } from './events.js';
export { kv } from './kv.js';
export { moduleInfo } from './module.js';
