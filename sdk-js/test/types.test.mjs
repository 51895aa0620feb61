import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import './fakes/host.mjs';

const nx = await import('../src/index.js');

test('the types describe what is exported, and nothing else', async () => {
  const types = await readFile(new URL('../src/index.d.ts', import.meta.url), 'utf8');
  const described = [...types.matchAll(/^export (?:function|const|class) (\w+)/gm)].map((m) => m[1]);
  assert.deepEqual([...new Set(described)].sort(), Object.keys(nx).sort());
});

test('the types describe every method', async () => {
  const types = await readFile(new URL('../src/index.d.ts', import.meta.url), 'utf8');
  const members = (name) => {
    const [, base, text] = new RegExp(`^export interface ${name}(?: extends (\\w+)[^{]*)? {\\n(.*?)^}`, 'ms').exec(types);
    const own = [...text.matchAll(/^  (?:readonly )?(\w+)[(:]/gm)].map((m) => m[1]);
    return base && base !== 'Iterable' ? [...members(base), ...own] : own;
  };
  const real = (value) => {
    const names = [];
    for (let p = Object.getPrototypeOf(value); p !== Object.prototype; p = Object.getPrototypeOf(p)) {
      names.push(...Object.getOwnPropertyNames(p));
    }
    return [...new Set(names)].filter((n) => n !== 'constructor').sort();
  };
  const pairs = {
    Counter: nx.counter,
    UpDownCounter: nx.pnCounter,
    Register: nx.register,
    ReplicatedMap: nx.map,
    ReplicatedSet: nx.set,
    ReplicatedList: nx.list,
    ReplicatedText: nx.sharedText,
  };
  for (const [name, make] of Object.entries(pairs)) {
    assert.deepEqual([...new Set(members(name))].sort(), real(make('k')), name);
  }
});
