//! Matrix products: squares, and the three of a linear layer on the digits.

use super::{Item, label};
use wolfe::prelude::*;

const GROUP: &str = "matmul";
const ROWS: usize = 1797;

pub fn items() -> Vec<Item> {
    let mut items = Vec::new();
    for dtype in [DType::F32, DType::F64] {
        for n in [64, 128, 256, 512, 1024] {
            items.push(product(&format!("matmul_{}_{n}", label(dtype)), dtype, [n, n], [n, n], |a, b| a.matmul(b)));
        }
    }
    let (x, w, g) = ([ROWS, 64], [10, 64], [ROWS, 10]);
    items.push(product("linear_f32_1797x64x10", DType::F32, x, w, |x, w| x.matmul(&w.t())));
    items.push(product("linear_grad_input_f32_1797x64x10", DType::F32, g, w, |g, w| g.matmul(w)));
    items.push(product("linear_grad_weight_f32_1797x64x10", DType::F32, g, x, |g, x| g.t().matmul(x)));
    items
}

fn product(
    name: &str,
    dtype: DType,
    left: [usize; 2],
    right: [usize; 2],
    apply: fn(&Tensor, &Tensor) -> Tensor,
) -> Item {
    Item::new(GROUP, name, move || {
        let (a, b) = (Tensor::rand(left, dtype), Tensor::rand(right, dtype));
        move || apply(&a, &b)
    })
}
