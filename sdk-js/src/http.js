// Between wasi:http/incoming-handler and the web's Request and Response.
//
// The engine has a fetch event of its own, but that answers one request per instance; this works any number of times.

import { Fields, IncomingBody, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.12';
import { NumaxError } from './errors.js';

/** Bytes of a request's body read at a time. */
const READ = 65536n;

const encoder = new TextEncoder();
const decoder = new TextDecoder('latin1');

/**
 * Header values, which the web has as strings of one character for each byte. What the web calls latin1 differs from that
 * between 0x80 and 0x9f; most values have nothing of the kind, and the engine's own functions are much faster.
 */
const latin1 = {
  decode(bytes) {
    const text = decoder.decode(bytes);
    return /[^\0-\xff]/.test(text) ? Array.from(bytes, (byte) => String.fromCharCode(byte)).join('') : text;
  },
  encode(text) {
    const utf8 = encoder.encode(text);
    return utf8.length === text.length ? utf8 : Uint8Array.from(text, (c) => c.charCodeAt(0));
  },
};

/** The body of a request, read when it is asked for. */
class Body {
  #request;
  #body;
  #stream;
  #done = false;

  constructor(request) {
    this.#request = request;
  }

  /** The next bytes, or undefined at the end. */
  read() {
    if (this.#done) return undefined;
    if (!this.#stream) {
      this.#body = this.#request.consume();
      this.#stream = this.#body.stream();
    }
    for (;;) {
      let chunk;
      try {
        chunk = this.#stream.blockingRead(READ);
      } catch (e) {
        this.close();
        if ((e?.payload ?? e)?.tag === 'closed') return undefined;
        throw new Error('the body of the request could not be read to its end');
      }
      if (chunk.length > 0) return chunk;
    }
  }

  /** Lets go of everything, in the order that the host wants: children first. */
  close() {
    this.#done = true;
    this.#stream?.[Symbol.dispose]();
    if (this.#body) IncomingBody.finish(this.#body)[Symbol.dispose]();
    this.#stream = this.#body = undefined;
  }
}

/** Thrown for a request that the web's Request cannot be. */
class Unreadable extends Error {}

function toRequest(incoming, body) {
  const tag = incoming.method();
  const method = tag.tag === 'other' ? tag.val : tag.tag.toUpperCase();
  const headers = new Headers();
  const fields = incoming.headers();
  for (const [name, value] of fields.entries()) headers.append(name, latin1.decode(value));
  fields[Symbol.dispose]();
  const scheme = incoming.scheme()?.tag === 'HTTPS' ? 'https' : 'http';
  const authority = incoming.authority() ?? headers.get('host') ?? 'localhost';
  const init = { method, headers };
  if (method !== 'GET' && method !== 'HEAD') {
    init.duplex = 'half';
    init.body = new ReadableStream({
      pull(controller) {
        const chunk = body.read();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => body.close(),
    });
  }
  const url = `${scheme}://${authority}${incoming.pathWithQuery() ?? '/'}`;
  try {
    return new Request(url, init);
  } catch {
    throw new Unreadable(); // TRACE, `Host: a b`: all of it is the client's
  }
}

/** Writes all of `chunk` and waits only when the host's buffer is full: waiting ends a turn. */
function write(stream, chunk) {
  for (let at = 0; at < chunk.length; ) {
    const room = Number(stream.checkWrite());
    if (room === 0) {
      const ready = stream.subscribe();
      ready.block();
      ready[Symbol.dispose]();
      continue;
    }
    const end = Math.min(at + room, chunk.length);
    stream.write(chunk.subarray(at, end));
    at = end;
  }
}

/** The head of an answer, not yet sent. */
function toOutgoing(response) {
  if (!(response instanceof Response)) {
    throw new TypeError(`fetch must return a Response, not ${response === null ? 'null' : typeof response}`);
  }
  const head = [...response.headers].map(([name, value]) => [name, latin1.encode(value)]);
  let fields;
  try {
    fields = Fields.fromList(head);
  } catch (e) {
    const names = head.map(([name]) => name).join(', ');
    throw new TypeError(`a header of the response may not be set by a module (${(e?.payload ?? e)?.tag}): ${names}`);
  }
  const outgoing = new OutgoingResponse(fields);
  outgoing.setStatusCode(response.status);
  return outgoing;
}

/** The status of an answer that a refused call prevented, when the module does not catch it itself. */
const STATUS = { invalid: 400, denied: 403, 'not-found': 404, quota: 429, unavailable: 503 };

const plain = (status, text) =>
  new Response(`${text}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });

/** What is answered to an exception. Only what the host says about the client's own request is shown to the client. */
function failed(e) {
  if (e instanceof Unreadable) return plain(400, 'the request has a method or an address that cannot be served');
  const [status, text] =
    !(e instanceof NumaxError) ? [500, 'internal error'] : [STATUS[e.code], e.code === 'denied' ? 'denied' : e.message];
  if (status === 500 || e.code === 'denied') console.error(e?.stack ? `${e}\n${e.stack}` : String(e));
  return plain(status, text);
}

/** Answers one request with `fetch`. An exception before the head of the answer was sent becomes an answer. */
export async function serve(fetch, incoming, out) {
  const requestBody = new Body(incoming);
  let response;
  let outgoing;
  try {
    response = await fetch(toRequest(incoming, requestBody));
    outgoing = toOutgoing(response);
  } catch (e) {
    response = failed(e);
    outgoing = toOutgoing(response);
  }
  const body = outgoing.body();
  ResponseOutparam.set(out, { tag: 'ok', val: outgoing }); // the head goes out before the body: answers can stream
  let stream;
  try {
    if (response.body) {
      stream = body.write();
      const reader = response.body.getReader();
      for (let next; !(next = await reader.read()).done; ) write(stream, next.value);
      stream[Symbol.dispose]();
      stream = undefined;
    }
    OutgoingBody.finish(body, undefined);
  } catch (e) {
    // A client that has gone away, or asked for the head alone, is no fault of the module.
    if (e?.payload?.tag !== 'closed') console.error(`the answer broke off: ${e?.payload ? JSON.stringify(e.payload) : e}\n${e?.stack ?? ''}`);
    stream?.[Symbol.dispose]();
    body[Symbol.dispose](); // unfinished: the client sees it too
  } finally {
    requestBody.close();
    incoming[Symbol.dispose]();
  }
}
