// Host handles of replicated values, one per (family, key), kept open between calls.
//
// Opening one costs memory of the engine that does not come back at once, and the collector does not close handles in
// time, so they are kept here and the one used longest ago is closed when there are too many.

import { call } from './errors.js';

/**
 * Handles kept open. 256 hold the working set of most handlers; each costs a table slot in the host and a small
 * object here.
 */
export const MAX_HANDLES = 256;

const open = new Map(); // insertion order = order of use

/** Runs `f` with the handle of `key` in `family`, a resource class of the host. */
export function on(family, name, key, f) {
  const id = `${name}\0${key}`;
  let handle = open.get(id);
  if (handle === undefined) {
    handle = call(() => family.open(key));
    if (open.size >= MAX_HANDLES) {
      const [oldest, other] = open.entries().next().value;
      open.delete(oldest);
      other[Symbol.dispose]();
    }
  } else {
    open.delete(id);
  }
  open.set(id, handle);
  return call(() => f(handle));
}
