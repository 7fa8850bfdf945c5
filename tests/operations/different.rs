//! Cases whose results are deliberately not torch's.

/// Name of the case, and why it differs. A case that does not differ is a failure too.
const DIFFERENT: &[(&str, &str)] = &[
    ("rpow/zero", "0^x has the derivatives zero where it is differentiable; torch's second one is zero times infinity"),
    (
        "softplus/threshold",
        "torch counts the threshold itself to the exponential part in the gradient, to the linear one in the second",
    ),
];

/// Why a case may differ.
pub fn reason(case: &str) -> Option<&'static str> {
    DIFFERENT.iter().find(|(name, _)| *name == case).map(|(_, reason)| *reason)
}

#[test]
fn cases_that_differ_are_cases_of_the_file() {
    for (name, reason) in DIFFERENT {
        assert!(crate::case::cases().any(|case| case.name() == *name), "{name} is not in the file");
        assert!(reason.len() > 20, "{name}: why?");
    }
}
