//! The main job: multinomial logistic regression and a small tanh network learn the 1797 handwritten digits
//! of `examples/data`, both by L-BFGS with strong Wolfe line search.
//!
//! ```sh
//! cargo run --release --example digits
//! ```

use std::io::Read;
use std::ops::ControlFlow;
use std::time::Instant;

use flate2::read::GzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use wolfe::prelude::*;

type BoxResult<T> = Result<T, Box<dyn std::error::Error>>;

const ROWS: usize = 1797;
const PIXELS: usize = 64;
const TRAIN_ROWS: usize = 1437; // four fifths
const STEPS: usize = 6;
const ITERATIONS: usize = 20; // of each step
/// Weight of the squared parameters in the loss; without it the weights grow until every training loss is 0.
const L2: f64 = 1e-4;
const REQUIRED_ACCURACY: f64 = 0.96;

/// Images `[n, 64]` with grey values in 0..1, and their digits `[n]`.
struct Digits {
    images: Tensor,
    labels: Tensor,
}

impl Digits {
    /// Reads rows of 64 pixels (0 to 16) and the digit.
    fn load() -> BoxResult<Digits> {
        let mut text = String::new();
        GzDecoder::new(&include_bytes!("data/digits.csv.gz")[..]).read_to_string(&mut text)?;
        let mut pixels = Vec::with_capacity(ROWS * PIXELS);
        let mut labels = Vec::with_capacity(ROWS);
        for line in text.lines() {
            let (image, label) = line.rsplit_once(',').ok_or("a row of digits.csv has one column only")?;
            for pixel in image.split(',') {
                pixels.push(pixel.parse::<f32>()? / 16.0);
            }
            labels.push(label.parse::<i64>()?);
        }
        Ok(Digits { images: Tensor::from_vec(pixels, [ROWS, PIXELS]), labels: Tensor::from_vec(labels, ROWS) })
    }

    fn select(&self, rows: &Tensor) -> Digits {
        Digits { images: self.images.index_select(0, rows), labels: self.labels.index_select(0, rows) }
    }
}

/// The part of `data` that the model classifies correctly.
fn accuracy(model: &dyn Module, data: &Digits) -> f64 {
    no_grad(|| model.forward(&data.images).argmax_dim(1, false).eq(&data.labels).double().mean().item())
}

/// A bar over all iterations, which the optimizer's callback moves. It is drawn on terminals only.
fn progress_bar() -> BoxResult<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} iteration {pos}/{len} {msg} {elapsed_precise}")?;
    Ok(ProgressBar::new((STEPS * ITERATIONS) as u64).with_style(style))
}

/// Fits `model` to `train` and returns its accuracy on `test`.
fn fit(name: &str, model: &dyn Module, train: &Digits, test: &Digits) -> BoxResult<f64> {
    let start = Instant::now();
    let parameters = model.parameters();
    let bar = progress_bar()?;
    let shown = bar.clone();
    let optimizer = Lbfgs::builder(&parameters)
        .max_iter(ITERATIONS)
        .history_size(20)
        .line_search_fn(LineSearch::StrongWolfe)
        .callback(move |iteration| {
            shown.inc(1);
            shown.set_message(format!("loss {:.6}", iteration.loss.unwrap_or(f64::NAN)));
            ControlFlow::Continue(())
        })
        .build()?;

    println!("\n{name}");
    println!("{:>4} {:>12} {:>12} {:>10}", "step", "first loss", "final loss", "test acc.");
    for step in 1..=STEPS {
        let first_loss = optimizer.step(|| {
            optimizer.zero_grad();
            let mut loss = nn::functional::cross_entropy(&model.forward(&train.images), &train.labels);
            for parameter in &parameters {
                loss = loss + L2 * parameter.pow(2.0).sum();
            }
            loss.backward()?;
            Ok(loss)
        })?;
        let final_loss = optimizer.report().final_loss;
        let row = format!("{step:>4} {:>12.6} {final_loss:>12.6} {:>10.4}", first_loss.item(), accuracy(model, test));
        bar.suspend(|| println!("{row}"));
    }
    bar.finish_and_clear();
    println!("{}", optimizer.report());
    println!("{:.3} s", start.elapsed().as_secs_f64());
    Ok(accuracy(model, test))
}

fn main() -> BoxResult<()> {
    let digits = Digits::load()?;

    manual_seed(0);
    let shuffled = Tensor::randperm(ROWS);
    let train = digits.select(&shuffled.i(..TRAIN_ROWS));
    let test = digits.select(&shuffled.i(TRAIN_ROWS..));
    println!("{TRAIN_ROWS} digits to learn from, {} to test on", ROWS - TRAIN_ROWS);

    let logistic = nn::Linear::new(PIXELS, 10);
    let network =
        nn::Sequential::new([nn::Linear::new(PIXELS, 32).boxed(), nn::Tanh.boxed(), nn::Linear::new(32, 10).boxed()]);
    let logistic_accuracy = fit("logistic regression, 64-10", &logistic, &train, &test)?;
    let network_accuracy = fit("tanh network, 64-32-10", &network, &train, &test)?;

    println!("\ntest accuracy: logistic regression {logistic_accuracy:.4}, network {network_accuracy:.4}");
    if network_accuracy < REQUIRED_ACCURACY {
        return Err(format!("the network's accuracy is below {REQUIRED_ACCURACY}").into());
    }
    Ok(())
}
