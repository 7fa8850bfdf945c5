//! Where a function has a kink, a pole or a NaN, torch's choice of gradient is the one users rely on.

use crate::case::cases;
use std::collections::BTreeSet;

/// The rows of the table of subgradients, each with the operations that must have a case in it.
const ROWS: &[(&str, &[&str])] = &[
    ("relu", &["relu"]),
    ("abs", &["abs"]),
    ("sqrt", &["sqrt"]),
    ("log", &["log"]),
    ("clamp(lo,hi), clamp(min)", &["clamp", "clamp_min", "clamp_max"]),
    ("clamp with tensor bounds", &["clamp", "clamp_min", "clamp_max"]),
    ("leaky_relu(.1)", &["leaky_relu"]),
    ("relu6, hardtanh, hardsigmoid", &["relu6", "hardtanh", "hardsigmoid"]),
    ("elu", &["elu"]),
    ("softplus", &["softplus"]),
    ("x**0, x**1, x**2, x**.5", &["pow"]),
    ("pow(a,b) tensors", &["pow"]),
    ("max(), min(), amax, amin", &["max", "min", "amax", "amin"]),
    ("max(dim)/min(dim)", &["max_dim", "min_dim"]),
    ("max() with NaN", &["max", "min", "amax", "amin"]),
    ("maximum/minimum (binary)", &["maximum", "minimum"]),
    ("fmax", &["fmax", "fmin"]),
    ("median; cummax ties", &["median", "median_dim", "nanmedian", "nanmedian_dim", "cummax", "cummin"]),
    ("prod", &["prod", "prod_dim"]),
    ("norm p=2,1,3,inf,.5", &["norm", "norm_dim"]),
    ("std at equal values", &["std", "var", "std_dim", "var_dim"]),
    ("logsumexp of all -inf", &["logsumexp"]),
    ("where(cond, f, g)", &["where_sqrt", "where_reciprocal"]),
    ("atan2(0,0), hypot(0,0)", &["atan2", "hypot"]),
    ("xlogy(x,y) at (0,0)", &["xlogy"]),
    ("smooth_l1, huber, l1", &["l1_loss", "functional.l1_loss", "functional.huber_loss", "functional.smooth_l1_loss"]),
    ("fmod, round, floor, sign", &["fmod", "round", "floor", "sign"]),
];

#[test]
fn every_row_of_special_points_has_its_cases() {
    let in_file: BTreeSet<_> =
        cases().filter_map(|case| case.special_points().map(|row| (row, case.operation()))).collect();
    let of_rows = ROWS.iter().flat_map(|(row, operations)| operations.iter().map(move |op| (*row, *op)));
    assert_eq!(in_file, of_rows.collect());
}

#[test]
fn cases_of_special_points_have_gradients() {
    for case in cases().filter(|case| case.special_points().is_some()) {
        let gradients = case.gradients("gradients").unwrap_or_default();
        let none = gradients.iter().all(Option::is_none);
        // The norm of order zero counts: it has no gradient.
        assert!(!none || case.name() == "norm/zero_vector_0", "{} has no gradient", case.name());
    }
}
