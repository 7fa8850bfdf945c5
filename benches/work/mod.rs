//! The work that is measured: one list of items for the criterion benches and for the comparison with torch.
//! `torch_reference.py` does the same work under the same names.

mod direction;
mod elementwise;
mod fits;
mod matmul;
mod network;
mod small_ops;

use std::hint::black_box;

/// Iterations of L-BFGS and evaluations of the closure, printed beside the time of an optimisation.
pub type Counts = (usize, usize);

/// One call does the work of an item once.
pub type Run = Box<dyn FnMut() -> Option<Counts>>;

/// Something to measure.
pub struct Item {
    /// The module that it is in: the group of the criterion bench.
    pub group: &'static str,
    /// Unique, and the same in `torch_reference.py`.
    pub name: String,
    /// How many equal parts one run consists of (operations in a chain, say); times are per part.
    pub parts: u32,
    /// Prepares data, outside the measured time.
    pub prepare: Box<dyn Fn() -> Run>,
}

/// Everything, in the order of the report.
pub fn items() -> Vec<Item> {
    [small_ops::items(), elementwise::items(), matmul::items(), network::items(), direction::items(), fits::items()]
        .into_iter()
        .flatten()
        .collect()
}

impl Item {
    /// An item whose run is one call of what `prepare` returns.
    fn new<R, F: FnMut() -> R + 'static>(
        group: &'static str,
        name: impl Into<String>,
        prepare: impl Fn() -> F + 'static,
    ) -> Item {
        let prepare = move || -> Run {
            let mut run = prepare();
            Box::new(move || {
                black_box(run());
                None
            })
        };
        Item { group, name: name.into(), parts: 1, prepare: Box::new(prepare) }
    }

    /// An item that counts iterations and evaluations.
    fn fit<F: FnMut() -> Counts + 'static>(
        group: &'static str,
        name: impl Into<String>,
        prepare: impl Fn() -> F + 'static,
    ) -> Item {
        let prepare = move || -> Run {
            let mut run = prepare();
            Box::new(move || Some(black_box(run())))
        };
        Item { group, name: name.into(), parts: 1, prepare: Box::new(prepare) }
    }

    /// The same item, timed per part.
    fn per(mut self, parts: u32) -> Item {
        self.parts = parts;
        self
    }
}

/// `f32` or `f64`, as it stands in names.
fn label(dtype: wolfe::prelude::DType) -> &'static str {
    if dtype == wolfe::prelude::DType::F32 { "f32" } else { "f64" }
}
