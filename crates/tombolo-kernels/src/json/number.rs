//! Numbers of JSON.
//!
//! The standard library reads them too, but its tables are a fifth of a browser module.

/// Powers of ten that a 64-bit float holds exactly.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// Digits that always fit 64 bits.
const DIGITS_MAX: usize = 19;
/// A number whose highest digit has this power of ten or a higher one is infinite.
const INFINITE: i64 = 309;
/// A number whose highest digit has this power of ten or a lower one is zero.
const ZERO: i64 = -326;

/// The value of a number whose text was checked: correctly rounded, infinite if it is too large.
pub(super) fn value(text: &[u8]) -> f64 {
    let (sign, text) = match text.strip_prefix(b"-") {
        Some(text) => (-1.0, text),
        None => (1.0, text),
    };
    sign * Decimal::read(text).value()
}

/// As [`value`], of at most eight digits and seven decimals, as most numbers have: `bytes` from `start` to
/// `point`, and from behind `point` to `end` if that is not the same.
#[inline(always)]
pub(super) fn short(bytes: &[u8], start: usize, point: usize, end: usize) -> Option<f64> {
    let places = (end - point).saturating_sub(1);
    let decimals = match places {
        0 => 0,
        1..8 => eight(bytes, point + 1, end)?,
        _ => return None,
    };
    // Exact, as they are fewer than 2⁵³ together; so the quotient is the only thing that is rounded.
    let scale = EXACT[places];
    Some((f64::from(eight(bytes, start, point)?) * scale + f64::from(decimals)) / scale)
}

/// The value of one to eight digits, all at once.
#[inline(always)]
fn eight(bytes: &[u8], start: usize, end: usize) -> Option<u32> {
    let unused = 8 * 8_usize.checked_sub(end - start)?;
    let word = u64::from_le_bytes(*bytes[..end].last_chunk()?) ^ u64::from_ne_bytes([b'0'; 8]);
    // What stands before the digits is made zeros; then neighbours are put together, thrice: what
    // overflows was above the sums.
    let ones = word >> unused << unused;
    let tens = ones.wrapping_mul(10 << 8 | 1) >> 8 & 0x00FF_00FF_00FF_00FF;
    let hundreds = tens.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_FFFF_0000_FFFF;
    Some((hundreds.wrapping_mul(10_000 << 32 | 1) >> 32) as u32)
}

/// A number that is ordered as `value` is: zeros of both signs are the same.
pub(super) fn ordered(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// Digits times a power of ten.
struct Decimal<'t> {
    /// The first digits, without leading zeros: at most [`DIGITS_MAX`].
    head: u64,
    /// How many digits there are from the first that is not zero on.
    count: usize,
    /// The power of ten of the last digit.
    power: i64,
    /// All digits and a point.
    text: &'t [u8],
}

impl<'t> Decimal<'t> {
    #[inline]
    fn read(text: &'t [u8]) -> Self {
        let mut number = Self { head: 0, count: 0, power: 0, text };
        let mut decimals = 0;
        for (at, byte) in text.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    let digit = u64::from(byte - b'0');
                    number.count += usize::from(number.count > 0 || digit > 0);
                    if number.count <= DIGITS_MAX {
                        number.head = number.head * 10 + digit;
                    }
                    number.power -= decimals;
                }
                b'.' => decimals = 1,
                _ => {
                    number.power = number.power.saturating_add(exponent(&text[at + 1..]));
                    number.text = &text[..at];
                    break;
                }
            }
        }
        number
    }

    #[inline]
    fn value(&self) -> f64 {
        if self.count <= DIGITS_MAX {
            if self.head == 0 {
                return 0.0;
            }
            // Clinger 1990: two numbers that are exact give a quotient or product that rounds as it should.
            if self.head < 1 << 53 && (-22..=22).contains(&self.power) {
                let power = EXACT[self.power.unsigned_abs() as usize];
                return if self.power < 0 { self.head as f64 / power } else { self.head as f64 * power };
            }
            if (-19..=19).contains(&self.power) {
                return self.medium();
            }
        }
        self.any()
    }

    /// Where the quotient or product fits 128 bits.
    #[inline(never)]
    fn medium(&self) -> f64 {
        let power = 10_u64.pow(self.power.unsigned_abs() as u32);
        if self.power >= 0 {
            return (u128::from(self.head) * u128::from(power)) as f64;
        }
        // At least 64 bits of the quotient, and whether anything is left.
        let shift = self.head.leading_zeros() + 64;
        let (above, below) = (u128::from(self.head) << shift, u128::from(power));
        let (quotient, rest) = (above / below, above % below);
        scaled(quotient | u128::from(rest > 0), -(shift as i32))
    }

    /// However many digits, of whatever power: by long division, some microseconds.
    #[cold]
    #[inline(never)]
    fn any(&self) -> f64 {
        let highest = self.power.saturating_add(self.count as i64 - 1);
        if self.count == 0 || highest <= ZERO {
            return 0.0;
        }
        if highest >= INFINITE {
            return f64::INFINITY;
        }
        let mut above = Whole::default();
        // No number between two floats has more than 767 digits: of what follows, only whether it is zero
        // counts.
        let digits = self.text.iter().filter(|byte| **byte != b'.').skip_while(|byte| **byte == b'0');
        let mut power = self.power;
        for (at, digit) in digits.enumerate() {
            if at < 780 {
                above.multiply_add(10, u32::from(digit - b'0'));
            } else {
                power += 1;
                if *digit != b'0' {
                    above.words[0] |= 1; // Below any digit that matters, as the 780th is not half of one.
                }
            }
        }
        let mut below = Whole { words: vec![1] };
        let scale = if power < 0 { &mut below } else { &mut above };
        (0..power.unsigned_abs()).for_each(|_| scale.multiply_add(10, 0));
        divide(above, below)
    }
}

/// The exponent's value, as large as matters.
fn exponent(text: &[u8]) -> i64 {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    let value = digits.iter().fold(0_i64, |value, digit| {
        // A text of 4 GiB has fewer than 10¹⁰ digits, so more than that would not change anything.
        (value * 10 + i64::from(digit - b'0')).min(100_000_000_000)
    });
    sign * value
}

/// `whole` times 2 to the power of `power`, rounded once: also where fewer than 53 bits are left.
fn scaled(whole: u128, power: i32) -> f64 {
    let bits = (u128::BITS - whole.leading_zeros()) as i32;
    // The power of the lowest bit that a float of this size has.
    let lowest = (bits + power - 53).max(-1074);
    let drop = lowest - power;
    let kept = if drop <= 0 { whole << -drop } else { round(whole, drop as u32) };
    // Exact, as `kept` has at most 54 bits and is a float's multiple of that bit; or infinite.
    kept as f64 * two_to(lowest / 2) * two_to(lowest - lowest / 2)
}

/// `whole` without its last `drop` bits, rounded to the nearest, of two to the even one.
fn round(whole: u128, drop: u32) -> u128 {
    if drop >= 128 {
        return 0;
    }
    let (kept, rest, half) = (whole >> drop, whole & ((1 << drop) - 1), 1 << (drop - 1));
    kept + u128::from(rest > half || rest == half && kept & 1 == 1)
}

/// 2 to a power from -1022 to 1023.
fn two_to(power: i32) -> f64 {
    f64::from_bits(((power + 1023) as u64) << 52)
}

/// A whole number of any size, lowest word first.
#[derive(Default)]
struct Whole {
    words: Vec<u32>,
}

impl Whole {
    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for word in &mut self.words {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.words.push(carry as u32);
        }
    }

    fn bits(&self) -> usize {
        self.words.last().map_or(0, |word| self.words.len() * 32 - word.leading_zeros() as usize)
    }

    fn shift_left(&mut self, by: usize) {
        for _ in 0..by % 32 {
            self.multiply_add(2, 0);
        }
        self.words.splice(0..0, std::iter::repeat_n(0, by / 32));
    }

    /// Takes `other` away and answers `true`, or does nothing if it is more.
    fn take(&mut self, other: &Self) -> bool {
        let of = |number: &Self, at: usize| number.words.get(at).copied().unwrap_or(0);
        let length = self.words.len().max(other.words.len());
        let first = (0..length).rev().find(|at| of(self, *at) != of(other, *at));
        if first.is_some_and(|at| of(self, at) < of(other, at)) {
            return false;
        }
        let mut borrow = false;
        for (at, word) in self.words.iter_mut().enumerate() {
            let (difference, under) = word.overflowing_sub(of(other, at));
            let (difference, again) = difference.overflowing_sub(u32::from(borrow));
            (*word, borrow) = (difference, under || again);
        }
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
        true
    }
}

/// The quotient, correctly rounded.
fn divide(mut above: Whole, mut below: Whole) -> f64 {
    // Of the same length in bits, the quotient is from a half to two: 66 bits of it are enough.
    let shift = above.bits() as i32 - below.bits() as i32;
    if shift > 0 {
        below.shift_left(shift as usize)
    } else {
        above.shift_left(-shift as usize)
    }
    let mut quotient = 0_u128;
    for _ in 0..66 {
        quotient = quotient << 1 | u128::from(above.take(&below));
        above.shift_left(1);
    }
    scaled(quotient << 1 | u128::from(above.bits() > 0), shift - 66)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) {
        assert_eq!(value(text.as_bytes()).to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn agrees_with_the_parser_of_rust(text in "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?") {
            check(&text);
        }

        #[test]
        fn reads_what_is_written_and_what_lies_between(bits in any::<u64>()) {
            let value = f64::from_bits(bits & !(1 << 63));
            prop_assume!(value.is_finite());
            check(&value.to_string());
            check(&format!("{value:e}"));
            // Halfway to the next float, exactly; and a little off, far behind.
            let next = f64::from_bits(value.to_bits() + 1);
            if next.is_finite() && value > 1e-300 {
                let half = format!("{:.1080}", value / 2.0 + next / 2.0);
                check(&half);
                check(&format!("{half}1"));
            }
        }

        #[test]
        fn order_is_that_of_the_values(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            prop_assert_eq!(a.partial_cmp(&b).unwrap(), ordered(a).cmp(&ordered(b)));
        }
    }

    #[test]
    fn short_numbers_are_read_at_once() {
        for text in ["0", "7", "12345678", "0.5", "99999999.9999999", "100.001", "1.0000001"] {
            let bytes = format!("     [{{\"k\":-{text}");
            let (start, end) = (bytes.len() - text.len(), bytes.len());
            let point = start + text.find('.').unwrap_or(text.len());
            assert_eq!(short(bytes.as_bytes(), start, point, end), Some(text.parse().unwrap()));
        }
        assert_eq!(short(b"0123456789", 1, 10, 10), None);
        assert_eq!(short(b"0123456789.01234567", 1, 9, 18), None);
        assert_eq!(short(b"123", 0, 3, 3), None);
    }

    #[test]
    fn edges_are_rounded_as_they_should() {
        for text in [
            "0",
            "-0",
            "0.0e999",
            "1e999",
            "1e-999",
            "1.7976931348623157e308",
            "1.7976931348623159e308",
            "4.9e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "2.2250738585072011e-308",
            "9007199254740993",
            "9007199254740993.0000000000000000000000001",
            "18446744073709551615",
            "0.000000000000000000000000000000000000000000001",
            "123456789012345678901234567890e-30",
            "1e99999999999999999999",
            "1e-99999999999999999999",
        ] {
            check(text);
        }
        let long = format!("0.{}1e{}", "0".repeat(2000), 2001);
        assert_eq!(value(long.as_bytes()), 1.0);
        check(&format!("1{}", "0".repeat(400)));
        check(&format!("{}e-900", "7".repeat(1000)));
        // Half of the way from 1 to the next float, and a last digit after the 780th that decides.
        let half = format!("1.00000000000000011102230246251565404236316680908203125{}", "0".repeat(900));
        check(&half);
        check(&format!("{half}1"));
    }

    #[test]
    fn zeros_are_alike_and_infinity_is_last() {
        assert_eq!(ordered(0.0), ordered(-0.0));
        assert!(ordered(value(b"1e999")) > ordered(f64::MAX));
    }
}
