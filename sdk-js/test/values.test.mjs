import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, safe, u32, u64 } from '../src/values.js';

test('u64 takes what fits, exactly', () => {
  assert.equal(u64(0, 'n'), 0n);
  assert.equal(u64(2 ** 53 - 1, 'n'), 2n ** 53n - 1n);
  assert.equal(u64(2n ** 64n - 1n, 'n'), 2n ** 64n - 1n);
});

test('u64 refuses what the border would change or choke on', () => {
  for (const wrong of [-1, -1n, 2n ** 64n, 1.5, NaN, Infinity, 2 ** 53]) {
    assert.throws(() => u64(wrong, 'n'), RangeError, String(wrong));
  }
  for (const wrong of ['1', null, undefined, true, {}]) assert.throws(() => u64(wrong, 'n'), TypeError, String(wrong));
});

test('u32 refuses what it cannot hold', () => {
  assert.equal(u32(2 ** 32 - 1, 'n'), 2 ** 32 - 1);
  for (const wrong of [-1, 2 ** 32, 0.5, NaN]) assert.throws(() => u32(wrong, 'n'), RangeError);
  assert.throws(() => u32(1n, 'n'), TypeError);
});

test('numbers are never rounded', () => {
  assert.equal(safe(2n ** 53n - 1n, 'it'), 2 ** 53 - 1);
  assert.equal(safe(-5n, 'it'), -5);
  assert.throws(() => safe(2n ** 53n, 'it'), /read \.bigint/);
});

test('bytes are texts in UTF-8 or any view of bytes', () => {
  assert.deepEqual([...bytes('é', 'b')], [0xc3, 0xa9]);
  const whole = new Uint8Array([1, 2, 3, 4]);
  assert.equal(bytes(whole, 'b'), whole);
  assert.deepEqual([...bytes(whole.buffer, 'b')], [1, 2, 3, 4]);
  assert.deepEqual([...bytes(new DataView(whole.buffer, 1, 2), 'b')], [2, 3]);
  for (const wrong of [5, null, undefined, [1, 2]]) assert.throws(() => bytes(wrong, 'b'), TypeError);
});
