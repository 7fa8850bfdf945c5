//! What an operation costs when there is next to nothing to compute.

use super::Item;
use wolfe::prelude::*;

const GROUP: &str = "small_ops";
const CHAIN: u32 = 1000;

pub fn items() -> Vec<Item> {
    vec![
        Item::new(GROUP, "small_mul_no_grad", || {
            let w = Tensor::rand(4, DType::F32);
            move || &w * &w
        }),
        Item::new(GROUP, "small_mul_recorded", || {
            let v = leaf();
            move || &v * &v
        }),
        Item::new(GROUP, "small_add_recorded", || {
            let v = leaf();
            move || &v + &v
        }),
        Item::new(GROUP, "small_select_recorded", || {
            let v = leaf();
            move || v.i(0)
        }),
        Item::new(GROUP, "small_mul_sum_forward_backward", || {
            let v = leaf();
            move || backward(&v, &v * &v)
        }),
        chain("small_mul_in_chain_forward_backward", |y, v| y * v),
        chain("small_add_in_chain_forward_backward", |y, v| y + v),
        chain("small_mul_number_in_chain_forward_backward", |y, _| y * 1.001),
        Item::new(GROUP, "rosenbrock_loss_forward_backward", || {
            let p = Tensor::from([-1.2, 1.0]).requires_grad_(true);
            move || {
                p.set_grad(None);
                rosenbrock(&p).backward().expect("a fresh graph")
            }
        }),
    ]
}

/// `(1 - x)^2 + 100 (y - x^2)^2` of the two elements of `p`.
pub fn rosenbrock(p: &Tensor) -> Tensor {
    let (x, y) = (p.i(0), p.i(1));
    (1.0 - &x).pow(2.0) + 100.0 * (&y - x.pow(2.0)).pow(2.0)
}

fn leaf() -> Tensor {
    Tensor::rand(4, DType::F32).requires_grad_(true)
}

fn backward(v: &Tensor, y: Tensor) {
    v.set_grad(None);
    y.sum().backward().expect("a fresh graph");
}

/// A thousand times the same operation, forward and backward; timed per operation.
fn chain(name: &str, step: fn(&Tensor, &Tensor) -> Tensor) -> Item {
    Item::new(GROUP, name, move || {
        let v = leaf();
        move || {
            let mut y = step(&v, &v);
            for _ in 1..CHAIN {
                y = step(&y, &v);
            }
            backward(&v, y)
        }
    })
    .per(CHAIN)
}
