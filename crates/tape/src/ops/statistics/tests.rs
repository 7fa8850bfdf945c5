use crate::op::spread;
use crate::{DType, Tensor, grad};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || (a - b).abs() < 1e-14 || (a.is_nan() && b.is_nan()))
}

#[track_caller]
fn check(x: &[f64], f: impl Fn(&Tensor) -> Tensor, value: f64, gradient: &[f64]) {
    let x = Tensor::from(x).requires_grad_(true);
    let y = f(&x);
    y.sum().backward().unwrap();
    let found = x.grad().unwrap().to_vec::<f64>();
    assert!(close(&y.to_vec::<f64>(), &[value]) && close(&found, gradient), "{x}: {y} {found:?}");
}

#[test]
fn variances_are_torchs_at_special_points() {
    check(&[1.0, 2.0], |x| x.var(3), INF, &[INF, INF]);
    check(&[1.0, 2.0], |x| x.var(2), INF, &[INF, INF]);
    check(&[1.0, 2.0], |x| x.var_dim(0, 3, false), INF, &[1.0, -1.0]);
    check(&[1.0, 2.0], |x| x.var_dim(0, 2, false), INF, &[-INF, INF]);
    check(&[1.0, 2.0], |x| x.std(2), INF, &[NAN, NAN]);
    check(&[5.0], |x| x.var(1), NAN, &[NAN]);
    check(&[5.0], |x| x.var(0), 0.0, &[0.0]);
    check(&[5.0], |x| x.std(0), 0.0, &[0.0]);
    check(&[5.0], |x| x.std(1), NAN, &[NAN]);
    check(&[1.0, 1.0, 1.0], |x| x.std(1), 0.0, &[0.0; 3]);
    check(&[1.0, NAN], |x| x.var(1), NAN, &[NAN, NAN]);
    check(&[1.0, INF], |x| x.var(1), NAN, &[-INF, NAN]);
    assert!(Tensor::zeros(0, DType::F32).var(1).item().is_nan());
    assert!(Tensor::from(1.0).std(1).item().is_nan());
    assert_eq!(Tensor::from(1.0).var_dim(0, 0, true).sizes(), [0usize; 0]);
}

#[test]
fn the_second_derivative_at_equal_values_is_torchs() {
    let x = Tensor::from([1.0, 1.0, 1.0]).requires_grad_(true);
    let second = |y: Tensor| {
        let first = grad(y, &x).create_graph(true).compute().unwrap().remove(0);
        let weighted = (first * Tensor::from([1.0, 2.0, 3.0])).sum();
        grad(weighted, &x).compute().unwrap()[0].to_vec::<f64>()
    };
    assert_eq!(second(x.std(1)), [0.0, 0.0, 0.0]);
    assert_eq!(second(x.var(1)), [-1.0, 0.0, 1.0]);
}

#[test]
fn a_large_mean_costs_no_digits() {
    // Deviations -1, 0, 1 about a mean of a hundred million.
    let values: Vec<f64> = (0..30_000).map(|i| 1e8 + f64::from(i % 3) - 1.0).collect();
    let x = Tensor::from(&values[..]);
    assert!((x.var(0).item() - 2.0 / 3.0).abs() < 1e-15);
    let single = Tensor::from_vec(values.iter().map(|v| (v - 1e8 + 4096.0) as f32).collect::<Vec<_>>(), [100, 300]);
    assert!((single.var(0).item() - 2.0 / 3.0).abs() < 1e-7);
    assert!(single.std_dim(1, 0, false).to_vec::<f32>().iter().all(|&s| (s - (2f32 / 3.0).sqrt()).abs() < 1e-7));
}

#[test]
fn any_dimensions_and_layouts() {
    let x = spread(&[3, 4, 5], -1.0, 1.0).transpose(0, 2);
    assert_eq!(x.var_dim([0, -1], 1, true).sizes(), [1, 4, 1]);
    let found = x.var_dim([0, 2], 1, false).to_vec::<f64>();
    for (i, found) in found.into_iter().enumerate() {
        let line = x.select(1, i as isize).to_vec::<f64>();
        let mean = line.iter().sum::<f64>() / 15.0;
        let expected = line.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 14.0;
        assert!((found - expected).abs() < 1e-15);
    }
    let long = spread(&[500, 700], -1.0, 1.0);
    let (var, mean) = long.var_mean_dim(1, 0, false);
    let row = long.select(0, 499).to_vec::<f64>();
    let expected = row.iter().map(|v| (v - mean.i(499).item()).powi(2)).sum::<f64>() / 700.0;
    assert!((var.i(499).item() - expected).abs() < 1e-15);
}

#[test]
fn what_is_not_nan_is_summed_and_averaged() {
    check(&[1.0, NAN], Tensor::nansum, 1.0, &[1.0, 0.0]);
    check(&[NAN, NAN], Tensor::nanmean, NAN, &[NAN, NAN]);
    check(&[NAN, 2.0, 4.0], Tensor::nanmean, 3.0, &[0.0, 0.5, 0.5]);
    assert_eq!(Tensor::from([true]).nansum().item_as::<i64>(), 1);
    assert_eq!(Tensor::from([[1.0f32, f32::NAN]]).nanmean_dim(0, true).sizes(), [1, 2]);
}

#[test]
fn nan_is_not_zero() {
    assert_eq!(Tensor::from([1.0, NAN, 0.0, -0.0]).count_nonzero().item_as::<i64>(), 2);
    let x = Tensor::from([[1i64, 0, 3], [0, 0, 2]]);
    assert_eq!(x.count_nonzero_dim(0).to_vec::<i64>(), [1, 0, 2]);
    assert_eq!(x.t().count_nonzero_dim([0, 1]).item_as::<i64>(), 3);
    assert_eq!(x.bool().count_nonzero_dim(1).to_vec::<i64>(), [2, 1]);
}

#[test]
fn covariances_are_torchs() {
    let x = Tensor::from([[1.0, 2.0, 4.0], [3.0, 1.0, 0.0]]);
    let (a, b) = (7.0 / 3.0, -13.0 / 6.0);
    assert!(close(&x.cov(1).to_vec::<f64>(), &[a, b, b, a]));
    assert!(close(&x.corrcoef().to_vec::<f64>(), &[1.0, b / a, b / a, 1.0]));
    assert_eq!(x.i(0).cov(1).sizes(), [0usize; 0]);
    assert!((x.i(0).cov(1).item() - a).abs() < 1e-15);
    assert_eq!(Tensor::from([1i64, 2, 4]).corrcoef().item(), 1.0);
    assert!(Tensor::from(3.0).cov(1).item().is_nan());
    assert_eq!(Tensor::from([[1.0, 2.0], [2.0, 3.0]]).cov(2).to_vec::<f64>(), [INF; 4]);
}

#[test]
#[should_panic(expected = "std and var only support floating point and complex dtypes, but got int64")]
fn integers_have_no_variance() {
    Tensor::from([1i64, 2]).var(1);
}

#[test]
#[should_panic(expected = "expected input to have floating point or complex dtype but got int64")]
fn integers_have_no_nanmean() {
    Tensor::from([1i64]).nanmean();
}
