/** What a contender computed, in a form that can be compared. */
export type Outcome =
  | { readonly form: "bytes"; readonly values: Uint8Array | Uint8ClampedArray }
  | { readonly form: "floats"; readonly values: Float32Array | Float64Array }
  | { readonly form: "ranks"; readonly values: Uint32Array }
  | { readonly form: "text"; readonly text: string };

/** Whether two contenders computed the same thing. */
export type Agreement =
  | { readonly verdict: "reference" }
  | { readonly verdict: "equal" }
  /** Not the same bits, but within what this kernel allows. */
  | { readonly verdict: "close"; readonly difference: string }
  | { readonly verdict: "different"; readonly difference: string };

const equal: Agreement = { verdict: "equal" };

/** Exact equality: checksums, ranks, whole numbers. */
export function agreeExactly(reference: Outcome, other: Outcome): Agreement {
  if (reference.form === "text" && other.form === "text") {
    if (reference.text === other.text) return equal;
    return { verdict: "different", difference: `${other.text}, not ${reference.text}` };
  }
  if (reference.form === "text" || other.form === "text") return differentForms(reference, other);
  const length = differentLengths(reference.values, other.values);
  if (length !== undefined) return length;
  const at = reference.values.findIndex((value, index) => value !== other.values[index]);
  if (at < 0) return equal;
  return { verdict: "different", difference: `first at position ${at.toLocaleString("en-GB")}` };
}

/** Channels of pictures, 0 to 255: rounding may differ by `levelsMax`. */
export function agreeWithinLevels(levelsMax: number): (reference: Outcome, other: Outcome) => Agreement {
  return (reference, other) => {
    if (reference.form !== "bytes" || other.form !== "bytes") return differentForms(reference, other);
    const length = differentLengths(reference.values, other.values);
    if (length !== undefined) return length;
    const most = mostApart(reference.values, other.values);
    if (most === 0) return equal;
    return { verdict: most <= levelsMax ? "close" : "different", difference: `at most ${most}/255 apart` };
  };
}

/** Floating-point results: the largest difference, as a share of the largest magnitude, is bounded. */
export function agreeRelatively(shareMax: number): (reference: Outcome, other: Outcome) => Agreement {
  return (reference, other) => {
    if (reference.form !== "floats" || other.form !== "floats") return differentForms(reference, other);
    const length = differentLengths(reference.values, other.values);
    if (length !== undefined) return length;
    const most = mostApart(reference.values, other.values);
    if (most === 0) return equal;
    const magnitude = mostApart(reference.values, undefined);
    const share = magnitude > 0 ? most / magnitude : Number.POSITIVE_INFINITY;
    const verdict = share <= shareMax ? "close" : "different";
    return { verdict, difference: `at most ${share.toExponential(1)} apart, relative` };
  };
}

/** The largest distance between two rows of numbers; from nothing, the largest magnitude. NaN if any is. */
function mostApart(one: ArrayLike<number>, two: ArrayLike<number> | undefined): number {
  let most = 0;
  for (let index = 0; index < one.length; index += 1) {
    const apart = Math.abs((one[index] ?? 0) - (two?.[index] ?? 0));
    if (apart > most) most = apart;
    else if (Number.isNaN(apart)) return apart;
  }
  return most;
}

function differentLengths(one: ArrayLike<number>, two: ArrayLike<number>): Agreement | undefined {
  if (one.length === two.length) return undefined;
  return { verdict: "different", difference: `${two.length} values, not ${one.length}` };
}

function differentForms(one: Outcome, two: Outcome): Agreement {
  return { verdict: "different", difference: `${two.form}, not ${one.form}` };
}
