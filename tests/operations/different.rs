//! Cases whose results are deliberately not torch's.

/// Name of the case, what differs, and why. What does not differ is a failure too.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "rpow/zero",
        "second gradient",
        "0^x has the derivatives zero where it is differentiable; torch's second one is zero times infinity",
    ),
    (
        "softplus/threshold",
        "second gradient",
        "torch counts the threshold itself to the exponential part in the gradient, to the linear one in the second",
    ),
    (
        "prelu/kink",
        "second gradient",
        "torch counts zero to the negative part in the gradient and to the positive one in the second",
    ),
    (
        "copysign/points",
        "second gradient",
        "the gradient is constant on either side; torch's second one is 0/0 at zero",
    ),
    ("digamma/points", "second gradient", "at infinity it tends to zero; torch has NaN"),
    ("polygamma/points", "gradient", "at infinity it tends to zero; torch has NaN"),
    ("polygamma/points", "second gradient", "at infinity it tends to zero; torch has NaN"),
    ("digamma/poles", "gradient", "a pole of trigamma is infinite; torch has some number of 32 digits"),
    ("log_ndtr/points", "gradient", "at minus infinity it tends to infinity; torch has NaN"),
    ("logaddexp/points", "second gradient", "far apart it is zero; torch's exponentials overflow to NaN"),
    ("logaddexp2/points", "second gradient", "far apart it is zero; torch's exponentials overflow to NaN"),
    (
        "cumprod/nan",
        "gradient",
        "torch divides by every element, so that a NaN spreads to gradients of products it is not in",
    ),
    (
        "functional.soft_margin_loss/odd",
        "gradient",
        "at minus infinity the slope tends to a number; torch has infinity over infinity",
    ),
    (
        "cummax/empty",
        "second gradient",
        "torch has zeros; here the gradient is a constant, whose derivative is refused",
    ),
    (
        "group_norm/empty_batch",
        "second gradient",
        "torch has zeros; here the gradient is a constant, whose derivative is refused",
    ),
    (
        "functional.nll_loss/all_ignored_sum",
        "second gradient",
        "torch has zeros; here the gradient is a constant, whose derivative is refused",
    ),
    (
        "functional.nll_loss/ignore_index",
        "second gradient",
        "torch has zeros; here the gradient is a constant, whose derivative is refused",
    ),
    (
        "functional.nll_loss/plain_none",
        "second gradient",
        "torch has zeros; here the gradient is a constant, whose derivative is refused",
    ),
    (
        "functional.nll_loss/plain_sum",
        "second gradient",
        "torch has zeros; here the gradient is a constant, whose derivative is refused",
    ),
    (
        "functional.nll_loss/weight",
        "second gradient",
        "torch has zeros; here the gradient is a constant, whose derivative is refused",
    ),
];

/// Whether a problem of a case, which begins with what differs, is one of the list.
pub fn is_listed(case: &str, problem: &str) -> bool {
    of_case(case).any(|what| problem.starts_with(what))
}

/// What of a case differs.
pub fn of_case(case: &str) -> impl Iterator<Item = &'static str> {
    DIFFERENT.iter().filter(move |(name, ..)| *name == case).map(|(_, what, _)| *what)
}

#[test]
fn cases_that_differ_are_cases_of_the_file() {
    for (name, what, reason) in DIFFERENT {
        assert!(crate::case::cases().any(|case| case.name() == *name), "{name} is not in the file");
        assert!(["output", "gradient", "second gradient"].contains(what) && reason.len() > 20, "{name}: why?");
    }
}
