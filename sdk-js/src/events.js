// What a module wants to hear of. Called from `init`.

import * as host from 'numax:runtime/events@0.2.0';
import { call } from './errors.js';
import { family, string, u32 } from './values.js';

export function every(name, milliseconds) {
  const n = string(name, 'the name of a timer');
  const ms = u32(milliseconds, 'the period in milliseconds');
  call(() => host.every(n, ms));
}

export function cron(name, expression, { where = 'every-node' } = {}) {
  const n = string(name, 'the name of a timer');
  const e = string(expression, 'a cron expression');
  if (where !== 'every-node' && where !== 'once-per-cluster') {
    throw new TypeError(`where must be 'every-node' or 'once-per-cluster', not ${String(where)}`);
  }
  call(() => host.cron(n, e, where));
}

export function watch(prefix, { kind } = {}) {
  const p = string(prefix, 'a prefix');
  if (kind !== undefined) family(kind);
  call(() => host.watch(kind, p));
}
