import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NumaxError } from '../src/errors.js';
import { bytes, safe, string, u32, u64 } from '../src/values.js';

/** Of an error that a value out of range is. */
const invalid = (words) => (e) => {
  assert.ok(e instanceof NumaxError && e.code === 'invalid', String(e));
  assert.match(e.detail, words);
  return true;
};

test('u64 takes what fits, exactly', () => {
  assert.equal(u64(0, 'n'), 0n);
  assert.equal(u64(2 ** 53 - 1, 'n'), 2n ** 53n - 1n);
  assert.equal(u64(2n ** 64n - 1n, 'n'), 2n ** 64n - 1n);
});

test('u64 refuses what the border would change or choke on', () => {
  for (const wrong of [-1, -1n, 2n ** 64n, 1.5, NaN, Infinity, 2 ** 53]) {
    assert.throws(() => u64(wrong, 'n'), invalid(/^n (is|must be) /), String(wrong));
  }
  for (const wrong of ['1', null, undefined, true, {}]) assert.throws(() => u64(wrong, 'n'), TypeError, String(wrong));
});

test('u32 refuses what it cannot hold, and what the engine hands on as another number', () => {
  assert.equal(u32(0, 'n'), 0);
  assert.equal(u32(2 ** 31 - 1, 'n'), 2 ** 31 - 1);
  for (const wrong of [-1, 2 ** 31, 2 ** 31 + 1, 4292870144, 2 ** 32 - 1, 2 ** 32, 0.5, NaN, Infinity]) {
    assert.throws(() => u32(wrong, 'n'), invalid(/^n is .*; it must be a whole number between 0 and 2\^31-1$/), String(wrong));
  }
  assert.throws(() => u32(1n, 'n'), TypeError);
});

test('texts have no halves of surrogate pairs', () => {
  for (const fine of ['', 'a\0b', 'ä😀', '\ufffd']) assert.equal(string(fine, 'a key'), fine);
  for (const [wrong, where] of [
    ['\ud83d', 'unit 0 (U+D83D)'],
    ['😀\ude00', 'unit 2 (U+DE00)'],
    ['\ude00\ud83d', 'unit 0 (U+DE00)'],
    ['x\ud83dy😀', 'unit 1 (U+D83D)'],
  ]) {
    const told = new RegExp(`^a key must be Unicode text; its ${where.replace(/[+()]/g, '\\$&')} is half of a surrogate pair$`);
    for (const f of [string, bytes]) assert.throws(() => f(wrong, 'a key'), invalid(told), JSON.stringify(wrong));
  }
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
