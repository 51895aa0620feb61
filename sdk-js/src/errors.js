// Errors of the host, as exceptions that JavaScript programmers expect.

const CODES = new Set(['denied', 'invalid', 'not-found', 'quota', 'unavailable']);

/** A call was refused, by the host or before it got there. `code` says why, `detail` tells more. */
export class NumaxError extends Error {
  constructor(code, detail) {
    super(detail ? `${code}: ${detail}` : code);
    this.name = 'NumaxError';
    this.code = code;
    this.detail = detail;
  }
}

/**
 * Runs one host call. The engine throws what a `result` carries as an object that is no Error and has a `payload`;
 * ours become a NumaxError, everything else goes on as it is.
 */
export function call(f) {
  try {
    return f();
  } catch (e) {
    throw translate(e);
  }
}

/** The exception to throw for `e`, which a host call threw. */
export function translate(e) {
  const payload = e?.payload ?? e;
  return CODES.has(payload?.tag) ? new NumaxError(payload.tag, payload.val ?? '') : e;
}
