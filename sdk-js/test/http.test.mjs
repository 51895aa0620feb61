import assert from 'node:assert/strict';
import { test } from 'node:test';
import { body, incoming, sent } from './fakes/host.mjs';

const { serve } = await import('../src/http.js');
const handlers = await import('../src/handlers.js');

async function quietly(f) {
  const real = console.error;
  const said = [];
  console.error = (line) => said.push(line);
  try {
    await f();
  } finally {
    console.error = real;
  }
  return said.join('\n');
}

test('a request arrives whole', async () => {
  const request = incoming('POST', '/p?q=1', { headers: [['host', 'example.com'], ['x-a', 'b']], chunks: ['hel', 'lo'] });
  await serve(
    async (r) => new Response(`${r.method} ${r.url} ${r.headers.get('x-a')} ${await r.text()}`),
    request,
    {},
  );
  assert.equal(body(), 'POST http://example.com/p?q=1 b hello');
  assert.deepEqual([sent.status, sent.finished], [200, true]);
  assert.ok(sent.blocked > 1, 'more than the room was written at once');
  // Children before parents, or the host refuses.
  assert.ok(sent.disposed.indexOf('incoming-stream') < sent.disposed.indexOf('incoming-body'));
  assert.equal(sent.disposed.at(-1), 'request');
});

test('a method of its own and an answer without a body', async () => {
  await serve((r) => new Response(null, { status: 204, headers: { 'x-m': r.method } }), incoming('PURGE', '/'), {});
  assert.deepEqual([sent.status, sent.headers, sent.body.length, sent.finished], [204, ['x-m: PURGE'], 0, true]);
});

test('header values are bytes, one a character', async () => {
  const every = Array.from({ length: 0xe0 }, (_, i) => String.fromCharCode(i + 0x20)).join('').replace('\x7f', '').trim();
  for (const value of ['b', 'a\xe9b', 'a\x80\x9fb', Buffer.from('€ ä 😀').toString('latin1'), every]) {
    const echo = (r) => new Response(null, { headers: { 'x-b': r.headers.get('x-a') } });
    await serve(echo, incoming('GET', '/', { headers: [['x-a', value]] }), {});
    assert.deepEqual([sent.status, sent.headers], [200, [`x-b: ${value}`]], JSON.stringify(value));
  }
});

test('a request that the web has no Request for is a 400', async () => {
  const never = () => assert.fail('it was handled');
  const said = await quietly(async () => {
    await serve(never, incoming('TRACE', '/'), {});
    assert.equal(sent.status, 400);
    await serve(never, incoming('GET', '/', { headers: [['host', 'a b']] }), {});
    assert.equal(sent.status, 400);
    await serve(() => new Request('a b'), incoming('GET', '/'), {}); // the module's own
    assert.equal(sent.status, 500);
  });
  assert.match(said, /a b/);
});

test('answers stream', async () => {
  const parts = ['a', 'b', 'c'];
  const stream = new ReadableStream({
    async pull(c) {
      await new Promise((r) => setTimeout(r));
      if (parts.length === 0) c.close();
      else c.enqueue(new TextEncoder().encode(parts.shift()));
    },
  });
  await serve(() => new Response(stream), incoming('GET', '/'), {});
  assert.equal(body(), 'abc');
});

test('an exception is a 500 that tells the client nothing', async () => {
  const said = await quietly(() =>
    serve(() => Promise.reject(new Error('secret')), incoming('GET', '/'), {}),
  );
  assert.deepEqual([sent.status, body()], [500, 'internal error\n']);
  assert.match(said, /secret/);
});

test('a refused call is answered with the status that fits', async () => {
  const { NumaxError } = await import('../src/index.js');
  const wanted = { invalid: 400, denied: 403, 'not-found': 404, quota: 429, unavailable: 503 };
  for (const [code, status] of Object.entries(wanted)) {
    const refuse = () => {
      throw new NumaxError(code, 'the line');
    };
    const said = await quietly(() => serve(refuse, incoming('GET', '/'), {}));
    // The policy's line is for the operator.
    const denied = code === 'denied';
    assert.deepEqual([sent.status, body()], [status, denied ? 'denied\n' : `${code}: the line\n`]);
    assert.equal(said.includes('the line'), denied);
  }
});

test('something else than a Response is a 500', async () => {
  for (const wrong of [undefined, null, 'text']) {
    const said = await quietly(() => serve(() => wrong, incoming('GET', '/'), {}));
    assert.equal(sent.status, 500);
    assert.match(said, /must return a Response/);
  }
});

test('a header that only the host may set is a 500 that names it', async () => {
  const response = () => new Response('x', { headers: { connection: 'close' } });
  const said = await quietly(() => serve(response, incoming('GET', '/'), {}));
  assert.equal(sent.status, 500);
  assert.match(said, /forbidden\): connection/);
});

test('an answer that breaks off is not finished', async () => {
  const stream = new ReadableStream({
    start(c) {
      c.enqueue(new TextEncoder().encode('begun'));
    },
    pull() {
      throw new Error('no more');
    },
  });
  const said = await quietly(() => serve(() => new Response(stream), incoming('GET', '/'), {}));
  assert.deepEqual([sent.status, sent.finished], [200, false]);
  assert.deepEqual(sent.disposed.slice(-3), ['stream', 'body', 'request']);
  assert.match(said, /broke off/);
});

test('a client that has gone away is no fault', async () => {
  const request = incoming('GET', '/');
  sent.gone = true;
  const said = await quietly(() => serve(() => new Response('unread'), request, {}));
  assert.deepEqual([said, sent.finished, sent.disposed.slice(-3)], ['', false, ['stream', 'body', 'request']]);
});

test('handlers are checked when the module is built', () => {
  assert.throws(() => handlers.http({ default: {} }), /export default \{ fetch/);
  assert.throws(() => handlers.run({ run: 1 }), /run must be a function/);
  assert.throws(() => handlers.lifecycle({ init: 'x' }), TypeError);
});

test('init fails with a text and run without one', async () => {
  await quietly(async () => {
    const failing = () => {
      throw new Error('no disk');
    };
    await assert.rejects(handlers.lifecycle({ init: failing }).init(), (e) => e === 'Error: no disk');
    await assert.rejects(handlers.run({ run: failing }).run(), (e) => e === undefined);
  });
  await handlers.lifecycle({ shutdown() {} }).init();
});

test('times of ticks are numbers', () => {
  const seen = [];
  handlers.tick({ onTick: (...args) => seen.push(args) }).onTick('sweep', 1700000000000n);
  assert.deepEqual(seen, [['sweep', 1700000000000]]);
});
