//! Run-time CPU dispatch: one generic loop, compiled once per instruction set.
//!
//! A [`Kernel`] is a loop written in plain Rust. [`dispatch`] runs it inside a function compiled for the best
//! instruction set the CPU has, where LLVM vectorises it with the registers of that set:
//!
//! | level | features | f32 / f64 lanes |
//! |---|---|---|
//! | [`Level::Avx512`] | AVX-512 F, VL, DQ, BW, CD + FMA | 16 / 8 |
//! | [`Level::Avx2`] | AVX2 + FMA | 8 / 4 |
//! | [`Level::Baseline`] | what the crate was compiled for | 4 / 2 on x86-64 |
//!
//! With the features enabled by hand and no CPU named, LLVM takes the full 512-bit registers at the AVX-512
//! level, which on Zen 5 halves the 256-bit level's time per element. `floor`, `trunc`, `round_ties_even`
//! and `sqrt` are single vector instructions at both upper levels.
//!
//! The compiler neither contracts nor reorders floating-point operations, so a kernel gives the same bits at
//! every level as long as it spells its fused operations `mul_add` and fixes its own reduction order.
//! (Without FMA in hardware `mul_add` is an exact but slow library call.)
//!
//! # What makes a kernel vectorise
//! - `run` and everything it calls is `#[inline(always)]`: a call that stays out of line is compiled for the
//!   baseline. Loops are plain `for` loops over slices or zipped iterators; closures handed to a large
//!   adaptor may stay out of line.
//! - Bodies are branch-free: `if a { x } else { y }` on two computed values becomes a select.

#[cfg(target_arch = "x86_64")]
use std::sync::atomic::{AtomicU8, Ordering};

/// A loop to be compiled for every instruction set; see the module's notes on what vectorises.
pub(crate) trait Kernel {
    /// What the loop returns.
    type Output;

    /// Runs the loop. Implementers mark this `#[inline(always)]`.
    fn run(self) -> Self::Output;
}

/// The instruction sets a kernel is compiled for, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    /// What the crate was compiled for.
    Baseline = 1,
    /// 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2 = 2,
    /// 512-bit vectors with mask registers.
    #[cfg(target_arch = "x86_64")]
    Avx512 = 3,
}

/// The level chosen for this process; 0 until the first use.
#[cfg(target_arch = "x86_64")]
static LEVEL: AtomicU8 = AtomicU8::new(0);

impl Level {
    /// The best level of this CPU, detected once.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(crate) fn best() -> Level {
        match LEVEL.load(Ordering::Relaxed) {
            3 => Level::Avx512,
            2 => Level::Avx2,
            1 => Level::Baseline,
            _ => Level::detect(),
        }
    }

    /// The best level of this CPU.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    pub(crate) fn best() -> Level {
        Level::Baseline
    }

    /// Asks the CPU. Two threads that get here at once store the same answer.
    #[cfg(target_arch = "x86_64")]
    #[cold]
    fn detect() -> Level {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        let avx512 = avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd");
        let level = match (avx512, avx2) {
            (true, _) => Level::Avx512,
            (false, true) => Level::Avx2,
            (false, false) => Level::Baseline,
        };
        LEVEL.store(level as u8, Ordering::Relaxed);
        level
    }
}

/// Runs `kernel` compiled for the best instruction set of this CPU.
#[inline]
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    match Level::best() {
        // SAFETY: `best` answers `Avx512` only after detecting every feature `run_avx512` enables.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { run_avx512(kernel) },
        // SAFETY: `best` answers `Avx2` only after detecting every feature `run_avx2` enables.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { run_avx2(kernel) },
        Level::Baseline => run_baseline(kernel),
    }
}

/// Old processors only come here: out of the way of those who do not.
#[cfg_attr(target_arch = "x86_64", cold, inline(never))]
fn run_baseline<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512cd,avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

/// Runs one kernel at every level this CPU has, worst first.
#[cfg(test)]
pub(crate) fn at_every_level<K: Kernel>(mut make: impl FnMut() -> K) -> Vec<(Level, K::Output)> {
    let mut outputs = vec![(Level::Baseline, make().run())];
    #[cfg(target_arch = "x86_64")]
    {
        if Level::best() >= Level::Avx2 {
            // SAFETY: the best level includes the features of every level below it.
            outputs.push((Level::Avx2, unsafe { run_avx2(make()) }));
        }
        if Level::best() >= Level::Avx512 {
            // SAFETY: as above.
            outputs.push((Level::Avx512, unsafe { run_avx512(make()) }));
        }
    }
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a[i] * b[i] + c` in one rounding.
    struct Fma<'a> {
        a: &'a [f64],
        b: &'a [f64],
        c: f64,
    }

    impl Kernel for Fma<'_> {
        type Output = Vec<f64>;

        #[inline(always)]
        fn run(self) -> Vec<f64> {
            let mut out = vec![0.0; self.a.len()];
            for ((out, &a), &b) in out.iter_mut().zip(self.a).zip(self.b) {
                *out = a.mul_add(b, self.c);
            }
            out
        }
    }

    #[test]
    fn every_level_gives_the_same_bits() {
        // (1 + e)(1 - e) - 1 = -e^2 exactly when fused and 0 when the product is rounded first.
        let eps: Vec<f64> = (0..37).map(|i| f64::EPSILON * f64::from(i + 1)).collect();
        let a: Vec<f64> = eps.iter().map(|e| 1.0 + e).collect();
        let b: Vec<f64> = eps.iter().map(|e| 1.0 - e).collect();
        let expected: Vec<f64> = eps.iter().map(|e| -e * e).collect();
        for (level, out) in at_every_level(|| Fma { a: &a, b: &b, c: -1.0 }) {
            assert_eq!(out, expected, "{level:?}");
        }
        assert_eq!(dispatch(Fma { a: &a, b: &b, c: -1.0 }), expected);
    }

    #[test]
    fn the_level_is_the_one_the_cpu_has_and_stays() {
        let first = Level::best();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            assert!(first < Level::Avx2 || avx2);
            assert!(first < Level::Avx512 || (avx2 && is_x86_feature_detected!("avx512f")));
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                assert!(first > Level::Baseline);
            }
        }
        assert_eq!(Level::best(), first);
    }
}
