/**
 * Whether two byte strings are equal, in a time that depends on their lengths alone.
 *
 * As constant as a just-in-time compiler allows: no branch and no index depends on a byte.
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 * @returns {boolean}
 */
export function equal(a, b) {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}
