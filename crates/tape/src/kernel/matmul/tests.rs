use super::*;
use crate::Float;

/// Small integers: products and sums of them are exact in any order and precision.
fn exact<T: Element>(len: usize, seed: i64) -> Vec<T> {
    (0..len as i64).map(|i| T::from_i64((i * 7919 + seed * 31) % 7 - 3)).collect()
}

fn noisy<T: Element>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            T::from_f64((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        })
        .collect()
}

/// The definition, in integers.
fn naive<T: Element>(
    batch: &[usize],
    [m, k, n]: [usize; 3],
    a: &Matrices<'_, T>,
    b: &Matrices<'_, T>,
    start: impl Fn(usize, usize) -> i64,
) -> Vec<T> {
    let mut out = Vec::new();
    for index in 0..batch.iter().product() {
        let (a0, b0) = (offset(index, batch, a.batch_strides), offset(index, batch, b.batch_strides));
        for i in 0..m {
            for j in 0..n {
                let terms = (0..k).map(|l| {
                    let x = a.data[a0 + i * a.strides[0] + l * a.strides[1]].to_i64();
                    x * b.data[b0 + l * b.strides[0] + j * b.strides[1]].to_i64()
                });
                out.push(T::from_i64(start(out.len(), j) + terms.sum::<i64>()));
            }
        }
    }
    out
}

fn check<T: MatMul>(batch: &[usize], size: [usize; 3], a: &Matrices<'_, T>, b: &Matrices<'_, T>) {
    let [m, _, n] = size;
    let len = batch.iter().product::<usize>() * m * n;
    let case = format!("{} {batch:?} {size:?} {:?} {:?}", T::DTYPE, a.strides, b.strides);
    let mut out = vec![T::from_i64(77); len];
    matmul(batch, size, *a, *b, Start::Zero, &mut out);
    assert_eq!(out, naive(batch, size, a, b, |_, _| 0), "{case}");

    let before: Vec<T> = exact(len, 5);
    out.copy_from_slice(&before);
    matmul(batch, size, *a, *b, Start::Accumulate, &mut out);
    assert_eq!(out, naive(batch, size, a, b, |i, _| before[i].to_i64()), "accumulate {case}");

    let bias: Vec<T> = exact(n, 9);
    matmul(batch, size, *a, *b, Start::Bias(&bias), &mut out);
    assert_eq!(out, naive(batch, size, a, b, |_, j| bias[j].to_i64()), "bias {case}");
}

fn check_layouts<T: MatMul>() {
    let sizes = [0, 1, 2, 3, 5, 17, 40];
    let a: Vec<T> = exact(20_000, 1);
    let b: Vec<T> = exact(20_000, 2);
    for m in sizes {
        for k in sizes {
            for n in sizes {
                let left = [[k, 1], [1, m], [2 * k, 2], [0, 1], [k, 0]];
                let right = [[n, 1], [1, k], [2 * n, 2], [0, 1], [1, 0]];
                for (a_strides, b_strides) in left.into_iter().flat_map(|l| right.map(|r| (l, r))) {
                    let a = Matrices { data: &a, batch_strides: &[], strides: a_strides };
                    let b = Matrices { data: &b, batch_strides: &[], strides: b_strides };
                    check(&[], [m, k, n], &a, &b);
                }
            }
        }
    }
}

#[test]
fn f32_products_agree_with_the_definition() {
    check_layouts::<f32>();
}

#[test]
fn f64_products_agree_with_the_definition() {
    check_layouts::<f64>();
}

#[test]
fn i64_products_agree_with_the_definition() {
    check_layouts::<i64>();
}

#[test]
fn batches_broadcast_and_fold() {
    let (a, b) = (exact::<f64>(5000, 1), exact::<f64>(5000, 2));
    for (m, k, n) in [(3, 4, 5), (1, 7, 6), (6, 7, 1), (4, 1, 4), (1, 9, 1)] {
        // A dense batch, one that repeats, one whose rows lie apart, and a transposed one.
        let left: [[usize; 4]; 4] =
            [[3 * m * k, m * k, k, 1], [0, m * k, k, 1], [500, 100, k, 1], [m * k, 2 * m * k, 1, m]];
        let right: [[usize; 4]; 4] = [[3 * k * n, k * n, n, 1], [0, 0, n, 1], [k * n, 0, 1, k], [0, k * n, n, 1]];
        for (l, r) in left.into_iter().flat_map(|l| right.map(|r| (l, r))) {
            let a = Matrices { data: &a, batch_strides: &l[..2], strides: [l[2], l[3]] };
            let b = Matrices { data: &b, batch_strides: &r[..2], strides: [r[2], r[3]] };
            check(&[2, 3], [m, k, n], &a, &b);
            check(&[0, 3], [m, k, n], &a, &b);
        }
    }
}

#[test]
fn large_and_long_products_agree_with_the_definition() {
    for (m, k, n) in [(64, 1797, 10), (10, 1797, 64), (20, 9000, 1), (1, 9000, 20), (1, 600_000, 1), (150, 90, 130)] {
        let (a, b) = (exact::<f32>(m * k, 1), exact::<f32>(k * n, 2));
        for (l, r) in [([k, 1], [n, 1]), ([1, m], [n, 1]), ([k, 1], [1, k]), ([1, m], [1, k])] {
            let a = Matrices { data: &a, batch_strides: &[], strides: l };
            let b = Matrices { data: &b, batch_strides: &[], strides: r };
            check(&[], [m, k, n], &a, &b);
        }
    }
}

fn bits_of<T: MatMul + Float>(batch: usize, [m, k, n]: [usize; 3], transposed: bool, threads: usize) -> Vec<u64> {
    let (a, b) = (noisy::<T>(batch * m * k, 1), noisy::<T>(batch * k * n, 2));
    let mut out = vec![T::ZERO; batch * m * n];
    let (l, r) = if transposed { ([1, m], [1, k]) } else { ([k, 1], [n, 1]) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let a = Matrices { data: &a, batch_strides: &[m * k], strides: l };
        let b = Matrices { data: &b, batch_strides: &[k * n], strides: r };
        matmul(&[batch], [m, k, n], a, b, Start::Zero, &mut out);
    });
    out.into_iter().map(|v| v.to_f64().to_bits()).collect()
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let cases = [
        (1, [300, 310, 290]),
        (1, [64, 1797, 10]),
        (1, [1797, 64, 10]),
        (1, [900, 700, 1]),
        (1, [1, 700, 900]),
        (1, [20, 30_000, 1]),
        (1, [1, 600_000, 1]),
        (1, [20_000, 2, 11]),
        (60, [33, 40, 21]),
        (2000, [3, 3, 3]),
        (3, [170, 180, 190]),
    ];
    for (batch, size) in cases {
        for transposed in [false, true] {
            for threads in [2, 3] {
                let f32 = |threads| bits_of::<f32>(batch, size, transposed, threads);
                assert!(f32(1) == f32(threads), "f32 {batch} x {size:?}, {threads} threads");
                let f64 = |threads| bits_of::<f64>(batch, size, transposed, threads);
                assert!(f64(1) == f64(threads), "f64 {batch} x {size:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn rounding_stays_within_the_bound_of_a_dot_product() {
    for (m, k, n) in [(5, 2000, 7), (40, 300, 50), (1, 5000, 3), (100, 2, 100)] {
        let (a, b) = (noisy::<f32>(m * k, 3), noisy::<f32>(k * n, 4));
        let mut out = vec![0.0; m * n];
        let left = Matrices { data: &a, batch_strides: &[], strides: [k, 1] };
        let right = Matrices { data: &b, batch_strides: &[], strides: [n, 1] };
        matmul(&[], [m, k, n], left, right, Start::Zero, &mut out);
        for i in 0..m {
            for j in 0..n {
                let terms = (0..k).map(|l| f64::from(a[i * k + l]) * f64::from(b[l * n + j]));
                let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
                let error = (f64::from(out[i * n + j]) - sum).abs();
                assert!(error <= f64::from(f32::EPSILON) * size * (k as f64).sqrt(), "{error} of {size}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "left operand of 2 x 3 with strides 3, 1")]
fn a_left_operand_that_is_too_short_is_refused() {
    let a = Matrices { data: &[0.0; 5], batch_strides: &[], strides: [3, 1] };
    let b = Matrices { data: &[0.0; 6], batch_strides: &[], strides: [2, 1] };
    matmul(&[], [2, 3, 2], a, b, Start::Zero, &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "right operand of 3 x 2")]
fn batch_strides_beyond_the_data_are_refused() {
    let a = Matrices { data: &[0.0; 12], batch_strides: &[6], strides: [3, 1] };
    let b = Matrices { data: &[0.0; 11], batch_strides: &[6], strides: [2, 1] };
    matmul(&[2], [2, 3, 2], a, b, Start::Zero, &mut [0.0; 8]);
}

#[test]
#[should_panic(expected = "bias of 3 elements for 2 columns")]
fn a_bias_of_the_wrong_length_is_refused() {
    let a = Matrices { data: &[0.0; 6], batch_strides: &[], strides: [3, 1] };
    let b = Matrices { data: &[0.0; 6], batch_strides: &[], strides: [2, 1] };
    matmul(&[], [2, 3, 2], a, b, Start::Bias(&[0.0; 3]), &mut [0.0; 4]);
}
