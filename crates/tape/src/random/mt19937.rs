//! The Mersenne Twister MT19937 as torch seeds it.
//!
//! Recurrence, tempering and constants: Matsumoto and Nishimura, "Mersenne Twister: a 623-dimensionally
//! equidistributed uniform pseudo-random number generator", 1998.

const WORDS: usize = 624;
const SHIFT: usize = 397;
const MATRIX: u32 = 0x9908_b0df;
const UPPER: u32 = 0x8000_0000;
const LOWER: u32 = 0x7fff_ffff;

/// The 624 words of state, and how many of them have been handed out.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Mt19937 {
    state: [u32; WORDS],
    used: usize,
}

impl Mt19937 {
    /// Seeds by Knuth's linear recurrence (the authors' `init_genrand`); torch feeds it the low 32 bits of
    /// a seed.
    pub(super) fn new(seed: u32) -> Self {
        let mut state = [0; WORDS];
        state[0] = seed;
        for j in 1..WORDS {
            let previous: u32 = state[j - 1];
            state[j] = 1_812_433_253_u32.wrapping_mul(previous ^ (previous >> 30)).wrapping_add(j as u32);
        }
        Self { state, used: WORDS }
    }

    /// The next 32-bit word.
    #[inline]
    pub(super) fn next_u32(&mut self) -> u32 {
        if self.used == WORDS {
            self.refill();
        }
        let word = self.state[self.used];
        self.used += 1;
        temper(word)
    }

    /// Advances the whole state by 624 words. The three loops are one recurrence over indices modulo 624,
    /// cut where an index wraps so that the bodies stay free of modulo operations.
    #[cold]
    fn refill(&mut self) {
        let s = &mut self.state;
        for k in 0..WORDS - SHIFT {
            s[k] = s[k + SHIFT] ^ twist(s[k], s[k + 1]);
        }
        for k in WORDS - SHIFT..WORDS - 1 {
            s[k] = s[k + SHIFT - WORDS] ^ twist(s[k], s[k + 1]);
        }
        s[WORDS - 1] = s[SHIFT - 1] ^ twist(s[WORDS - 1], s[0]);
        self.used = 0;
    }
}

#[inline]
fn twist(high: u32, low: u32) -> u32 {
    (((high & UPPER) | (low & LOWER)) >> 1) ^ (MATRIX * (low & 1))
}

#[inline]
fn temper(mut y: u32) -> u32 {
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c_5680;
    y ^= (y << 15) & 0xefc6_0000;
    y ^ (y >> 18)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The C++ standard fixes the 10000th output of `std::mt19937` under its default seed 5489.
    #[test]
    fn ten_thousandth_word_is_the_one_the_cpp_standard_names() {
        let mut engine = Mt19937::new(5489);
        let word = (0..10_000).map(|_| engine.next_u32()).last();
        assert_eq!(word, Some(4_123_659_995));
    }
}
