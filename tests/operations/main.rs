//! Every operation beside torch 2.8.0: values, dtypes, shapes, gradients and second gradients.
//!
//! `tests/golden/operations.py` wrote the cases, and says there what they hold. One module for each of its
//! sections names the calls; `runner` replays the cases and compares; `coverage` sees to it that neither an
//! operation of this workspace nor a case of the file is left out.

#[macro_use]
mod registry;
mod arrange;
mod basic;
mod basic_shapes;
mod case;
mod coverage;
mod different;
mod elementwise;
mod indexing;
mod linalg;
mod losses;
mod reductions;
mod runner;
mod special_points;
mod windows;

use registry::Entry;

/// The operations by the sections of the file.
const SECTIONS: &[(&str, &[&[Entry]])] = &[
    ("basic", &[basic::OPERATIONS, basic_shapes::OPERATIONS]),
    ("elementwise", &[elementwise::OPERATIONS]),
    ("reductions", &[reductions::OPERATIONS]),
    ("arrange", &[arrange::OPERATIONS]),
    ("indexing", &[indexing::OPERATIONS]),
    ("windows", &[windows::OPERATIONS]),
    ("linalg", &[linalg::OPERATIONS]),
    ("losses", &[losses::OPERATIONS]),
];

#[test]
fn basic_operations() {
    runner::replay("basic");
}

#[test]
fn elementwise_operations() {
    runner::replay("elementwise");
}

#[test]
fn reductions_scans_and_orders() {
    runner::replay("reductions");
}

#[test]
fn arrangements_and_products() {
    runner::replay("arrange");
}

#[test]
fn scatters_and_writes_by_index() {
    runner::replay("indexing");
}

#[test]
fn convolutions_pools_and_normalizations() {
    runner::replay("windows");
}

#[test]
fn linear_algebra() {
    runner::replay("linalg");
}

#[test]
fn losses_with_their_options() {
    runner::replay("losses");
}
