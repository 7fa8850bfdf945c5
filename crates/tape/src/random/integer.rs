//! Random integers and permutations.

use super::Source;

/// From this range on torch 2.8 spends 64 bits on an integer.
const WIDE_RANGE: u64 = 1 << 28;

/// From this length on torch draws a permutation from 64-bit words (`u32::MAX / 20`: below it the bias of a
/// 32-bit word modulo n stays under 5 %).
const LONG_PERMUTATION: usize = (u32::MAX / 20) as usize;

/// Fills `out` with integers from `[low, high)`: `low + word % (high - low)`, modulo bias kept.
///
/// A range below 2^28 takes one 32-bit word for each number, a wider one a 64-bit word.
///
/// # Panics
/// If `low >= high`.
///
/// ```
/// use tape::random::{Generator, fill_randint};
///
/// let mut out = [0; 4];
/// fill_randint(&mut Generator::new(0), 0, 10, &mut out);
/// assert_eq!(out, [4, 9, 3, 0]); // torch.manual_seed(0); torch.randint(0, 10, (4,))
/// ```
#[track_caller]
pub fn fill_randint<S: Source + ?Sized>(source: &mut S, low: i64, high: i64, out: &mut [i64]) {
    assert!(
        low < high,
        "randint: random_ expects 'from' to be less than 'to', but got from={low} >= to={high}; \
         the upper end is exclusive"
    );
    // Two's complement: right also where the range exceeds i64::MAX.
    let range = high.wrapping_sub(low) as u64;
    for x in out {
        let word = if range >= WIDE_RANGE { source.next_u64() } else { u64::from(source.next_u32()) };
        *x = low.wrapping_add((word % range) as i64);
    }
}

/// A random order of the numbers `0..n`.
///
/// Fisher-Yates from the front with one 32-bit word for each number but the last; from 214 748 364 numbers
/// on the inside-out form with 64-bit words, as in torch.
///
/// ```
/// use tape::random::{Generator, randperm};
///
/// // torch.manual_seed(0); torch.randperm(5)
/// assert_eq!(randperm(&mut Generator::new(0), 5), [4, 0, 1, 3, 2]);
/// ```
pub fn randperm<S: Source + ?Sized>(source: &mut S, n: usize) -> Vec<i64> {
    let mut order: Vec<i64> = (0..n as i64).collect();
    if n < LONG_PERMUTATION {
        for i in 0..n.saturating_sub(1) {
            let z = source.next_u32() as usize % (n - i);
            order.swap(i, i + z);
        }
    } else {
        for i in 0..n {
            let z = (source.next_u64() % (i as u64 + 1)) as usize;
            order.swap(i, z);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    /// torch 2.8.0: `manual_seed(0)`, then `randint(0, 2^28 - 1, (2,))`, `randint(0, 2^28, (2,))` and
    /// `randint(-2^63, 2^63 - 1, (2,))`.
    #[test]
    fn ranges_on_both_sides_of_the_wide_switch() {
        let mut generator = Generator::new(0);
        let mut draw = |low, high| {
            let mut out = [0; 2];
            fill_randint(&mut generator, low, high, &mut out);
            out
        };
        assert_eq!(draw(0, (1 << 28) - 1), [209_652_404, 130_329_144]);
        assert_eq!(draw(0, 1 << 28), [136_432_832, 195_187_451]);
        assert_eq!(draw(i64::MIN, i64::MAX), [827_948_490_035_658_087, -1_408_320_422_220_276_013]);
    }

    #[test]
    fn permutations_of_nothing_and_of_one_draw_nothing() {
        let mut generator = Generator::new(1);
        assert_eq!(randperm(&mut generator, 0), [0_i64; 0]);
        assert_eq!(randperm(&mut generator, 1), [0]);
        assert_eq!(generator, Generator::new(1));
    }

    #[test]
    #[should_panic(expected = "from=3 >= to=3")]
    fn an_empty_range_is_refused() {
        fill_randint(&mut Generator::new(0), 3, 3, &mut []);
    }
}
