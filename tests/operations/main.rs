//! Every operation beside torch 2.8.0: values, dtypes, shapes, gradients and second gradients.
//!
//! `tests/golden/operations.py` wrote the cases, and says there what they hold. One module for each of its
//! sections names the calls; `runner` replays the cases and compares; `coverage` sees to it that neither an
//! operation of this workspace nor a case of the file is left out.

#[macro_use]
mod registry;
mod basic;
mod basic_shapes;
mod case;
mod coverage;
mod different;
mod runner;
mod special_points;

use registry::Entry;

/// The operations by the sections of the file.
const SECTIONS: &[(&str, &[&[Entry]])] = &[("basic", &[basic::OPERATIONS, basic_shapes::OPERATIONS])];

#[test]
fn basic_operations() {
    runner::replay("basic");
}
