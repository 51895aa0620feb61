// Counts visits, in a counter and a set that every node of the cluster shares.

import { counter, set } from '@numax/sdk';

const visits = counter('demo:visits');
const languages = set('demo:languages');

/** `{"visits":12,"languages":["go","rust"]}` */
function state() {
  // A BigInt is exact, however large; JSON.stringify does not take one.
  return new Response(`{"visits":${visits.bigint},"languages":${JSON.stringify([...languages.texts()])}}`, {
    headers: { 'content-type': 'application/json' },
  });
}

const plain = (status, text) =>
  new Response(text, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } });

/** A number that the counter takes. */
function number(text) {
  const n = /^\+?(\d+)$/.exec(text)?.[1];
  return n !== undefined && BigInt(n) < 2n ** 64n ? BigInt(n) : undefined;
}

/** Undoes percent-encoding; what is no valid escape stays as it is. */
const decode = (text) => new URLSearchParams(`=${text.replace(/[+&]/g, encodeURIComponent)}`).get('');

export default {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const language = /^\/languages\/([^/]+)$/.exec(pathname)?.[1];
    if (['GET', 'HEAD'].includes(request.method) && pathname === '/') {
      // Nothing to change.
    } else if (request.method === 'POST' && pathname === '/visits') {
      const by = number(searchParams.get('by') ?? '1');
      if (by === undefined) return plain(400, 'by is not a number from 0 to 2^64-1\n');
      visits.increment(by);
      languages.add('javascript');
    } else if (request.method === 'PUT' && language) {
      languages.add(decode(language));
    } else if (request.method === 'DELETE' && language) {
      languages.delete(decode(language));
    } else {
      return plain(404, 'no such thing here\n');
    }
    return state();
  },
};
