//! Whole fits by L-BFGS with strong Wolfe line search, from making the parameters to the last iteration.

use super::small_ops::rosenbrock;
use super::{Counts, Item};
use flate2::read::GzDecoder;
use std::io::Read;
use wolfe::prelude::*;

const GROUP: &str = "fits";

pub fn items() -> Vec<Item> {
    vec![
        Item::fit(GROUP, "fit_rosenbrock_f64", || {
            || {
                let p = Tensor::from([-1.2, 1.0]).requires_grad_(true);
                let builder = Lbfgs::builder([&p]).max_iter(100).max_eval(1000);
                fit(builder, || rosenbrock(&p))
            }
        }),
        chained(100),
        chained(10_000),
        logistic("fit_digits_logistic_100it_f32", 0.0),
        logistic("fit_digits_logistic_l2_100it_f32", 1e-5),
        Item::fit(GROUP, "fit_network_64_128_128_10_50it_f32", || {
            let (x, t) = digits();
            move || {
                let model = network();
                let builder = endless(Lbfgs::builder(model.parameters())).max_iter(50).history_size(20);
                fit(builder, || nn::functional::cross_entropy(&model.forward(&x), &t))
            }
        }),
    ]
}

fn fit(builder: optim::LbfgsBuilder, loss: impl Fn() -> Tensor) -> Counts {
    let optimizer = builder.line_search_fn(LineSearch::StrongWolfe).build().expect("valid options");
    let step = optimizer.step(|| {
        optimizer.zero_grad();
        let loss = loss();
        loss.backward()?;
        Ok(loss)
    });
    step.expect("the closure cannot fail");
    let report = optimizer.report();
    (report.iterations, report.evaluations)
}

/// Nothing but the number of iterations ends the step.
fn endless(builder: optim::LbfgsBuilder) -> optim::LbfgsBuilder {
    builder.max_eval(10_000).tolerance_grad(0.0).tolerance_change(0.0)
}

/// The sum of Rosenbrock's function over neighbours, from -1.2, 1, -1.2, 1, ...
fn chained(n: usize) -> Item {
    Item::fit(GROUP, format!("fit_chained_rosenbrock_n{n}_m10_200it_f64"), move || {
        move || {
            let x = Tensor::from([-1.2, 1.0].repeat(n / 2)).requires_grad_(true);
            let builder = endless(Lbfgs::builder([&x])).max_iter(200).history_size(10);
            fit(builder, || {
                let (head, tail) = (x.i(..n - 1), x.i(1..));
                (100.0 * (tail - head.pow(2.0)).pow(2.0) + (1.0 - head).pow(2.0)).sum()
            })
        }
    })
}

/// Multinomial logistic regression. Without `l2` the data can be separated and the loss goes to zero, which
/// ends the step before its last iteration.
fn logistic(name: &str, l2: f64) -> Item {
    Item::fit(GROUP, name, move || {
        let (x, t) = digits();
        move || {
            let w = Tensor::zeros([10, 64], DType::F32).requires_grad_(true);
            let b = Tensor::zeros(10, DType::F32).requires_grad_(true);
            let builder = endless(Lbfgs::builder([&w, &b])).max_iter(100).history_size(10);
            fit(builder, || {
                let loss = nn::functional::cross_entropy(&(x.matmul(&w.t()) + &b), &t);
                if l2 == 0.0 { loss } else { loss + l2 * (&w * &w).sum() }
            })
        }
    })
}

/// The network that torch makes after `manual_seed(0)`.
pub fn network() -> nn::Sequential {
    manual_seed(0);
    nn::Sequential::new([
        nn::Linear::new(64, 128).boxed(),
        nn::Tanh.boxed(),
        nn::Linear::new(128, 128).boxed(),
        nn::Tanh.boxed(),
        nn::Linear::new(128, 10).boxed(),
    ])
}

/// Images `[1797, 64]` with grey values in 0..1, and their digits `[1797]`.
pub fn digits() -> (Tensor, Tensor) {
    let mut text = String::new();
    let packed = &include_bytes!("../../examples/data/digits.csv.gz")[..];
    GzDecoder::new(packed).read_to_string(&mut text).expect("the file is whole");
    let (mut pixels, mut digits) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut numbers = line.split(',').map(|number| number.parse::<i64>().expect("a row of integers"));
        pixels.extend(numbers.by_ref().take(64).map(|grey| grey as f32 / 16.0));
        digits.extend(numbers);
    }
    let rows = digits.len();
    (Tensor::from_vec(pixels, [rows, 64]), Tensor::from_vec(digits, rows))
}
