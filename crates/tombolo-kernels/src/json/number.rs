//! Numbers of JSON.

/// The largest power of ten, and of it all smaller, that a 64-bit float holds exactly.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The value of a number whose text was checked: correctly rounded, infinite if it is too large.
pub(super) fn value(text: &[u8]) -> f64 {
    short(text).unwrap_or_else(|| {
        let text =
            std::str::from_utf8(text).expect("digits, signs, dots and e were checked to be all there is");
        text.parse().expect("every number of JSON is one of Rust")
    })
}

/// The value of a number without exponent and of at most 15 digits: their whole number and the power of
/// ten are both exact, so one division rounds as it should (Clinger 1990).
fn short(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.len() > 16 {
        return None;
    }
    let mut whole = 0_u64;
    let mut point = None;
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => whole = whole * 10 + u64::from(byte - b'0'),
            b'.' => point = Some(at),
            _ => return None,
        }
    }
    if whole >= 1 << 53 {
        return None;
    }
    let decimals = point.map_or(0, |point| digits.len() - point - 1);
    let value = whole as f64 / EXACT[decimals];
    Some(if negative { -value } else { value })
}

/// A number that is ordered as `value` is: zeros of both signs are the same.
pub(super) fn ordered(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_the_parser_of_rust(text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?") {
            prop_assert_eq!(value(text.as_bytes()).to_bits(), text.parse::<f64>().unwrap().to_bits());
        }

        #[test]
        fn order_is_that_of_the_values(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            prop_assert_eq!(a.partial_cmp(&b).unwrap(), ordered(a).cmp(&ordered(b)));
        }
    }

    #[test]
    fn zeros_are_alike_and_infinity_is_last() {
        assert_eq!(ordered(0.0), ordered(-0.0));
        assert!(ordered(value(b"1e999")) > ordered(f64::MAX));
    }
}
