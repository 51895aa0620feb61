// Checks and conversions before a value crosses into the host. They are needed, not a courtesy: at the border the
// engine turns -1 into 2^64-1 without a word, and reports a wrong type in words of its own.

const U64_MAX = 2n ** 64n - 1n;
const U32_MAX = 2 ** 32 - 1;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const shown = (v) => (typeof v === 'string' ? JSON.stringify(v) : `${String(v)} (${v === null ? 'null' : typeof v})`);

/** An unsigned 64-bit number as the BigInt that the host takes, from a BigInt or a whole number. */
export function u64(value, what) {
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw new RangeError(`${what} must be a whole number, not ${value}`);
    if (!Number.isSafeInteger(value) && value > 0) {
      throw new RangeError(`${what} is ${value}: above 2^53 a number is not exact; use a BigInt`);
    }
  } else if (typeof value !== 'bigint') {
    throw new TypeError(`${what} must be a number or a BigInt, not ${shown(value)}`);
  }
  const big = BigInt(value);
  if (big < 0n || big > U64_MAX) throw new RangeError(`${what} is ${value}; it must be between 0 and 2^64-1`);
  return big;
}

/** An unsigned 32-bit number. */
export function u32(value, what) {
  if (typeof value !== 'number') throw new TypeError(`${what} must be a number, not ${shown(value)}`);
  if (!Number.isInteger(value) || value < 0 || value > U32_MAX) {
    throw new RangeError(`${what} is ${value}; it must be a whole number between 0 and 2^32-1`);
  }
  return value;
}

/** A BigInt of the host as a number; refuses to round. */
export function safe(value, what) {
  const n = Number(value);
  if (!Number.isSafeInteger(n)) throw new RangeError(`${what} is ${value}, above what a number holds; read .bigint`);
  return n;
}

/** A text. */
export function string(value, what) {
  if (typeof value !== 'string') throw new TypeError(`${what} must be a string, not ${shown(value)}`);
  return value;
}

/** A function. */
export function callable(value, what) {
  if (typeof value !== 'function') throw new TypeError(`${what} must be a function, not ${shown(value)}`);
  return value;
}

/** Bytes as they are, or a text in UTF-8. */
export function bytes(value, what) {
  if (typeof value === 'string') return encoder.encode(value);
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError(`${what} must be a string or bytes (Uint8Array), not ${shown(value)}`);
}

/** UTF-8 as a text; undefined stays undefined. */
export const text = (value) => (value === undefined ? undefined : decoder.decode(value));
