use super::*;

pub(super) fn noisy<T: Float>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            T::from_f64((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        })
        .collect()
}

pub(super) const LENGTHS: [usize; 17] =
    [0, 1, 2, 3, 4, 7, 8, 9, 63, 64, 65, 100, 1025, LEAF, LEAF + 1, 100_003, 300_007];

#[test]
fn tiny_dots_round_every_product_and_add_from_left_to_right() {
    let (x, y) = ([0.1f32, 0.7, -1.3], [3.3f32, -0.9, 0.77]);
    assert_eq!(dot(&x[..1], &y[..1]), 0.1f32 * 3.3);
    assert_eq!(dot(&x[..2], &y[..2]), 0.1f32 * 3.3 + 0.7 * -0.9);
    assert_eq!(dot(&x, &y), (0.1f32 * 3.3 + 0.7 * -0.9) + -1.3 * 0.77);
    // (1 + e)^2 - (1 + 2e) is e^2 with a fused product and 0 with a rounded one.
    let e = f64::EPSILON;
    assert_eq!(dot(&[1.0 + e, 1.0], &[1.0 + e, -(1.0 + 2.0 * e)]), 0.0);
}

#[test]
fn reductions_agree_with_double_precision_loops() {
    for n in LENGTHS {
        let (x, y) = (noisy::<f32>(n, 1), noisy::<f32>(n, 2));
        let products = x.iter().zip(&y).map(|(&x, &y)| f64::from(x) * f64::from(y));
        let bound = f64::from(f32::EPSILON) * (4.0 + (n as f64).sqrt());
        assert!((f64::from(dot(&x, &y)) - products.sum::<f64>()).abs() <= bound, "dot {n}");
        let sum: f64 = x.iter().map(|&x| f64::from(x).abs()).sum();
        assert!((f64::from(sum_abs(&x)) - sum).abs() <= 8.0 * f64::from(f32::EPSILON) * sum, "sum {n}");
        assert_eq!(max_abs(&x), x.iter().fold(0.0, |m, x| x.abs().max(m)), "max {n}");
    }
}

#[test]
fn elementwise_loops_round_once_per_element() {
    for n in LENGTHS {
        let (a, b) = (noisy::<f64>(n, 1), noisy::<f64>(n, 2));
        let expect = |f: fn(f64, f64) -> f64| a.iter().zip(&b).map(|(&a, &b)| f(a, b)).collect::<Vec<f64>>();
        let mut out = b.clone();
        axpy(0.3, &a, &mut out);
        assert_eq!(out, expect(|a, b| 0.3f64.mul_add(a, b)));
        sub(&a, &b, &mut out);
        assert_eq!(out, expect(|a, b| a - b));
        neg(&a, &mut out);
        assert_eq!(out, expect(|a, _| -a));
        scaled(0.7, &a, &mut out);
        assert_eq!(out, expect(|a, _| 0.7 * a));
        out.copy_from_slice(&b);
        scale(-0.7, &mut out);
        assert_eq!(out, expect(|_, b| -0.7 * b));
    }
}

#[test]
fn the_fused_pass_gives_the_bits_of_two_passes() {
    for n in LENGTHS {
        let (x, z, mut fused) = (noisy::<f32>(n, 1), noisy::<f32>(n, 2), noisy::<f32>(n, 3));
        let mut separate = fused.clone();
        let result = axpy_dot(0.37, &x, &mut fused, &z);
        axpy(0.37, &x, &mut separate);
        assert_eq!(fused, separate);
        assert_eq!(result.to_bits(), dot(&z, &separate).to_bits(), "{n}");
    }
}

#[test]
fn non_finite_elements_show_wherever_they_stand() {
    for n in LENGTHS.into_iter().filter(|&n| n > 0) {
        for at in [0, n / 2, n - 1] {
            let mut x = noisy::<f64>(n, 1);
            assert!(all_finite(&x));
            x[at] = f64::NEG_INFINITY;
            assert!(!all_finite(&x) && max_abs(&x) == f64::INFINITY);
            x[at] = f64::NAN;
            assert!(!all_finite(&x) && max_abs(&x).is_nan() && sum_abs(&x).is_nan(), "{at} of {n}");
        }
    }
    assert!(all_finite(&[f64::MAX, f64::MIN_POSITIVE, -0.0]));
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let (x, y) = (noisy::<f32>(1_000_003, 1), noisy::<f32>(1_000_003, 2));
    let results: Vec<[u32; 3]> = [1, 2, 3]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut z = x.clone();
                [dot(&x, &y), sum_abs(&x), axpy_dot(0.1, &y, &mut z, &x)].map(f32::to_bits)
            })
        })
        .collect();
    assert!(results[1] == results[0] && results[2] == results[0], "{results:?}");
}

#[test]
#[should_panic(expected = "dot: slices of different lengths, 2 and 3")]
fn different_lengths_are_refused() {
    dot(&[1.0, 2.0], &[1.0, 2.0, 3.0]);
}
