//! One pass through a tanh network on the digits, and one with the gradients.

use super::Item;
use super::fits::{digits, network};
use wolfe::prelude::*;

const GROUP: &str = "network";

pub fn items() -> Vec<Item> {
    vec![
        Item::new(GROUP, "network_64_128_128_10_forward", || {
            let ((x, _), model) = (digits(), network());
            move || no_grad(|| model.forward(&x))
        }),
        Item::new(GROUP, "network_64_128_128_10_forward_backward", || {
            let ((x, t), model) = (digits(), network());
            let parameters = model.parameters();
            move || {
                parameters.iter().for_each(|p| p.set_grad(None));
                let loss = nn::functional::cross_entropy(&model.forward(&x), &t);
                loss.backward().expect("a fresh graph");
                loss
            }
        }),
    ]
}
