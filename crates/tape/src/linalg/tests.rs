//! Values and gradients against torch 2.8, and what happens at special points.

use super::*;
use crate::op::spread;
use crate::{DType, Tensor};

/// Well conditioned square matrices with distinct eigenvalues and singular values.
pub(crate) fn regular(shape: &[usize]) -> Tensor {
    let n = shape[shape.len() - 1];
    let diagonal = |i: usize| if i % (n + 1) == 0 { 1.0 + (i / n) as f64 * 0.7 } else { 0.0 };
    spread(shape, -0.5, 0.5) + Tensor::from_vec((0..n * n).map(diagonal).collect::<Vec<f64>>(), [n, n])
}

/// An `n x n` matrix of the given rank.
pub(crate) fn deficient(n: usize, rank: usize) -> Tensor {
    spread(&[n, rank], -1.0, 1.0).matmul(&spread(&[rank, n + 1], -1.0, 1.1).slice(1, ..n as isize, 1))
}

fn matrix() -> Tensor {
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

/// Value and gradient in `f64`, and roughly in `f32`.
#[track_caller]
fn check(at: &Tensor, f: impl Fn(&Tensor) -> Tensor, value: f64, gradient: &[f64]) {
    let x = at.copy().requires_grad_(true);
    let y = f(&x);
    close(&y, &[value], 1e-13);
    y.backward().unwrap();
    close(&x.grad().unwrap(), gradient, 1e-12);
}

#[test]
#[expect(clippy::excessive_precision, reason = "as torch prints them")]
fn values_and_gradients_are_those_of_torch() {
    let (a, tall) = (matrix(), matrix().i((.., ..2)));
    let pd = a.matmul(&a.t());
    check(
        &pd,
        |x| (cholesky(x).unwrap() * weights()).sum(),
        8.03155029368204,
        &[
            0.307275010566417,
            0.1455764220516329,
            -0.09212237231296397,
            0.1455764220516329,
            0.04827329372600089,
            -0.5966382330169456,
            -0.09212237231296394,
            -0.5966382330169456,
            0.17412755160940338,
        ],
    );
    check(
        &a,
        |x| (solve(x, &weights()).unwrap() * weights().t()).sum(),
        -3.9452722063037258,
        &[
            -0.08229215414213908,
            -0.7757818080311326,
            -0.5075907970104242,
            2.285087971363125,
            1.0982805286218231,
            -1.0259302742451486,
            -0.9763384537072766,
            0.9393669455368455,
            0.37912113474711495,
        ],
    );
    check(
        &a,
        |x| (inv(x).unwrap() * weights()).sum(),
        2.331805157593123,
        &[
            -0.5679110461599932,
            -0.636973423863515,
            -0.036495595274258746,
            -0.20838362027679033,
            -0.9574907704643913,
            -0.40140885542811633,
            0.1448510274956692,
            0.2192647569943323,
            -0.2765001929376606,
        ],
    );
    check(
        &a,
        det,
        10.47,
        &[4.78, -1.6, -1.38, 3.2, 5.500000000000001, -1.7999999999999998, -0.05000000000000001, 1.55, 3.3],
    );
    check(
        &a,
        logdet,
        2.348514024882445,
        &[
            0.4565425023877746,
            -0.1528175740210124,
            -0.1318051575931232,
            0.30563514804202485,
            0.5253104106972302,
            -0.17191977077363896,
            -0.004775549188156643,
            0.14804202483285575,
            0.3151862464183381,
        ],
    );
    check(
        &pd,
        |x| {
            let (values, v) = eigh(x).unwrap();
            (values * weights().select(0, 0)).sum() + (v.abs() * weights()).sum()
        },
        49.03484939397515,
        &[
            1.7831700349099577,
            -0.6617739596733513,
            0.457402762931183,
            -0.6617739596733514,
            1.4448694401509279,
            -0.011720456095362375,
            0.457402762931183,
            -0.011720456095362375,
            2.771960524939115,
        ],
    );
    check(
        &a,
        |x| {
            let (u, s, vh) = svd(x, false).unwrap();
            (s * weights().select(0, 0)).sum() + (u.abs() * weights()).sum() + (vh.abs() * weights().t()).sum()
        },
        22.127698433540736,
        &[
            -0.39300933922188974,
            0.3505715012784525,
            -0.7903261131629243,
            1.6524959218804298,
            3.6539415368627166,
            0.7021686273609603,
            0.23293281876832764,
            2.5890191386018926,
            2.2595376249843464,
        ],
    );
    check(
        &tall,
        |x| {
            let (u, s, vh) = svd(x, false).unwrap();
            (s * weights().i((0, ..2))).sum()
                + (u.abs() * weights().i((.., ..2))).sum()
                + (vh.abs() * weights().i((..2, ..2))).sum()
        },
        8.000859236330975,
        &[
            1.0410821727859132,
            -0.09067539600503088,
            0.9190856818133871,
            2.298838907807557,
            0.00044065333374213034,
            -0.38287531696654564,
        ],
    );
    check(
        &tall,
        |x| {
            let (q, r) = qr(x);
            (q * weights().i((.., ..2))).sum() + (r * weights().i((..2, ..2))).sum()
        },
        -2.30653723279843,
        &[
            -0.6337924206493997,
            -2.1160691176620183,
            -0.8901344307602339,
            -1.3565376384661243,
            -0.721477664008826,
            0.12689385779248222,
        ],
    );
    check(
        &a.i(..2),
        |x| {
            let (q, r) = qr(x);
            (q * weights().i((..2, ..2))).sum() + (r * weights().i(..2)).sum()
        },
        -3.021200558012648,
        &[
            -0.821917334349037,
            -2.0520429322017177,
            -3.263489964465382,
            -1.2618005763919835,
            0.19778727057365952,
            1.5328513469458611,
        ],
    );
    check(
        &tall,
        |x| (pinv(x).unwrap() * weights().i(..2)).sum(),
        2.2406825325550077,
        &[
            -0.5986716010061984,
            -0.5823100002708596,
            -0.5247961382354396,
            -0.9430532617109413,
            -0.06566399752879803,
            0.030083501880924568,
        ],
    );
    check(
        &a,
        |x| (matrix_exp(x) * weights()).sum(),
        52.420247037372285,
        &[
            22.67283053404753,
            -8.07773498090085,
            59.008252722083164,
            -4.1023908317739775,
            -6.176024885745219,
            2.5455996255997624,
            30.75392902079584,
            -21.302037244702532,
            35.92344138907014,
        ],
    );
    check(
        &tall,
        |x| (lstsq(x, &weights()).unwrap() * weights().i(..2)).sum(),
        7.534912438257748,
        &[
            -0.8775449689319776,
            0.759293232392743,
            -1.674517210538879,
            -0.04747309001856226,
            -3.6490434485927143,
            -1.9948025530470983,
        ],
    );
    check(
        &a,
        |x| cond(x).unwrap(),
        2.2804277012063388,
        &[
            -0.29162714436234066,
            -0.4155315749096687,
            0.45417881605748356,
            -1.0262524394755073,
            -0.8474785012501109,
            0.3526314015749208,
            0.3106592960508295,
            -0.0381810962362179,
            0.49039397101673016,
        ],
    );
    check(
        &a,
        |x| matrix_norm(x, MatrixNorm::Fro),
        4.2708313008125245,
        &[
            0.468292905790847,
            -0.2341464528954235,
            0.11707322644771175,
            0.07024393586862704,
            0.35121967934313525,
            -0.16390251702679642,
            0.2341464528954235,
            0.0936585811581694,
            0.7024393586862705,
        ],
    );
    check(
        &a,
        |x| matrix_norm(x, MatrixNorm::Nuc),
        6.970771553864322,
        &[
            0.9119751359508448,
            -0.4058454319599068,
            -0.05992359105323458,
            0.36910658504258653,
            0.8754763992228134,
            -0.3119317285594031,
            0.1790577568429778,
            0.2623557885031957,
            0.9482129296488354,
        ],
    );
    check(&a, |x| matrix_norm(x, MatrixNorm::One), 4.2, &[0.0, -0.0, 1.0, 0.0, 0.0, -1.0, 0.0, 0.0, 1.0]);
    check(&a, |x| matrix_norm(x, MatrixNorm::NegOne), 2.9, &[0.0, -1.0, 0.0, 0.0, 1.0, -0.0, 0.0, 1.0, 0.0]);
    check(
        &a,
        |x| matrix_norm(x, MatrixNorm::Two),
        3.456899639695645,
        &[
            0.21751131896661433,
            -0.04486706049967259,
            0.38009611310262476,
            -0.08704977811778644,
            0.017956158235118227,
            -0.15211751952134084,
            0.43501527566183196,
            -0.08973260234975149,
            0.7601793608024062,
        ],
    );
    check(
        &a,
        |x| matrix_norm(x, MatrixNorm::NegTwo),
        1.5158996875309645,
        &[
            0.28923908248970737,
            0.2565471046311449,
            -0.1352349000492139,
            0.6440221601562357,
            0.5712299288332073,
            -0.3011151595023699,
            -0.015748385327547052,
            -0.01396838429862455,
            0.007363221101986171,
        ],
    );
    check(&a, |x| matrix_norm(x, MatrixNorm::Inf), 4.4, &[0.0, -0.0, 0.0, 0.0, 0.0, -0.0, 1.0, 1.0, 1.0]);
    check(&a, |x| matrix_norm(x, MatrixNorm::NegInf), 2.5, &[0.0, -0.0, 0.0, 1.0, 1.0, -1.0, 0.0, 0.0, 0.0]);
    check(&Tensor::zeros([2, 2], DType::F64), |x| matrix_norm(x, MatrixNorm::Fro), 0.0, &[0.0, 0.0, 0.0, 0.0]);
    check(&Tensor::from([[2.0, 0.0], [0.0, 0.0]]), |x| matrix_norm(x, MatrixNorm::Nuc), 2.0, &[1.0, 0.0, 0.0, 1.0]);
}

#[test]
fn qr_has_the_signs_of_lapack() {
    // torch 2.8: the last reflection of a square matrix acts on one element and leaves it alone.
    close(&qr(&Tensor::from([[1.0, 2.0], [0.0, -3.0]])).1, &[1.0, 2.0, 0.0, -3.0], 0.0);
    let (q, r) = qr(&Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]));
    close(&r.diagonal(0, -2, -1), &[-5.916_079_783_099_616, 0.632_455_532_033_675_9], 1e-14);
    close(&q.select(1, 0), &[-0.169_030_850_945_703_3, -0.507_092_552_837_11, -0.845_154_254_728_516_6], 1e-14);
    let (q, r) = qr(&matrix());
    close(&r.diagonal(0, -2, -1), &[-2.256_102_834_535_695, -1.774_873_746_858_858, 2.614_690_716_658_639_9], 1e-14);
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
    close(&gradient(&|x| (pinv(x).unwrap() * &w).sum()), &[-1.0, -3.0, -2.0, -4.0], 1e-15);
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
        [1.065_776_912_254_400_9e6, 5.339_521_099_694_537_6e7, 1.067_904_219_938_907_5e7, 5.350_178_868_817_080_8e8];
    close(&exp.select(0, 0), &expected, 1e-13);
    close(&exp.select(0, 1), &[1.0 + 1e-10, 0.0, 0.0, 1.0], 1e-16);
    assert_eq!(matrix_exp(&Tensor::zeros([2, 2], DType::F32)).to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
    assert!(matrix_exp(&Tensor::full([1, 1], 1e300, DType::F64)).item() > 1e300);
}

#[test]
fn single_precision_stays_single_and_is_accurate() {
    let a = matrix().float();
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
