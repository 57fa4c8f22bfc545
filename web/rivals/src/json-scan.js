// Reads JSON without making objects: checks all of it (RFC 8259), notes where each row is and what its
// key says. Functions take the bytes and a position and answer the position after what they read, since
// numbers stay in registers, and fields of an object do not.

const DEPTH_MOST = 512;
const [QUOTE, BACKSLASH, COMMA, COLON, MINUS, PLUS, DOT] = Array.from('"\\,:-+.', (c) => c.charCodeAt(0));
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = Array.from("{}[]", (c) => c.charCodeAt(0));
const [ZERO, NINE, U, E] = Array.from("09ue", (c) => c.charCodeAt(0));
const ESCAPES = new Set(Array.from('"\\/bfnrt', (c) => c.charCodeAt(0)));
const WORDS = [["true", true], ["false", false], ["null", null]].map(([word, value]) => ({
  letters: new TextEncoder().encode(String(word)), value,
}));

/**
 * @typedef {object} Rows
 * @property {Uint32Array<ArrayBuffer>} starts offset of each row's `{`
 * @property {Uint32Array<ArrayBuffer>} ends offset after its `}`
 * @property {Uint32Array<ArrayBuffer>} keys where the key's value begins, 0 for none
 */

/**
 * @param {Uint8Array} bytes
 * @param {readonly Uint8Array[]} path names of members, outermost first, as UTF-8
 * @returns {Rows}
 */
export function scanRows(bytes, path) {
  let rows = { starts: new Uint32Array(1024), ends: new Uint32Array(1024), keys: new Uint32Array(1024) };
  let count = 0;
  let at = skipSpace(bytes, 0);
  if (bytes[at] !== OPEN_ARRAY) throw wrong(bytes, at, "the `[` of an array of objects");
  at = skipSpace(bytes, at + 1);
  if (bytes[at] === CLOSE_ARRAY) at++;
  else {
    for (;;) {
      if (bytes[at] !== OPEN_OBJECT) throw wrong(bytes, at, "an object");
      if (count === rows.starts.length) rows = resized(rows, 2 * count);
      rows.starts[count] = at;
      found = 0;
      at = readObject(bytes, at, 1, path, 0);
      rows.keys[count] = found;
      rows.ends[count++] = at;
      at = skipSpace(bytes, at);
      if (bytes[at] === CLOSE_ARRAY) break;
      if (bytes[at] !== COMMA) throw wrong(bytes, at, "`,` or `]`");
      at = skipSpace(bytes, at + 1);
    }
    at++;
  }
  at = skipSpace(bytes, at);
  if (at !== bytes.length) throw wrong(bytes, at, "nothing more");
  return resized(rows, count);
}

/** Where the key's value of the row under way begins: one number more than a function can return. */
let found = 0;

/**
 * @param {Rows} rows
 * @param {number} count
 * @returns {Rows}
 */
function resized({ starts, ends, keys }, count) {
  const resize = (/** @type {Uint32Array<ArrayBuffer>} */ array) => {
    const copy = new Uint32Array(count);
    copy.set(array.subarray(0, count));
    return copy;
  };
  return { starts: resize(starts), ends: resize(ends), keys: resize(keys) };
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {string} expected
 */
function wrong(bytes, at, expected) {
  const what = at < bytes.length ? `\`${String.fromCharCode(bytes[at])}\`` : "the end";
  return new SyntaxError(`offset ${at}: expected ${expected}, found ${what}`);
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function skipSpace(bytes, at) {
  for (let c = bytes[at]; c === 32 || c === 10 || c === 13 || c === 9; c = bytes[at]) at++;
  return at;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} depth
 * @param {readonly Uint8Array[]} path
 * @param {number} level how many names of the path led here; beyond its end, none is looked for
 * @returns {number}
 */
function readObject(bytes, at, depth, path, level) {
  if (depth > DEPTH_MOST) throw wrong(bytes, at, `no more than ${DEPTH_MOST} levels`);
  at = skipSpace(bytes, at + 1);
  if (bytes[at] === CLOSE_OBJECT) return at + 1;
  for (;;) {
    if (bytes[at] !== QUOTE) throw wrong(bytes, at, "the `\"` of a name");
    const name = at + 1;
    at = skipString(bytes, name);
    const wanted = level < path.length && isName(bytes, name, at - 1, path[level]);
    at = skipSpace(bytes, at);
    if (bytes[at] !== COLON) throw wrong(bytes, at, "`:`");
    at = skipSpace(bytes, at + 1);
    let deeper = path.length;
    if (wanted) {
      const last = level + 1 === path.length;
      found = last ? at : 0; // Of names that come twice, the last counts.
      if (!last) deeper = level + 1;
    }
    at = skipSpace(bytes, skipValue(bytes, at, depth + 1, path, deeper));
    if (bytes[at] === CLOSE_OBJECT) return at + 1;
    if (bytes[at] !== COMMA) throw wrong(bytes, at, "`,` or `}`");
    at = skipSpace(bytes, at + 1);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {number} to
 * @param {Uint8Array} name
 */
function isName(bytes, from, to, name) {
  if (to - from === name.length) {
    let i = 0;
    while (i < name.length && bytes[from + i] === name[i]) i++;
    if (i === name.length) return true;
  }
  let at = from;
  while (at < to && bytes[at] !== BACKSLASH) at++;
  if (at === to) return false;
  const plain = new TextEncoder().encode(JSON.parse(new TextDecoder().decode(bytes.subarray(from - 1, to + 1))));
  return plain.length === name.length && plain.every((byte, i) => byte === name[i]);
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} depth
 * @param {readonly Uint8Array[]} path
 * @param {number} level
 * @returns {number}
 */
function skipValue(bytes, at, depth, path, level) {
  const c = bytes[at];
  if (c === QUOTE) return skipString(bytes, at + 1);
  if (c === MINUS || (c >= ZERO && c <= NINE)) return skipNumber(bytes, at);
  if (c === OPEN_OBJECT) return readObject(bytes, at, depth, path, level);
  if (c === OPEN_ARRAY) return skipArray(bytes, at, depth, path);
  for (const { letters } of WORDS) {
    if (c === letters[0] && letters.every((letter, i) => bytes[at + i] === letter)) return at + letters.length;
  }
  throw wrong(bytes, at, "a value");
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} depth
 * @param {readonly Uint8Array[]} path
 * @returns {number}
 */
function skipArray(bytes, at, depth, path) {
  if (depth > DEPTH_MOST) throw wrong(bytes, at, `no more than ${DEPTH_MOST} levels`);
  at = skipSpace(bytes, at + 1);
  if (bytes[at] === CLOSE_ARRAY) return at + 1;
  for (;;) {
    at = skipSpace(bytes, skipValue(bytes, at, depth + 1, path, path.length));
    if (bytes[at] === CLOSE_ARRAY) return at + 1;
    if (bytes[at] !== COMMA) throw wrong(bytes, at, "`,` or `]`");
    at = skipSpace(bytes, at + 1);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at after the first quote
 * @returns {number} after the last
 */
function skipString(bytes, at) {
  for (;;) {
    const c = bytes[at];
    if (c === QUOTE) return at + 1;
    if (c === BACKSLASH) at = skipEscape(bytes, at + 1);
    else if (c >= 32) at++;
    else throw wrong(bytes, at, "a character of a string"); // Also at the end, where `c` is undefined.
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function skipEscape(bytes, at) {
  if (ESCAPES.has(bytes[at])) return at + 1;
  if (bytes[at] !== U) throw wrong(bytes, at, "an escape");
  for (let i = 1; i <= 4; i++) {
    const c = bytes[at + i] | 32;
    if (!((c >= ZERO && c <= NINE) || (c >= 97 && c <= 102))) throw wrong(bytes, at + i, "a hexadecimal digit");
  }
  return at + 5;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function skipNumber(bytes, at) {
  if (bytes[at] === MINUS) at++;
  at = bytes[at] === ZERO ? at + 1 : skipDigits(bytes, at);
  if (bytes[at] === DOT) at = skipDigits(bytes, at + 1);
  if ((bytes[at] | 32) === E) {
    at++;
    if (bytes[at] === PLUS || bytes[at] === MINUS) at++;
    at = skipDigits(bytes, at);
  }
  return at;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function skipDigits(bytes, at) {
  const first = at;
  while (bytes[at] >= ZERO && bytes[at] <= NINE) at++;
  if (at === first) throw wrong(bytes, at, "a digit");
  return at;
}

/**
 * What a value that was checked says. Numbers of at most 15 digits are a whole number divided by an
 * exact power of ten, and so rounded once (Clinger 1990); others go through text.
 * @param {Uint8Array} bytes
 * @param {number} at
 * @returns {unknown} an empty array for any array or object
 */
export function readValue(bytes, at) {
  const c = bytes[at];
  if (c === MINUS || (c >= ZERO && c <= NINE)) return readNumber(bytes, at);
  if (c === QUOTE) return JSON.parse(new TextDecoder().decode(bytes.subarray(at, skipString(bytes, at + 1))));
  const word = WORDS.find(({ letters }) => letters[0] === c);
  return word ? word.value : [];
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function readNumber(bytes, at) {
  const start = at;
  let whole = 0;
  let scale = 1;
  let digits = 0;
  const negative = bytes[at] === MINUS;
  if (negative) at++;
  for (let c = bytes[at]; c >= ZERO && c <= NINE; c = bytes[++at], digits++) whole = whole * 10 + (c - ZERO);
  if (bytes[at] === DOT) {
    at++;
    for (let c = bytes[at]; c >= ZERO && c <= NINE; c = bytes[++at], digits++) {
      whole = whole * 10 + (c - ZERO);
      scale *= 10;
    }
  }
  if (digits <= 15 && (bytes[at] | 32) !== E) return negative ? -whole / scale : whole / scale;
  return Number(String.fromCharCode(...bytes.subarray(start, skipNumber(bytes, start))));
}
