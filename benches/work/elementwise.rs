//! Elementwise operations against size, without recording.

use super::{Item, label};
use wolfe::prelude::*;

const GROUP: &str = "elementwise";

pub fn items() -> Vec<Item> {
    let mut items = Vec::new();
    for (op, apply) in [("exp", Tensor::exp as fn(&Tensor) -> Tensor), ("tanh", Tensor::tanh), ("add", |x| x + x)] {
        for dtype in [DType::F32, DType::F64] {
            for n in [100, 10_000, 1_000_000, 10_000_000] {
                items.push(Item::new(GROUP, format!("{op}_{}_{n}", label(dtype)), move || {
                    let x = Tensor::rand(n, dtype);
                    move || apply(&x)
                }));
            }
        }
    }
    items
}
