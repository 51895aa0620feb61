import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handles } from './fakes/host.mjs';

const nx = await import('../src/index.js');
const { MAX_HANDLES } = await import('../src/handles.js');

const invalid = (e) => e instanceof nx.NumaxError && e.code === 'invalid';

test('counters count in numbers and in BigInts', () => {
  const c = nx.counter('c');
  c.increment();
  c.increment(2);
  assert.equal(c.value, 3);
  c.increment(2n ** 60n);
  assert.equal(c.bigint, 2n ** 60n + 3n);
  assert.throws(() => c.value, RangeError);

  const p = nx.pnCounter('p');
  p.decrement(5);
  p.increment(2n);
  assert.equal(p.value, -3);
});

test('a bad argument never reaches the host', () => {
  const before = handles.opened;
  assert.throws(() => nx.counter('never').increment(-1), invalid);
  assert.throws(() => nx.set('never').add(5), TypeError);
  assert.throws(() => nx.map('never').set(1, 'x'), TypeError);
  assert.throws(() => nx.counter(7), TypeError);
  assert.throws(() => nx.keys('counter'), /g-counter/);
  assert.throws(() => nx.watch('k', { kind: 'counter' }), /g-counter/);
  const half = '\ud83d';
  const halves = [
    () => nx.counter(half),
    () => nx.keys('rga', half),
    () => nx.kv.get(half),
    () => nx.kv.getText(half),
    () => nx.kv.set(half, 'x'),
    () => nx.kv.set('k', half),
    () => nx.kv.delete(half),
    () => nx.kv.deletePrefix(half),
    () => nx.kv.has(half),
    () => nx.kv.scan(half),
    () => nx.every(half, 1),
    () => nx.cron(half, '* * * * *'),
    () => nx.cron('c', half),
    () => nx.watch(half),
  ];
  const methods = [
    [nx.pnCounter, []],
    [nx.register, [(r) => r.set(half), (r) => r.compareAndSet(half, 'x'), (r) => r.compareAndSet(undefined, half)]],
    [nx.map, [(m) => m.get(half), (m) => m.getText(half), (m) => m.set(half, 'x'), (m) => m.set('f', half)]],
    [nx.map, [(m) => m.has(half), (m) => m.delete(half)]],
    [nx.set, [(s) => s.add(half), (s) => s.delete(half), (s) => s.has(half)]],
    [nx.list, [(l) => l.get(half), (l) => l.getText(half), (l) => l.push(half), (l) => l.delete(half)]],
    [nx.list, [(l) => l.insert(half), (l) => l.insert('x', half)]],
    [nx.sharedText, [(t) => t.insert(0, half), (t) => t.diff(half), (t) => t.applyUpdate(half)]],
  ];
  for (const [make, calls] of methods) halves.push(() => make(half), ...calls.map((call) => () => call(make('never'))));
  for (const call of halves) assert.throws(call, (e) => invalid(e) && /Unicode text/.test(e.detail), String(call));
  for (const index of [2 ** 31, 2 ** 31 + 1, 4292870144, 2 ** 32 - 1]) {
    assert.throws(() => nx.sharedText('never').insert(index, 'x'), invalid);
    assert.throws(() => nx.sharedText('never').delete(index, 1), invalid);
    assert.throws(() => nx.sharedText('never').delete(0, index), invalid);
    assert.throws(() => nx.every('sweep', index), invalid);
  }
  assert.equal(handles.opened, before);
});

test('a refused call is a NumaxError', () => {
  try {
    nx.counter('deny:x').increment();
    assert.fail('it was let through');
  } catch (e) {
    assert.ok(e instanceof nx.NumaxError && e instanceof Error);
    assert.deepEqual([e.code, e.detail, e.name], ['denied', 'crdt.gcounter = ["deny:*"]', 'NumaxError']);
    assert.equal(e.message, 'denied: crdt.gcounter = ["deny:*"]');
  }
});

test('registers, maps and sets', () => {
  const r = nx.register('r');
  assert.equal(r.get(), undefined);
  assert.equal(r.compareAndSet(undefined, 'one'), true);
  assert.equal(r.compareAndSet('two', 'three'), false);
  assert.equal(r.getText(), 'one');
  r.clear();
  assert.equal(r.getText(), undefined);

  const m = nx.map('m');
  for (let i = 0; i < 1001; i++) m.set(String(i).padStart(4, '0'), 'v');
  assert.deepEqual([m.size, [...m].length, m.has('0007'), m.getText('0007')], [1001, 1001, true, 'v']);
  m.delete('0007');
  assert.equal(m.has('0007'), false);

  const s = nx.set('s');
  s.add('b');
  s.add(new Uint8Array([0xff]));
  assert.deepEqual([s.size, s.has('b'), s.has('a')], [2, true, false]);
  assert.deepEqual([...s.texts()], ['b', '\ufffd']);
});

test('lists', () => {
  const l = nx.list('l');
  const first = l.push('b');
  l.insert('a');
  const second = l.insert('c', first);
  for (let i = 0; i < 1000; i++) l.push('d');
  assert.deepEqual([l.size, [...l].length, [...l.texts()].slice(0, 4).join('')], [1003, 1003, 'abcd']);
  assert.deepEqual([...l.entries()].slice(1, 3).map(([id]) => id), [first, second]);
  assert.deepEqual([l.getText(first), l.get('other')], ['b', undefined]);
  l.delete(first);
  for (const call of [() => l.delete(first), () => l.insert('x', first)]) {
    assert.throws(call, (e) => e instanceof nx.NumaxError && e.code === 'not-found');
  }
  assert.throws(() => l.insert('x', null), TypeError);
  l.clear();
  assert.equal(l.size, 0);
});

test('texts', () => {
  const t = nx.sharedText('t');
  t.insert(0, 'a😀c');
  t.insert(3, 'b');
  t.delete(0, 1);
  assert.deepEqual([t.read(), `${t}`, t.length], ['😀bc', '😀bc', 4]);
  const seen = t.stateVector();
  t.insert(4, 'd');
  assert.deepEqual([...t.diff(seen)], [100]);
  t.applyUpdate(new Uint8Array([101]));
  assert.equal(new TextDecoder().decode(t.diff()), '😀bcde');
  assert.throws(() => t.insert(99, 'x'), invalid);
  assert.throws(() => t.insert(-1, 'x'), invalid);
  assert.throws(() => t.insert(0, 5), TypeError);
  assert.throws(() => t.delete(0, 1.5), invalid);
  assert.throws(() => t.diff(null), TypeError);
  t.clear();
  assert.equal(t.length, 0);
});

test('large results come page by page', () => {
  const keys = [...nx.keys('or-set', 'k')];
  assert.deepEqual([keys.length, keys[0], keys.at(-1)], [1200, 'k0000', 'k1199']);
});

test('handles are kept, and not too many of them', () => {
  const c = nx.counter('again');
  c.increment();
  const before = handles.opened;
  for (let i = 0; i < 100; i++) c.increment();
  assert.equal(handles.opened, before);
  for (let i = 0; i < 2 * MAX_HANDLES; i++) {
    nx.counter(`many${i}`).increment();
    c.increment(); // in use: never the one to go
  }
  assert.equal(handles.open, MAX_HANDLES);
  assert.equal(handles.opened, before + 2 * MAX_HANDLES);
});

test('the store of this node', () => {
  nx.kv.set('a1', 'x');
  nx.kv.set('a2', new Uint8Array([1]));
  nx.kv.set('b', 'y');
  assert.deepEqual([nx.kv.getText('a1'), nx.kv.has('zz'), nx.kv.get('zz')], ['x', false, undefined]);
  assert.deepEqual([...nx.kv.scan('a')].map(([k]) => k), ['a1', 'a2']);
  assert.equal(nx.kv.deletePrefix('a'), 2);
  assert.throws(() => nx.kv.set('a', 1), TypeError);
});

test('events and the cluster', () => {
  nx.every('sweep', 1000);
  assert.throws(() => nx.every('sweep', 2 ** 32), invalid);
  assert.throws(() => nx.cron('c', '* * * * *', { where: 'somewhere' }), TypeError);
  assert.equal(nx.peers()[0].rttMicros, 7);
  assert.equal(nx.moduleInfo.id, 'visits');
});
