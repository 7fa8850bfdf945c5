use super::{cholesky, eigen, lu, qr, svd};
use crate::kernel::factor::triangular::Triangle;
use crate::kernel::factor::{Block, triangular};

/// Sizes around those at which the kernels change their ways.
const SIZES: [usize; 9] = [1, 2, 7, 16, 31, 33, 64, 97, 161];

fn random(rows: usize, columns: usize) -> Vec<f64> {
    let mut state = 12345u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    (0..rows * columns).map(|_| next()).collect()
}

/// `a[m, k] @ b[k, n]` by three loops.
fn product(a: &[f64], b: &[f64], [m, k, n]: [usize; 3]) -> Vec<f64> {
    (0..m * n).map(|i| (0..k).map(|l| a[i / n * k + l] * b[l * n + i % n]).sum()).collect()
}

fn transposed(a: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..rows * columns).map(|i| a[i % rows * columns + i / rows]).collect()
}

fn identity(n: usize) -> Vec<f64> {
    (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect()
}

#[track_caller]
fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance, "differ by {worst:e}");
}

/// A random symmetric matrix, positive definite by its diagonal.
fn positive(n: usize) -> Vec<f64> {
    let a = random(n, n);
    (0..n * n).map(|i| a[i] + a[i % n * n + i / n] + if i % (n + 1) == 0 { n as f64 } else { 0.0 }).collect()
}

#[test]
fn cholesky_factors_multiply_to_the_matrix_and_read_its_lower_triangle() {
    for n in SIZES {
        let a = positive(n);
        let mut l = a.clone();
        for i in 0..n {
            l[i * n + i + 1..(i + 1) * n].fill(f64::NAN);
        }
        cholesky::factor(&mut l, n, true).unwrap();
        assert!((0..n * n).all(|i| i % n <= i / n || l[i] == 0.0));
        close(&product(&l, &transposed(&l, n, n), [n, n, n]), &a, 1e-14 * n as f64);
    }
}

#[test]
fn cholesky_names_the_minor_that_is_not_positive() {
    for (n, bad) in [(1, 0), (5, 3), (40, 35), (100, 70), (161, 160)] {
        for value in [0.0, -1.0, f64::NAN] {
            let mut a = positive(n);
            a[bad * (n + 1)] = value;
            assert_eq!(cholesky::factor(&mut a, n, false), Err(bad + 1));
        }
    }
}

#[test]
fn lu_factors_solve_both_systems() {
    for n in SIZES {
        let (a, b) = (random(n, n), random(n, 3));
        let mut factors = a.clone();
        let pivots = lu::factor(&mut factors, n, true);
        assert_eq!(pivots.zero, None);
        // Partial pivoting: no multiplier exceeds one.
        assert!((0..n * n).all(|i| i % n >= i / n || factors[i].abs() <= 1.0));
        for (transpose, matrix) in [(false, a.clone()), (true, transposed(&a, n, n))] {
            let mut x = b.clone();
            lu::solve_factored(&factors, &pivots, transpose, &mut x, 3, true);
            let size = x.iter().fold(1.0, |max: f64, x| max.max(x.abs()));
            close(&product(&matrix, &x, [n, n, 3]), &b, 1e-14 * n as f64 * size);
        }
    }
}

#[test]
fn lu_counts_the_zero_on_the_diagonal_from_one() {
    for (n, rank) in [(2, 1), (20, 12), (50, 40)] {
        let mut a = vec![0.0; n * n];
        (0..rank).for_each(|i| a[i * n + (i + 1) % n] = 2.0);
        let zero = lu::factor(&mut a, n, false).zero;
        assert_eq!(zero, Some(1), "the first column is empty");
        let mut a = identity(n);
        a[rank * (n + 1)] = 0.0;
        assert_eq!(lu::factor(&mut a, n, false).zero, Some(rank + 1));
    }
}

#[test]
fn triangles_are_solved_from_either_end_without_a_look_at_the_rest() {
    for n in SIZES {
        for columns in [1, 5, 40] {
            for (upper, unit) in [(false, false), (true, false), (false, true), (true, true)] {
                let inside = |i: usize| if upper { i % n >= i / n } else { i % n <= i / n };
                let on = |i: usize| i.is_multiple_of(n + 1);
                let seen = |i: usize, x: f64| if on(i) { if unit { 1.0 } else { 2.0 + x } } else { x / n as f64 };
                let stored: Vec<f64> = (0..n * n).zip(random(n, n)).map(|(i, x)| seen(i, x)).collect();
                let matrix: Vec<f64> = (0..n * n).map(|i| if inside(i) { stored[i] } else { 0.0 }).collect();
                let hidden = |i: usize| !inside(i) || (unit && on(i));
                let stored: Vec<f64> = (0..n * n).map(|i| if hidden(i) { f64::NAN } else { stored[i] }).collect();
                let (b, mut x) = (random(n, columns), random(n, columns));
                let triangle = Triangle { block: Block::rows(&stored, n), upper, unit };
                triangular::solve(triangle, n, &mut x, columns, columns, true);
                close(&product(&matrix, &x, [n, n, columns]), &b, 1e-13);
                let mut x = b.clone();
                triangular::solve(triangle.transposed(), n, &mut x, columns, columns, false);
                close(&product(&transposed(&matrix, n, n), &x, [n, n, columns]), &b, 1e-13);
            }
        }
    }
}

/// Matrices that are hard on some algorithm: repeated and vanishing values, noise that decays to nothing, grading.
fn hard(n: usize) -> Vec<Vec<f64>> {
    let graded = |i: usize| 10f64.powi(-((i / n + i % n) as i32));
    let rank_two: Vec<f64> = product(&random(n, 2), &random(2, n), [n, 2, n]);
    vec![
        random(n, n),
        identity(n),
        vec![0.0; n * n],
        vec![1.0; n * n],
        rank_two,
        (0..n * n).zip(random(n, n)).map(|(i, x)| x * graded(i)).collect(),
        (0..n * n).map(|i| if i % n == i / n + 1 { 1.0 } else { 0.0 }).collect(),
        (0..n * n).map(|i| if i % n >= i / n { 1.0 } else { 0.0 }).collect(),
        (0..n * n).map(|i| 1.0 / (1 + i / n + i % n) as f64).collect(),
    ]
}

#[test]
fn eigenvectors_are_orthogonal_and_give_the_matrix_back() {
    for n in [1, 2, 3, 8, 33, 70] {
        for (number, a) in hard(n).into_iter().enumerate() {
            let a: Vec<f64> = (0..n * n).map(|i| a[i] + a[i % n * n + i / n]).collect();
            let (mut values, mut v) = (vec![0.0; n], vec![0.0; n * n]);
            eigen::symmetric(&mut a.clone(), n, &mut values, Some(&mut v)).unwrap();
            assert!(values.is_sorted(), "{number}");
            let vt = transposed(&v, n, n);
            close(&product(&vt, &v, [n, n, n]), &identity(n), 2e-15 * (5 + n) as f64);
            let scaled: Vec<f64> = v.iter().enumerate().map(|(i, v)| v * values[i % n]).collect();
            close(&product(&scaled, &vt, [n, n, n]), &a, 2e-15 * (5 + n) as f64 * svd::largest(&values));
            let mut alone = vec![0.0; n];
            eigen::symmetric(&mut a.clone(), n, &mut alone, None).unwrap();
            assert_eq!(alone, values);
        }
    }
}

#[test]
fn singular_vectors_are_orthogonal_and_give_the_matrix_back() {
    for (m, n) in [(1, 1), (2, 2), (3, 3), (8, 8), (33, 33), (70, 70), (5, 3), (40, 7)] {
        for a in hard(m) {
            let a: Vec<f64> = a.chunks(m).flat_map(|row| &row[..n]).copied().collect();
            let (mut s, mut u, mut vh) = (vec![0.0; n], vec![0.0; m * m], vec![0.0; n * n]);
            svd::decompose(&mut a.clone(), m, n, &mut s, Some((&mut u, &mut vh))).unwrap();
            assert!(s.is_sorted_by(|a, b| a >= b) && s[n - 1] >= 0.0);
            close(&product(&transposed(&u, m, m), &u, [m, m, m]), &identity(m), 2e-15 * (5 + m) as f64);
            close(&product(&transposed(&vh, n, n), &vh, [n, n, n]), &identity(n), 2e-15 * (5 + n) as f64);
            let scaled: Vec<f64> = (0..m * n).map(|i| u[i / n * m + i % n] * s[i % n]).collect();
            close(&product(&scaled, &vh, [m, n, n]), &a, 2e-15 * (5 + m) as f64 * s[0]);
        }
    }
}

#[test]
fn scales_near_the_ends_of_the_range_change_nothing_but_the_scale() {
    let a = random(5, 5);
    let spectrum = |scale: f64| {
        let scaled: Vec<f64> = a.iter().map(|x| x * scale).collect();
        let (mut s, mut values) = (vec![0.0; 5], vec![0.0; 5]);
        svd::decompose(&mut scaled.clone(), 5, 5, &mut s, None).unwrap();
        eigen::symmetric(&mut scaled.clone(), 5, &mut values, None).unwrap();
        [s, values].concat()
    };
    for scale in [2f64.powi(1000), 2f64.powi(-1000)] {
        let unscaled: Vec<f64> = spectrum(scale).iter().map(|x| x / scale).collect();
        assert_eq!(unscaled, spectrum(1.0));
    }
}

#[test]
fn what_is_not_finite_ends_at_once() {
    for value in [f64::NAN, f64::INFINITY] {
        let mut a = random(6, 6);
        a[8] = value;
        a[13] = value;
        assert_eq!(svd::decompose(&mut a.clone(), 6, 6, &mut [0.0; 6], None), Err(()));
        assert_eq!(eigen::symmetric(&mut a.clone(), 6, &mut [0.0; 6], None), Err(0));
        let mut r = vec![0.0; 36];
        qr::factor(&mut a, 6, 6, &mut r);
        assert!(r.iter().any(|x| x.is_nan()));
    }
}

#[test]
fn qr_is_orthogonal_and_triangular() {
    for (m, n) in [(1, 1), (2, 2), (33, 33), (70, 70), (100, 1), (90, 40), (40, 33)] {
        for a in hard(m) {
            let a: Vec<f64> = a.chunks(m).flat_map(|row| &row[..n]).copied().collect();
            let (mut q, mut r) = (a.clone(), vec![f64::NAN; n * n]);
            qr::factor(&mut q, m, n, &mut r);
            assert!((0..n * n).all(|i| i % n >= i / n || r[i] == 0.0));
            close(&product(&transposed(&q, m, n), &q, [n, m, n]), &identity(n), 1e-15 * (5 + m) as f64);
            close(&product(&q, &r, [m, n, n]), &a, 1e-15 * (5 + m) as f64 * svd::largest(&r).max(1e-300));
        }
    }
}

#[test]
fn values_of_subnormal_matrices_are_found() {
    // [[2, 1], [1, 3]] has the eigenvalues (5 -+ sqrt(5)) / 2.
    let expected = [1.381966011250105, 3.618033988749895];
    let matrix = [2.0, 1.0, 1.0, 3.0].map(|x| x * 1e-310);
    let (mut eigen, mut singular) = ([0.0; 2], [0.0; 2]);
    eigen::symmetric(&mut matrix.clone(), 2, &mut eigen, None).unwrap();
    svd::decompose(&mut matrix.clone(), 2, 2, &mut singular, None).unwrap();
    for (found, expected) in eigen.iter().zip(expected).chain(singular.iter().rev().zip(expected)) {
        assert!((found * 1e300 * 1e10 - expected).abs() < 1e-12, "{found:e}");
    }
}
