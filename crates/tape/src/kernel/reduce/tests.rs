use super::*;
use crate::Element;

/// Small integers and a few signs: sums and products of them are exact in any order.
fn exact(len: usize, seed: usize) -> Vec<f64> {
    (0..len).map(|i| (((i + seed) * 7919) % 13) as f64 - 6.0).collect()
}

/// Values in (-1, 1) that round in every sum.
fn noisy(len: usize) -> Vec<f32> {
    let mut state = 12345u64;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 40) as f32) / 8_388_608.0 - 1.0
        })
        .collect()
}

/// The elements of every result in logical order, results in row-major order.
fn groups<T: Copy>(x: Strided<'_, T>, reduced: &[bool]) -> Vec<Vec<T>> {
    let kept: Vec<usize> = (0..reduced.len()).filter(|&d| !reduced[d]).collect();
    let results: usize = kept.iter().map(|&d| x.shape[d]).product();
    let mut groups = vec![Vec::new(); results];
    for flat in 0..x.numel() {
        let (mut rest, mut at) = (flat, vec![0; reduced.len()]);
        for d in (0..reduced.len()).rev() {
            at[d] = rest % x.shape[d];
            rest /= x.shape[d];
        }
        let group = kept.iter().fold(0, |g, &d| g * x.shape[d] + at[d]);
        let element: usize = at.iter().zip(x.strides).map(|(i, s)| i * s).sum();
        groups[group].push(x.data[element]);
    }
    groups
}

fn run<C: Combine>(x: Strided<'_, C::In>, reduced: &[bool]) -> Vec<C::Out> {
    let mut out = vec![C::START; groups(x, reduced).len()];
    // A result that is not written is a wrong one.
    out.iter_mut().for_each(|out| *out = C::step(*out, C::In::from_i64(1)));
    reduce::<C>(x, reduced, &mut out);
    out
}

/// Shapes and strides: dense, permuted, sliced, broadcast, wide and thin, with and without a tail.
fn layouts() -> Vec<(Vec<usize>, Vec<usize>)> {
    vec![
        (vec![], vec![]),
        (vec![1], vec![1]),
        (vec![7], vec![1]),
        (vec![1000], vec![3]),
        (vec![20000], vec![1]),
        (vec![300, 10], vec![10, 1]),
        (vec![10, 300], vec![1, 10]),
        (vec![17, 300], vec![300, 1]),
        (vec![300, 17], vec![1, 300]),
        (vec![5, 9, 8], vec![72, 8, 1]),
        (vec![9, 8, 5], vec![8, 1, 72]),
        (vec![5, 9, 8], vec![160, 16, 2]),
        (vec![6, 40, 7], vec![0, 7, 1]),
        (vec![6, 40, 7], vec![40, 1, 0]),
        (vec![3, 1, 4, 5], vec![20, 999, 5, 1]),
        (vec![2, 3, 70, 3], vec![1000, 300, 3, 1]),
        (vec![1500, 2, 2], vec![4, 2, 1]),
    ]
}

fn for_every_layout(mut check: impl FnMut(&[usize], &[usize], &[bool], usize)) {
    for (shape, strides) in layouts() {
        let extent = 1 + shape.iter().zip(&strides).map(|(n, s)| (n - 1) * s).sum::<usize>();
        for mask in 0..1usize << shape.len() {
            let reduced: Vec<bool> = (0..shape.len()).map(|d| mask >> d & 1 == 1).collect();
            check(&shape, &strides, &reduced, extent);
        }
    }
}

#[test]
fn every_reduction_agrees_with_a_loop_over_every_layout() {
    for_every_layout(|shape, strides, reduced, extent| {
        let data = exact(extent, shape.len());
        let x = Strided { data: &data, shape, strides };
        let groups = groups(x, reduced);
        let expect = |f: fn(&[f64]) -> f64| groups.iter().map(|g| f(g)).collect::<Vec<f64>>();
        let case = format!("{shape:?} {strides:?} {reduced:?}");
        assert_eq!(run::<Sum<f64>>(x, reduced), expect(|g| g.iter().sum()), "{case}");
        let squares = expect(|g| g.iter().map(|v| v * v).sum());
        assert_eq!(run::<SumSquares<f64>>(x, reduced), squares, "{case}");
        assert_eq!(run::<Max<f64>>(x, reduced), expect(|g| g.iter().copied().fold(-9.0, f64::max)), "{case}");
        assert_eq!(run::<Min<f64>>(x, reduced), expect(|g| g.iter().copied().fold(9.0, f64::min)), "{case}");
        let nonzero = groups.iter().map(|g| g.iter().filter(|&&v| v != 0.0).count() as i64);
        assert_eq!(run::<CountNonzero<f64>>(x, reduced), nonzero.collect::<Vec<_>>(), "{case}");

        let data: Vec<bool> = data.iter().map(|&v| v > -5.0).collect();
        let x = Strided { data: &data, shape, strides };
        let groups = self::groups(x, reduced);
        let any: Vec<bool> = groups.iter().map(|g| g.contains(&true)).collect();
        let all: Vec<bool> = groups.iter().map(|g| !g.contains(&false)).collect();
        assert_eq!(run::<Any<bool>>(x, reduced), any, "{case}");
        assert_eq!(run::<All<bool>>(x, reduced), all, "{case}");
    });
}

#[test]
fn integers_wrap_and_products_are_exact() {
    for_every_layout(|shape, strides, reduced, extent| {
        let data: Vec<i64> = (0..extent as i64).map(|i| (i - 3).wrapping_mul(0x1234_5678_9abc_def1)).collect();
        let x = Strided { data: &data, shape, strides };
        let groups = groups(x, reduced);
        let fold = |f: fn(i64, i64) -> i64, start: i64| -> Vec<i64> {
            groups.iter().map(|g| g.iter().copied().fold(start, f)).collect()
        };
        assert_eq!(run::<Sum<i64>>(x, reduced), fold(i64::wrapping_add, 0));
        assert_eq!(run::<Prod<i64>>(x, reduced), fold(i64::wrapping_mul, 1));
        assert_eq!(run::<Max<i64>>(x, reduced), fold(i64::max, i64::MIN));
        assert_eq!(run::<Min<i64>>(x, reduced), fold(i64::min, i64::MAX));
    });
}

#[test]
fn reductions_of_nothing_are_the_neutral_element() {
    let x = Strided::<f64> { data: &[], shape: &[2, 0, 3], strides: &[0, 3, 1] };
    assert_eq!(run::<Sum<f64>>(x, &[false, true, false]), [0.0; 6]);
    assert_eq!(run::<Prod<f64>>(x, &[true, true, true]), [1.0]);
    assert_eq!(run::<Sum<f64>>(x, &[true, false, true]), [0.0; 0]);
    assert!(reduce_all::<All<f64>>(x) && !reduce_all::<Any<f64>>(x));
    assert_eq!(reduce_all::<Max<f64>>(x), f64::NEG_INFINITY);
}

#[test]
fn a_nan_anywhere_is_the_extreme_value() {
    for len in [1, 5, 64, 100, 9000] {
        for at in [0, len / 2, len - 1] {
            let mut data = exact(len, 0);
            data[at] = f64::NAN;
            for shape in [[1, len], [len, 1]] {
                let x = Strided { data: &data, shape: &shape, strides: &[shape[1], 1] };
                assert!(reduce_all::<Max<f64>>(x).is_nan() && reduce_all::<Min<f64>>(x).is_nan());
            }
        }
    }
}

#[test]
fn single_precision_sums_are_as_accurate_as_pairwise_summation() {
    let n = 3_000_017;
    let data = noisy(n);
    let exact: f64 = data.iter().map(|&v| f64::from(v)).sum();
    let magnitude: f64 = data.iter().map(|&v| f64::from(v).abs()).sum();
    // Leaf lanes of 128 terms and a tree of nine levels above: far below the 3e6 * eps of a plain loop.
    let bound = 16.0 * f64::from(f32::EPSILON) * magnitude.sqrt();
    for strides in [[1, 1], [0, 1]] {
        let x = Strided { data: &data, shape: &[1, n], strides: &strides };
        let sum = f64::from(reduce_all::<Sum<f32>>(x));
        assert!((sum - exact).abs() <= bound, "{sum} against {exact}, bound {bound}");
    }
    let ones = vec![0.1f32; 40_000_000 / 16];
    let x = Strided { data: &ones, shape: &[ones.len() / 4, 4], strides: &[4, 1] };
    let (mut out, exact) = ([0.0; 4], f64::from(0.1f32) * (ones.len() / 4) as f64);
    reduce::<Sum<f32>>(x, &[true, false], &mut out);
    for sum in out {
        assert!((f64::from(sum) / exact - 1.0).abs() < 1e-6, "{sum} against {exact}");
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let data = noisy(1_200_000);
    let cases: [(&[usize], &[usize], &[bool]); 7] = [
        (&[1_200_000], &[1], &[true]),
        (&[1200, 1000], &[1000, 1], &[true, false]),
        (&[1200, 1000], &[1000, 1], &[false, true]),
        (&[1200, 1000], &[1, 1200], &[false, true]),
        (&[120_000, 10], &[10, 1], &[true, false]),
        (&[40, 300, 100], &[30_000, 100, 1], &[false, true, false]),
        (&[40, 300, 50], &[30_000, 100, 2], &[true, true, true]),
    ];
    for (shape, strides, reduced) in cases {
        let x = Strided { data: &data, shape, strides };
        let results: Vec<Vec<u32>> = [1, 2, 3]
            .into_iter()
            .map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let sums = pool.install(|| run::<Sum<f32>>(x, reduced));
                sums.into_iter().map(f32::to_bits).collect()
            })
            .collect();
        assert_eq!(results[0], results[1], "{shape:?} {reduced:?}");
        assert_eq!(results[0], results[2], "{shape:?} {reduced:?}");
    }
}

/// First preferred element of a line, NaN before everything.
fn first(line: &[f64], better: fn(f64, f64) -> bool) -> (u64, i64) {
    let mut best = 0;
    for (i, &x) in line.iter().enumerate() {
        if better(x, line[best]) || (x.is_nan() && !line[best].is_nan()) {
            best = i;
        }
    }
    (line[best].to_bits(), best as i64)
}

#[test]
fn arg_reductions_find_the_first_of_equals_and_of_nans() {
    for_every_layout(|shape, strides, reduced, extent| {
        let mut marks = reduced.iter().enumerate().filter(|&(_, &reduced)| reduced);
        let (Some((dim, _)), None) = (marks.next(), marks.next()) else { return };
        let mut data = exact(extent, 3);
        data.iter_mut().skip(11).step_by(97).for_each(|v| *v = f64::NAN);
        let x = Strided { data: &data, shape, strides };
        let groups = groups(x, reduced);
        let (mut values, mut indices) = (vec![0.5; groups.len()], vec![-1; groups.len()]);
        arg_reduce::<Largest, f64>(x, dim, &mut values, &mut indices);
        for (i, group) in groups.iter().enumerate() {
            assert_eq!((values[i].to_bits(), indices[i]), first(group, |a, b| a > b), "{shape:?} {dim}");
        }
        arg_reduce::<Smallest, f64>(x, dim, &mut values, &mut indices);
        for (i, group) in groups.iter().enumerate() {
            assert_eq!((values[i].to_bits(), indices[i]), first(group, |a, b| a < b), "{shape:?} {dim}");
        }
    });
}

#[test]
fn long_arg_reductions_agree_with_a_loop() {
    let data: Vec<f64> = noisy(400_000).iter().map(|&v| f64::from(v)).collect();
    for (shape, dim) in [([4000, 100], 0), ([4000, 100], 1), ([1, 400_000], 1), ([400_000, 1], 0)] {
        let x = Strided { data: &data, shape: &shape, strides: &[shape[1], 1] };
        let groups = groups(x, &[dim == 0, dim == 1]);
        let (mut values, mut indices) = (vec![0.0; groups.len()], vec![-1; groups.len()]);
        arg_reduce::<Largest, f64>(x, dim, &mut values, &mut indices);
        for (i, group) in groups.iter().enumerate() {
            assert_eq!((values[i].to_bits(), indices[i]), first(group, |a, b| a > b), "{shape:?} {dim} {i}");
        }
    }
}

#[test]
#[should_panic(expected = "allocate one per result")]
fn an_output_of_the_wrong_length_is_refused() {
    let x = Strided { data: &[1.0, 2.0], shape: &[2], strides: &[1] };
    reduce::<Sum<f64>>(x, &[true], &mut [0.0, 0.0]);
}
