// What `numax build` runs for a JavaScript module, in two steps with one configuration (JSON, the second argument):
//
//   bundle    entry, sdk, bundle, report   makes one file of the module, the SDK and what they import, and reports as
//                                          JSON the worlds of numax:runtime that it needs, the features that the engine
//                                          can do without, and the source files
//   snapshot  bundle, wit, world, without, core
//                                          runs that file's top level in the engine and keeps the result as a core module
//
// Messages for people go to standard error; the exit status is 1 when they say what is wrong.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { argv, exit } from 'node:process';

/** The exports that are handlers: the function of handlers.js that wraps them, its export, its world. */
const HANDLERS = {
  default: { wrap: 'http', as: 'incomingHandler', world: 'with-http' },
  run: { wrap: 'run', as: 'run', world: 'with-run' },
  init: { wrap: 'lifecycle', as: 'lifecycle', world: 'with-lifecycle' },
  shutdown: { wrap: 'lifecycle', as: 'lifecycle', world: 'with-lifecycle' },
  onTick: { wrap: 'tick', as: 'tickHandler', world: 'with-tick' },
  onChange: { wrap: 'change', as: 'changeHandler', world: 'with-change' },
};

/** The interfaces of numax and their worlds. */
const IMPORTS = {
  crdt: 'use-crdt',
  kv: 'use-kv',
  events: 'use-events',
  cluster: 'use-cluster',
  messaging: 'use-messaging',
  changes: 'use-changes',
  'module-info': 'use-module-info',
};

/**
 * What the engine offers that needs the host, and the names that a module reaches it by. A module that uses none of the
 * names gets an engine without it, which then imports nothing for it: less to grant. Whoever touches `globalThis` or
 * `self` itself may reach everything.
 */
const FEATURES = {
  http: ['fetch'],
  random: ['Math.random', 'crypto'],
  clocks: ['Date', 'performance', 'setTimeout', 'setInterval'],
};
const EVERYTHING = ['globalThis', 'self'];

class Wrong extends Error {}

async function bundle({ entry, sdk, bundle: out, report }) {
  const { build } = await import('esbuild');
  const common = {
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2024',
    mainFields: ['module', 'main'],
    conditions: ['worker', 'browser', 'import'],
    metafile: true,
    logLevel: 'warning',
    color: false,
    write: false,
    absWorkingDir: dirname(entry),
  };
  // The SDK of this very build, whatever stands in node_modules: it fits the WIT and the glue below.
  const ours = {
    name: 'numax',
    setup(b) {
      b.onResolve({ filter: /^(numax|wasi):/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
      b.onResolve({ filter: /^@numax\/sdk$/ }, () => ({ path: join(sdk, 'index.js'), sideEffects: false }));
      b.onResolve({ filter: /^@numax\/sdk\/handlers$/ }, () => ({ path: join(sdk, 'handlers.js'), sideEffects: false }));
      b.onResolve({ filter: /^node:/ }, ({ path }) => ({
        errors: [{ text: `${path} does not exist in a module; only what the web and @numax/sdk offer does` }],
      }));
    },
  };
  const first = await build({ ...common, entryPoints: [entry], plugins: [ours] });
  const exported = Object.values(first.metafile.outputs)[0].exports;
  const handlers = exported.filter((name) => Object.hasOwn(HANDLERS, name)).map((name) => HANDLERS[name]);
  if (handlers.length === 0) {
    throw new Wrong(
      `${basename(entry)} exports none of the functions that numax calls. Write for example:\n` +
        `  export default { fetch(request) { return new Response('hello'); } }\n` +
        `or export one of: ${Object.keys(HANDLERS).filter((n) => n !== 'default').join(', ')}.`,
    );
  }
  const glue = [
    `import * as module from ${JSON.stringify(entry)};`,
    `import * as handlers from '@numax/sdk/handlers';`,
    ...new Set(handlers.map((h) => `export const ${h.as} = handlers.${h.wrap}(module);`)),
  ].join('\n');
  // Each name of FEATURES that the module uses freely is taken from a file of its own, so the metafile shows it.
  const probes = Object.values(FEATURES).flat().concat(EVERYTHING);
  const mark = (name) => `numax-uses:${name}`;
  const watch = {
    name: 'uses',
    setup(b) {
      b.onResolve({ filter: /^numax-uses:/ }, ({ path }) => ({ path, namespace: 'uses', sideEffects: false }));
      b.onLoad({ filter: /.*/, namespace: 'uses' }, ({ path }) => {
        const name = path.slice('numax-uses:'.length);
        const local = `__${name.replace('.', '_')}`;
        return { contents: `const ${local} = [];\nexport { ${local} as ${JSON.stringify(name)} };` };
      });
    },
  };
  const entryPoint = { contents: glue, resolveDir: dirname(entry), sourcefile: 'numax-entry.js' };
  const seen = await build({ ...common, stdin: entryPoint, plugins: [ours, watch], inject: probes.map(mark), logLevel: 'silent' });
  const used = new Set(
    Object.entries(Object.values(seen.metafile.outputs)[0].inputs)
      .filter(([path, { bytesInOutput }]) => path.startsWith('uses:') && bytesInOutput > 0)
      .map(([path]) => path.slice('uses:numax-uses:'.length)),
  );
  const all = EVERYTHING.some((name) => used.has(name));
  const without = Object.keys(FEATURES).filter((f) => !all && !FEATURES[f].some((name) => used.has(name)));

  const result = await build({ ...common, stdin: entryPoint, plugins: [ours], minifySyntax: true });
  const output = Object.values(result.metafile.outputs)[0];
  const worlds = new Set(handlers.map((h) => h.world));
  for (const { path } of output.imports) {
    const [, name] = /^numax:runtime\/([^@]+)/.exec(path) ?? [];
    if (name) worlds.add(IMPORTS[name] ?? '');
  }
  await writeFile(out, result.outputFiles[0].contents);
  const sources = Object.keys(result.metafile.inputs)
    .map((path) => resolve(dirname(entry), path))
    .filter((path) => existsSync(path));
  await writeFile(report, JSON.stringify({ worlds: [...worlds].sort(), without: ['fetch-event', ...without], sources }));
}

/** What the engine says when top-level code asks for something that is not there while a module is built. */
const NOT_NOW = /get-random|random_get|numax:runtime|unknown imported function|wasi:|clock/;

async function snapshot({ bundle: sourcePath, wit, world, without, core }) {
  const { componentize } = await import('@bytecodealliance/componentize-js');
  try {
    const { component } = await componentize({
      sourcePath,
      witPath: wit,
      worldName: world,
      disableFeatures: without,
    });
    await writeFile(core, component);
  } catch (e) {
    const text = String(e?.message ?? e);
    const hint = NOT_NOW.test(text)
      ? 'Code outside of functions runs while the module is built, and there it cannot call numax, ask for random ' +
        'numbers or read the clock.\nMove that code into the handler that needs it.'
      : 'Code outside of functions runs while the module is built; what it throws ends the build.';
    throw new Wrong(`${text.trim()}\n\n${hint}`);
  }
}

const steps = { bundle, snapshot };
try {
  await steps[argv[2]](JSON.parse(argv[3]));
} catch (e) {
  // esbuild has printed its own messages.
  if (!Array.isArray(e?.errors)) console.error(e instanceof Wrong ? e.message : (e?.stack ?? String(e)));
  exit(1);
}
