//! Without vectors of its own.

pub(super) fn opaque(window: &[u8], stride: usize, weights: &[i16], line: &mut [f32]) {
    super::portable(window, stride, weights, 0, line);
}
