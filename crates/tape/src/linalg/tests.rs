//! Values and gradients against torch 2.8, and what happens at special points.

use super::*;
use crate::op::spread;
use crate::{DType, Tensor};

mod golden;

/// Well conditioned square matrices with distinct eigenvalues and singular values.
pub(crate) fn regular(shape: &[usize]) -> Tensor {
    let n = shape[shape.len() - 1];
    let diagonal = |i: usize| if i.is_multiple_of(n + 1) { 1.0 + (i / n) as f64 * 0.7 } else { 0.0 };
    spread(shape, -0.5, 0.5) + Tensor::from_vec((0..n * n).map(diagonal).collect::<Vec<f64>>(), [n, n])
}

/// An `n x n` matrix of the given rank.
pub(crate) fn deficient(n: usize, rank: usize) -> Tensor {
    spread(&[n, rank], -1.0, 1.0).matmul(&spread(&[rank, n + 1], -1.0, 1.1).slice(1, ..n as isize, 1))
}

fn example() -> Tensor {
    Tensor::from([[2.0, -1.0, 0.5], [0.3, 1.5, -0.7], [1.0, 0.4, 3.0]])
}

fn weights() -> Tensor {
    Tensor::from([[1.0, 2.0, 3.0], [-1.0, 0.5, 2.0], [0.7, -2.0, 1.0]])
}

#[track_caller]
fn close(found: &Tensor, expected: &[f64], tolerance: f64) {
    let found = found.double().to_vec::<f64>();
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        let equal = a == b || (a.is_nan() && b.is_nan());
        assert!(equal || (a - b).abs() <= tolerance * (1.0 + b.abs()), "{found:?} {expected:?}");
    }
}

#[test]
fn qr_has_the_signs_of_lapack() {
    // torch 2.8: the last reflection of a square matrix acts on one element and leaves it alone.
    close(&qr(&Tensor::from([[1.0, 2.0], [0.0, -3.0]])).1, &[1.0, 2.0, 0.0, -3.0], 0.0);
    let (q, r) = qr(&Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]));
    close(&r.diagonal(0, -2, -1), &[-5.916_079_783_099_616, 0.632_455_532_033_675_9], 1e-14);
    close(&q.select(1, 0), &[-0.169_030_850_945_703_3, -0.507_092_552_837_11, -0.845_154_254_728_516_6], 1e-14);
    let (q, r) = qr(&example());
    close(&r.diagonal(0, -2, -1), &[-2.256_102_834_535_695, -1.774_873_746_858_858, 2.614_690_716_658_64], 1e-14);
    close(&q.select(0, 0), &[-0.886_484_414_355_872_8, 0.308_829_625_912_800_9, -0.344_629_721_966_468_3], 1e-14);
}

#[test]
fn failures_have_the_texts_of_torch() {
    let begins = |error: crate::Error, text: &str| assert!(error.to_string().starts_with(text), "{error}");
    let (eye, bad) = (Tensor::eye(2, DType::F64), Tensor::from([[1.0, 2.0], [2.0, 1.0]]));
    let minor = "The factorization could not be completed because the input is not positive-definite (the leading minor \
                 of order 2 is not positive-definite).";
    begins(cholesky(&bad).unwrap_err(), &format!("linalg.cholesky: {minor}"));
    let batch = Tensor::stack(&[&eye, &bad], 0);
    begins(cholesky(&batch).unwrap_err(), &format!("linalg.cholesky: (Batch element 1): {minor}"));
    let singular = Tensor::from([[1.0, 2.0], [2.0, 4.0]]);
    let zero = "The diagonal element 2 is zero, the inversion could not be completed because the input matrix is \
                singular.";
    begins(inv(&singular).unwrap_err(), &format!("linalg.inv: {zero}"));
    begins(matrix_power(&singular, -1).unwrap_err(), &format!("linalg.inv: {zero}"));
    let batch = Tensor::stack(&[&eye, &singular], 0);
    begins(inv(&batch).unwrap_err(), &format!("linalg.inv: (Batch element 1): {zero}"));
    let failed = "The solver failed because the input matrix is singular.";
    begins(solve(&singular, &Tensor::ones(2, DType::F64)).unwrap_err(), &format!("torch.linalg.solve: {failed}"));
    let ones = Tensor::ones([2, 2], DType::F64);
    begins(solve(&batch, &ones).unwrap_err(), &format!("torch.linalg.solve: (Batch element 1): {failed}"));
    let nan = Tensor::full([3, 3], f64::NAN, DType::F64);
    let diverged = "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values.";
    begins(svd(&nan, false).unwrap_err(), diverged);
    begins(svdvals(&nan).unwrap_err(), diverged);
    begins(pinv(&nan).unwrap_err(), diverged);
    begins(cond(&nan).unwrap_err(), diverged);
    begins(matrix_rank(&nan).unwrap_err(), diverged);
    begins(lstsq(&nan, &nan).unwrap_err(), diverged);
    begins(eigh(&nan).unwrap_err(), "linalg.eigh: The algorithm failed to converge because the input matrix is ill");
    assert!(cholesky(&nan).is_err());
}

#[test]
fn nan_gives_nan_where_there_is_no_error() {
    let nan = Tensor::full([3, 3], f64::NAN, DType::F64).requires_grad_(true);
    let all_nan = |x: &Tensor| assert!(x.to_vec::<f64>().iter().all(|x| x.is_nan()), "{x}");
    all_nan(&inv(&nan).unwrap());
    all_nan(&solve(&nan, &Tensor::ones(3, DType::F64)).unwrap());
    all_nan(&det(&nan));
    all_nan(&logdet(&nan));
    all_nan(&matrix_exp(&nan));
    all_nan(&qr(&nan).0);
    all_nan(&matrix_norm(&nan, MatrixNorm::Nuc));
    all_nan(&matrix_norm(&nan, MatrixNorm::Two));
    det(&nan).backward().unwrap();
    all_nan(&nan.grad().unwrap());
}

#[test]
fn determinants_of_singular_and_negative_matrices() {
    let singular = Tensor::from([[1.0, 2.0], [2.0, 4.0]]);
    let (sign, log) = slogdet(&singular);
    assert_eq!((sign.item(), log.item()), (0.0, f64::NEG_INFINITY));
    assert_eq!((det(&singular).item(), logdet(&singular).item()), (0.0, f64::NEG_INFINITY));
    let negative = Tensor::from([[1.0, 2.0], [3.0, 4.0]]).requires_grad_(true);
    let log = logdet(&negative);
    assert!(log.item().is_nan());
    log.backward().unwrap();
    close(&negative.grad().unwrap(), &[0.0; 4], 0.0);
    assert_eq!(slogdet(&negative).0.item(), -1.0);
    close(&det(&negative), &[-2.0], 1e-15);
}

#[test]
fn repeated_values_spoil_the_vectors_derivatives_alone() {
    let gradient = |f: &dyn Fn(&Tensor) -> Tensor| {
        let x = Tensor::eye(2, DType::F64).requires_grad_(true);
        f(&x).backward().unwrap();
        x.grad().unwrap()
    };
    let w = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    close(&gradient(&|x| svdvals(x).unwrap().sum()), &[1.0, 0.0, 0.0, 1.0], 0.0);
    close(&gradient(&|x| eigvalsh(x).unwrap().sum()), &[1.0, 0.0, 0.0, 1.0], 0.0);
    // torch 2.8 gives NaN everywhere for both.
    close(&gradient(&|x| (svd(x, false).unwrap().2 * &w).sum()), &[f64::NAN; 4], 0.0);
    close(&gradient(&|x| (eigh(x).unwrap().1 * &w).sum()), &[f64::NAN; 4], 0.0);
    close(&gradient(&|x| (pinv(x).unwrap() * &w).sum()), &[-1.0, -2.0, -3.0, -4.0], 1e-15);
}

#[test]
fn matrices_without_elements() {
    let empty = Tensor::zeros([0, 0], DType::F64);
    assert_eq!((det(&empty).item(), logdet(&empty).item(), slogdet(&empty).0.item()), (1.0, 0.0, 1.0));
    assert_eq!(cholesky(&empty).unwrap().sizes(), [0, 0]);
    assert_eq!(inv(&empty).unwrap().sizes(), [0, 0]);
    assert_eq!(solve(&empty, &Tensor::zeros([0, 3], DType::F64)).unwrap().sizes(), [0, 3]);
    assert_eq!(matrix_exp(&Tensor::zeros([2, 0, 0], DType::F32)).sizes(), [2, 0, 0]);
    assert_eq!((cond(&empty).unwrap().item(), matrix_rank(&empty).unwrap().item()), (0.0, 0.0));
    assert_eq!(matrix_norm(&empty, MatrixNorm::Nuc).item(), 0.0);
    let flat = Tensor::zeros([0, 3], DType::F64);
    assert_eq!(pinv(&flat).unwrap().sizes(), [3, 0]);
    let (u, s, vh) = svd(&flat, true).unwrap();
    assert_eq!((u.sizes(), s.sizes(), vh.sizes()), (&[0, 0][..], &[0][..], &[3, 3][..]));
    close(&vh, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], 0.0);
    assert_eq!(eigh(&Tensor::zeros([0, 2, 2], DType::F64)).unwrap().0.sizes(), [0, 2]);
}

#[test]
fn least_squares_of_deficient_and_wide_matrices_have_the_smallest_norm() {
    // torch 2.8
    let ones = |shape: &[usize]| Tensor::ones(shape, DType::F64);
    close(&lstsq(&Tensor::from([[1.0, 2.0], [2.0, 4.0]]), &ones(&[2, 1])).unwrap(), &[0.12, 0.24], 1e-14);
    close(&lstsq(&ones(&[2, 3]), &ones(&[2, 1])).unwrap(), &[1.0 / 3.0; 3], 1e-14);
    close(&lstsq(&ones(&[3, 2]), &ones(&[3])).unwrap(), &[0.5, 0.5], 1e-14);
}

#[test]
fn exponentials_of_all_sizes() {
    let rotation = matrix_exp(&Tensor::from([[0.0, 100.0], [-100.0, 0.0]]));
    let (sin, cos) = 100f64.sin_cos();
    close(&rotation, &[cos, sin, -sin, cos], 1e-13);
    // torch 2.8, batched with a matrix of another scale.
    let batch = Tensor::from([[[-30.0, 5.0], [1.0, 20.0]], [[1e-10, 0.0], [0.0, 0.0]]]);
    let exp = matrix_exp(&batch);
    let expected =
        [1.065_776_912_254_400_9e6, 5.339_521_099_694_538e7, 1.067_904_219_938_907_5e7, 5.350_178_868_817_081e8];
    close(&exp.select(0, 0), &expected, 1e-13);
    close(&exp.select(0, 1), &[1.0 + 1e-10, 0.0, 0.0, 1.0], 1e-16);
    assert_eq!(matrix_exp(&Tensor::zeros([2, 2], DType::F32)).to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
    assert!(matrix_exp(&Tensor::full([1, 1], 1e300, DType::F64)).item() > 1e300);
}

#[test]
fn single_precision_stays_single_and_is_accurate() {
    let a = example().float();
    let spd = a.matmul(&a.t());
    for (found, expected) in [
        (cholesky(&spd).unwrap(), cholesky(&spd.double()).unwrap()),
        (inv(&a).unwrap(), inv(&a.double()).unwrap()),
        (det(&a), det(&a.double())),
        (svdvals(&a).unwrap(), svdvals(&a.double()).unwrap()),
        (eigvalsh(&spd).unwrap(), eigvalsh(&spd.double()).unwrap()),
        (qr(&a).1, qr(&a.double()).1),
        (matrix_exp(&a), matrix_exp(&a.double())),
        (pinv(&a).unwrap(), pinv(&a.double()).unwrap()),
    ] {
        assert_eq!(found.dtype(), DType::F32);
        close(&found, &expected.to_vec::<f64>(), 1e-6);
    }
}

#[test]
fn batches_are_their_matrices() {
    let a = regular(&[2, 3, 4, 4]);
    let spd = a.matmul(&a.transpose(-1, -2));
    let b = spread(&[3, 4, 2], -1.0, 1.0);
    let x = solve(&a, &b).unwrap();
    assert_eq!(x.sizes(), [2, 3, 4, 2]);
    for (i, j) in [(0, 0), (1, 2)] {
        let one = |t: &Tensor| t.select(0, i).select(0, j);
        let same = |batch: &Tensor, alone: Tensor| close(&one(batch), &alone.to_vec::<f64>(), 1e-15);
        same(&x, solve(&one(&a), &b.select(0, j)).unwrap());
        same(&cholesky(&spd).unwrap(), cholesky(&one(&spd)).unwrap());
        same(&det(&a), det(&one(&a)));
        same(&eigh(&spd).unwrap().1, eigh(&one(&spd)).unwrap().1);
        same(&svd(&a, true).unwrap().2, svd(&one(&a), true).unwrap().2);
        same(&qr(&a).0, qr(&one(&a)).0);
        same(&matrix_exp(&a), matrix_exp(&one(&a)));
        same(&pinv(&a).unwrap(), pinv(&one(&a)).unwrap());
    }
    close(&a.matmul(&x), &b.expand([2, 3, 4, 2]).to_vec::<f64>(), 1e-14);
}

fn panics_with<R>(text: &str, call: impl FnOnce() -> R) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).err().expect("a panic");
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(text), "{message}");
}

#[test]
fn shapes_and_dtypes_that_do_not_fit_are_named() {
    let ones = |shape: &[usize]| Tensor::ones(shape, DType::F64);
    panics_with("linalg.cholesky: A must be batches of square matrices, but they are 2 by 3 matrices", || {
        cholesky(&ones(&[2, 3]))
    });
    panics_with("linalg.svd: The input tensor A must have at least 2 dimensions.", || svd(&ones(&[3]), false));
    panics_with("linalg.solve: Expected a floating point or complex tensor as input. Got int64", || {
        solve(&ones(&[2, 2]).long(), &ones(&[2]).long())
    });
    panics_with("Incompatible shapes of A and B for the equation AX = B (2x2 and 3x1)", || {
        solve(&ones(&[2, 2]), &ones(&[3]))
    });
    panics_with("Incompatible shapes of A and B for the equation XA = B (2x2 and 2x3)", || {
        solve_triangular(&ones(&[2, 2]), &ones(&[2, 3]), true, false, false)
    });
    panics_with("must match the size of tensor b (4) at non-singleton dimension 0", || {
        solve(&ones(&[3, 2, 2]), &ones(&[4, 2, 1]))
    });
    panics_with("same dtype, but found A of type float64 and B of type float32", || {
        solve(&ones(&[2, 2]), &ones(&[2]).float())
    });
}
