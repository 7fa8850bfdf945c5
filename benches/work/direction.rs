//! An iteration of L-BFGS with a full memory, on a quadratic whose closure is as cheap as one can be.
//!
//! A run is one `step` of [`ITERATIONS`] iterations with fixed step length, timed per iteration. An iteration
//! consists of the direction (each history vector is used twice), the new pair, the move, the tests for
//! stopping, and one evaluation: a product and a dot product, `set_grad`, no graph. The parameters go back to
//! the start before each run.

use super::{Item, label};
use wolfe::prelude::*;

const GROUP: &str = "direction";
const ITERATIONS: usize = 10;

pub fn items() -> Vec<Item> {
    let mut items = Vec::new();
    for (n, dtype) in [(100, DType::F64), (1000, DType::F64), (10_000, DType::F64), (1_000_000, DType::F32)] {
        for history in [10, 100] {
            items.push(iteration(n, dtype, history));
        }
    }
    items
}

fn iteration(n: usize, dtype: DType, history: usize) -> Item {
    let name = format!("lbfgs_iteration_{}_n{n}_m{history}", label(dtype));
    Item::fit(GROUP, name, move || {
        let curvature = Tensor::linspace(1.0, 50.0, n, dtype);
        let start = Tensor::full(n, 1000.0, dtype);
        let p = start.copy().requires_grad_(true);
        let optimizer = Lbfgs::builder([&p])
            .lr(0.5)
            .max_iter(ITERATIONS)
            .max_eval(1000)
            .history_size(history)
            .tolerance_grad(0.0)
            .tolerance_change(0.0)
            .build()
            .expect("one parameter");
        let run = move || {
            no_grad(|| p.copy_(&start));
            let step = optimizer.step(|| {
                let loss = no_grad(|| {
                    let gradient = &curvature * &p;
                    let loss = 0.5 * gradient.dot(&p);
                    p.set_grad(Some(gradient));
                    loss
                });
                Ok(loss)
            });
            step.expect("the closure cannot fail");
            let report = optimizer.report();
            assert_eq!(report.iterations, ITERATIONS, "{report}");
            (report.iterations, report.evaluations)
        };
        // Nine of a run's ten iterations store a pair at least.
        for _ in 0..history.div_ceil(ITERATIONS - 2) {
            run();
        }
        run
    })
    .per(ITERATIONS as u32)
}
