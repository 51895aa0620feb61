// The exports that the host calls, made of the functions that a module exports. `numax build` writes the entry that
// uses these; modules do not.

import { serve } from './http.js';
import { callable, safe } from './values.js';

const report = (e) => console.error(e?.stack ? `${e}\n${e.stack}` : String(e));

/** `wasi:http/incoming-handler` of a default export with `fetch`. */
export function http(module) {
  callable(module.default?.fetch, 'fetch of the default export (`export default { fetch(request) {…} }`)');
  return { handle: (request, out) => serve((r) => module.default.fetch(r), request, out) };
}

/** `wasi:cli/run` of a function `run`: an exception is the exit code 1. */
export function run(module) {
  const f = callable(module.run, 'run');
  return {
    async run() {
      try {
        await f();
      } catch (e) {
        report(e);
        throw undefined; // the error case of a result without a payload
      }
    },
  };
}

/** `lifecycle` of `init`, `shutdown` or both. */
export function lifecycle({ init, shutdown }) {
  if (init !== undefined) callable(init, 'init');
  if (shutdown !== undefined) callable(shutdown, 'shutdown');
  return {
    async init() {
      try {
        await init?.();
      } catch (e) {
        report(e);
        throw String(e);
      }
    },
    async shutdown() {
      await shutdown?.();
    },
  };
}

/** `tick-handler` of `onTick`. An exception ends the turn without a commit. */
export function tick(module) {
  const f = callable(module.onTick, 'onTick');
  return { onTick: (name, now) => f(name, safe(now, 'the time')) };
}

/** `change-handler` of `onChange`. An exception ends the turn without a commit. */
export function change(module) {
  const f = callable(module.onChange, 'onChange');
  return { onChange: (changes) => f(changes) };
}
