//! Orders of elements: every dtype is mapped to integers of the same order first, so that one sort serves
//! all of them.

use super::axis::Axis;
use super::parallel::{allowed, for_chunks};
use crate::{DType, Element};

/// The key of NaN, which comes after all numbers.
pub(crate) const NAN: u64 = u64::MAX;
/// Elements from which a second thread pays.
const PARALLEL: usize = 1 << 15;

/// An element of a line: its key and its place. The order of pairs is that of a stable sort.
pub(crate) type Entry = (u64, usize);

/// An integer with the order of the element, `-0.0` beside `0.0`.
#[inline(always)]
fn key<T: Element>(x: T) -> u64 {
    const SIGN: u64 = 1 << 63;
    match T::DTYPE {
        DType::I64 | DType::Bool => x.to_i64() as u64 ^ SIGN,
        DType::F32 | DType::F64 => {
            let x = x.to_f64();
            if x.is_nan() {
                return NAN;
            }
            // The sum makes -0.0 positive. Negative numbers are ordered backwards by their bits.
            let bits = (x + 0.0).to_bits();
            if bits & SIGN == 0 { bits | SIGN } else { !bits }
        }
    }
}

/// The keys of all elements; if `descending`, those of the opposite order.
pub(crate) fn keys<T: Element>(x: &[T], descending: bool) -> Vec<u64> {
    let flip = if descending { u64::MAX } else { 0 };
    x.iter().map(|&x| key(x) ^ flip).collect()
}

/// Runs `pick` on every line along `axis` of a dense array of keys. It gets the entries of the line, which it
/// may reorder, and `results` places of `out`, which has that many elements along the axis.
pub(crate) fn each_line(
    keys: &[u64],
    axis: Axis,
    results: usize,
    out: &mut [i64],
    pick: &(dyn Fn(&mut [Entry], &mut [i64]) + Sync),
) {
    let Axis { len, inner, .. } = axis;
    let block = results * inner;
    if block == 0 || out.is_empty() {
        return;
    }
    let work = |first: usize, out: &mut [i64]| {
        let (mut entries, mut picked) = (Vec::with_capacity(len), vec![0; results]);
        for (number, out) in out.chunks_exact_mut(block).enumerate() {
            let keys = &keys[(first / block + number) * len * inner..][..len * inner];
            for column in 0..inner {
                entries.clear();
                entries.extend((0..len).map(|place| (keys[place * inner + column], place)));
                pick(&mut entries, &mut picked);
                for (place, &index) in picked.iter().enumerate() {
                    out[place * inner + column] = index;
                }
            }
        }
    };
    if keys.len() < PARALLEL || axis.outer == 1 || !allowed() {
        return work(0, out);
    }
    for_chunks(out, (PARALLEL / 8).div_ceil(len * inner) * block, &work);
}

/// The places of the first `out.len()` entries, in order if `sorted`.
pub(crate) fn first(entries: &mut [Entry], out: &mut [i64], sorted: bool) {
    let count = out.len();
    if count == 0 {
        return;
    }
    if count < entries.len() {
        entries.select_nth_unstable(count - 1);
    }
    let entries = &mut entries[..count];
    if sorted {
        entries.sort_unstable();
    }
    for (out, (_, place)) in out.iter_mut().zip(entries) {
        *out = *place as i64;
    }
}

/// The place of entry number `n` in order.
pub(crate) fn nth(entries: &mut [Entry], n: usize) -> i64 {
    entries.select_nth_unstable(n).1.1 as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_order_of_the_elements() {
        let x = [f64::NEG_INFINITY, -1e300, -1.5, -5e-324, 0.0, 5e-324, 1.0, 1e300, f64::INFINITY, f64::NAN];
        assert!(keys(&x, false).is_sorted_by(|a, b| a < b));
        assert!(keys(&x, true).is_sorted_by(|a, b| a > b));
        assert_eq!(keys(&[-0.0f32, -f32::NAN], false), keys(&[0.0f32, f32::NAN], false));
        assert!(keys(&[i64::MIN, -1, 0, 1, i64::MAX], false).is_sorted_by(|a, b| a < b));
        assert!(keys(&[false, true], false).is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn lines_are_sorted_stably_along_any_axis() {
        for (outer, len, inner) in [(1, 9, 1), (40, 1000, 1), (3, 5, 4), (0, 2, 2), (2, 0, 2)] {
            let axis = Axis { outer, len, inner };
            let x: Vec<i64> = (0..outer * len * inner).map(|i| (i * 7919 % 13) as i64).collect();
            let mut out = vec![-1; x.len()];
            each_line(&keys(&x, false), axis, len, &mut out, &|line, out| first(line, out, true));
            for line in 0..outer * inner {
                let at = |k: usize| (line / inner * len + k) * inner + line % inner;
                let mut expected: Vec<usize> = (0..len).collect();
                expected.sort_by_key(|&k| x[at(k)]);
                assert_eq!((0..len).map(|k| out[at(k)] as usize).collect::<Vec<_>>(), expected);
            }
        }
    }
}
