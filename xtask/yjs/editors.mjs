// Yjs editors against texts that nodes hold: `node editors.mjs URL URL`. Two editors, each a Yjs document of its own
// with a node of its own, and guests on both nodes that edit the same text. Ends with status 1 and what is wrong, or
// with a line that says what was done.

import assert from 'node:assert/strict';
import * as Y from 'yjs';

const KEY = 'paper';
const ROUNDS = 40;
const PATIENCE_MS = 60_000;

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const unhex = (digits) => new Uint8Array(Buffer.from(digits, 'hex'));

/** A turn of calls on a node's guest. */
async function tell(node, ...calls) {
  const answer = await fetch(node, { method: 'POST', body: JSON.stringify(calls) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

/** The same, of which nothing may be refused. */
async function done(node, ...calls) {
  const answers = await tell(node, ...calls);
  for (const answer of answers) assert.equal(answer?.error, undefined, JSON.stringify(answer));
  return answers;
}

const text = (...call) => ['text', KEY, ...call];

/** Numbers that look random and are the same in every run. */
function random(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const WORDS = ['plain ', 'Wörter ', '漢字', '😀', '𝔘𝔫𝔦', '👩‍👩‍👧', 'e\u0301', '\n', '"\\ '];

/** Where a text may be cut: not within a surrogate pair. */
function boundary(text, at) {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit < 0xe000 ? at + 1 : at;
}

class Editor {
  constructor(node, seed) {
    this.node = node;
    this.random = random(seed);
    this.doc = new Y.Doc();
    this.text = this.doc.getText('text');
    this.updates = [];
    this.doc.on('update', (update, origin) => {
      if (origin !== this) this.updates.push(update);
    });
  }

  /** Types and deletes, here only. */
  edit() {
    for (let n = this.random(4); n >= 0; n--) {
      const now = this.text.toString();
      const at = boundary(now, this.random(now.length + 1));
      if (this.random(3) === 0) {
        const end = boundary(now, Math.min(now.length, at + this.random(8)));
        this.text.delete(at, end - at);
      } else {
        this.text.insert(at, WORDS[this.random(WORDS.length)]);
      }
    }
  }

  /** Sends what was typed as it was, update by update, in one turn. */
  async push() {
    const updates = this.updates.splice(0);
    await done(this.node, ...updates.map((update) => text('apply-update', hex(update))));
  }

  /** Asks for what the node has and this editor lacks. */
  async pull() {
    const [diff] = await done(this.node, text('diff', hex(Y.encodeStateVector(this.doc))));
    Y.applyUpdate(this.doc, unhex(diff), this);
  }

  /** Both ways at once, by state vectors alone. */
  async exchange() {
    const [vector] = await done(this.node, text('state-vector'));
    this.updates.length = 0;
    await done(this.node, text('apply-update', hex(Y.encodeStateAsUpdate(this.doc, unhex(vector)))));
    await this.pull();
  }
}

/** A guest's own edits, which know nothing of Yjs. */
async function guestEdits(node, random) {
  const [now] = await done(node, text('read'));
  const at = boundary(now, random(now.length + 1));
  const word = WORDS[random(WORDS.length)];
  // The text may have changed since it was read: then the place may be none any more, which the guest is told.
  const answers = await tell(node, text('insert', at, word));
  assert.ok(answers[0] === 'ok' || answers[0].error === 'invalid', JSON.stringify(answers));
}

/** Waits until both nodes and both editors hold the same, to the byte. */
async function converge(editors) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    for (const editor of editors) await editor.exchange();
    const texts = editors.map((editor) => editor.text.toString());
    const held = await Promise.all(editors.map((editor) => done(editor.node, text('read'), text('state-vector'), text('diff', null))));
    const same = held.every(([read, vector, whole], at) => {
      return read === texts[0] && texts[at] === texts[0] && vector === held[0][1] && whole === held[0][2];
    });
    if (same) return { held: held[0], text: texts[0] };
    assert.ok(Date.now() < end, `no agreement: ${JSON.stringify({ texts, held })}`);
  }
}

/** A state vector as an object. */
const vector = (bytes) => Object.fromEntries(Y.decodeStateVector(bytes));

const nodes = process.argv.slice(2);
const editors = nodes.map((node, at) => new Editor(node, at + 1));
const guests = random(99);
let turns = 0;

for (let round = 0; round < ROUNDS; round++) {
  for (const editor of editors) editor.edit();
  const at = round % 4;
  // Everybody at once; now and then somebody is silent for some rounds, so that histories grow apart.
  const work = [];
  if (at !== 1) work.push(editors[0].push());
  if (at === 3) work.push(editors[1].exchange());
  for (const node of nodes) work.push(guestEdits(node, guests));
  await Promise.all(work);
  turns += work.length;
  if (at === 2) await editors[0].pull();
}
const agreed = await converge(editors);

// A document that knows nothing is made of the whole, and has the same vector.
const fresh = new Y.Doc();
Y.applyUpdate(fresh, unhex(agreed.held[2]));
assert.equal(fresh.getText('text').toString(), agreed.text);
assert.deepEqual(vector(Y.encodeStateVector(fresh)), vector(unhex(agreed.held[1])));
assert.deepEqual(vector(Y.encodeStateVector(editors[0].doc)), vector(unhex(agreed.held[1])));

// One editor cuts a character in two, which Yjs allows: both halves are replaced, for everybody.
editors[0].text.insert(0, '😀');
await converge(editors);
editors[0].text.insert(1, '-');
const cut = await converge(editors);
assert.ok(cut.text.startsWith('\ufffd-\ufffd'), JSON.stringify(cut.text.slice(0, 5)));

// What is not plain text, or comes before what it builds on, is refused with a reason, and the node is as before.
const other = new Y.Doc();
const updates = [];
other.on('update', (update) => updates.push(update));
other.getText('text').insert(0, 'one');
other.getText('text').insert(3, 'two');
other.getText('text').insert(0, 'bold', { bold: true });
other.getMap('map').set('a', 1);
for (const [update, why] of [
  [updates[1], 'builds on edits'],
  [updates[2], 'formatting'],
  [Y.encodeStateAsUpdate(other), 'only the plain text'],
]) {
  const [answer] = await tell(nodes[0], text('apply-update', hex(update)));
  assert.equal(answer.error, 'invalid');
  assert.ok(answer.why.includes(why), answer.why);
}
await done(nodes[0], text('apply-update', hex(Y.mergeUpdates(updates.slice(0, 2)))));
const last = await converge(editors);
assert.ok(last.text.includes('onetwo'));

console.log(
  `${ROUNDS} rounds, ${turns} turns at once with others; ${last.text.length} units, ` +
    `${unhex(last.held[2]).length} bytes, ${Object.keys(vector(unhex(last.held[1]))).length} clients: all alike`,
);
