// Checks and conversions before a value crosses into the host. They are needed, not a courtesy: at the border the
// engine turns -1 into 2^64-1, 2^31 into 0 and half of a surrogate pair into U+FFFD without a word, and reports a wrong
// type in words of its own. A wrong type is a TypeError, as everywhere in JavaScript; a value out of range is what it is
// when the host finds it, a NumaxError, so a handler need not care who found it.

import { NumaxError } from './errors.js';

const U64_MAX = 2n ** 64n - 1n;
/** The engine hands larger ones on as other numbers, though the host's take 32 bits. Nothing that is counted so is as large. */
const U32_MAX = 2 ** 31 - 1;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const invalid = (detail) => new NumaxError('invalid', detail);
const shown = (v) => (typeof v === 'string' ? JSON.stringify(v) : `${String(v)} (${v === null ? 'null' : typeof v})`);

/** An unsigned 64-bit number as the BigInt that the host takes, from a BigInt or a whole number. */
export function u64(value, what) {
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw invalid(`${what} must be a whole number, not ${value}`);
    if (!Number.isSafeInteger(value) && value > 0) {
      throw invalid(`${what} is ${value}: above 2^53-1 a number is not exact; use a BigInt`);
    }
  } else if (typeof value !== 'bigint') {
    throw new TypeError(`${what} must be a number or a BigInt, not ${shown(value)}`);
  }
  const big = BigInt(value);
  if (big < 0n || big > U64_MAX) throw invalid(`${what} is ${value}; it must be between 0 and 2^64-1`);
  return big;
}

/** An unsigned number that the host takes in 32 bits: from 0 to 2^31-1. */
export function u32(value, what) {
  if (typeof value !== 'number') throw new TypeError(`${what} must be a number, not ${shown(value)}`);
  if (!Number.isInteger(value) || value < 0 || value > U32_MAX) {
    throw invalid(`${what} is ${value}; it must be a whole number between 0 and 2^31-1`);
  }
  return value;
}

/** A BigInt of the host as a number; refuses to round. */
export function safe(value, what) {
  const n = Number(value);
  if (!Number.isSafeInteger(n)) throw new RangeError(`${what} is ${value}, above what a number holds; read .bigint`);
  return n;
}

/** A text, in which surrogates come in pairs. */
export function string(value, what) {
  if (typeof value !== 'string') throw new TypeError(`${what} must be a string, not ${shown(value)}`);
  if (!value.isWellFormed()) {
    const at = value.search(/[\ud800-\udfff]/u); // with this flag a pair is one character, which this is not
    const half = value.charCodeAt(at).toString(16).toUpperCase();
    throw invalid(`${what} must be Unicode text; its unit ${at} (U+${half}) is half of a surrogate pair`);
  }
  return value;
}

/** A function. */
export function callable(value, what) {
  if (typeof value !== 'function') throw new TypeError(`${what} must be a function, not ${shown(value)}`);
  return value;
}

/** Bytes as they are, or a text in UTF-8. */
export function bytes(value, what) {
  if (typeof value === 'string') return encoder.encode(string(value, what));
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError(`${what} must be a string or bytes (Uint8Array), not ${shown(value)}`);
}

/** UTF-8 as a text; undefined stays undefined. */
export const text = (value) => (value === undefined ? undefined : decoder.decode(value));

const KINDS = ['g-counter', 'pn-counter', 'lww-register', 'lww-map', 'or-set', 'rga', 'text'];

/** A family of replicated values. */
export function family(value) {
  if (!KINDS.includes(value)) throw new TypeError(`the kind must be one of ${KINDS.join(', ')}, not ${shown(value)}`);
  return value;
}
