//! "Why is torch.optim.LBFGS() not updating parameters?" The three programs of a well-known answer to that question,
//! and a program for each of the five causes it names: what the step report and `diagnose` say, and what helps.
//!
//! The programs call `step` without a closure. L-BFGS evaluates the loss at points of its own choosing, so here that
//! does not compile (see the documentation of `Lbfgs::step`); they are shown with the closure they need.
//!
//! ```sh
//! cargo run --release --example why_not_updating
//! ```

use wolfe::optim::diagnosis::Cause;
use wolfe::prelude::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const WIDTH: usize = 108;

fn leaf(value: f64) -> Tensor {
    Tensor::from([value]).requires_grad_(true)
}

/// One step on this loss; the report says what it did.
fn step(optimizer: &Lbfgs, loss: impl Fn() -> Tensor) -> Outcome {
    optimizer.step(|| {
        optimizer.zero_grad();
        let loss = loss();
        loss.backward()?;
        Ok(loss)
    })?;
    Ok(())
}

/// Prints what `diagnose` finds where the parameters are, and what a step from there reports. Returns the cause on
/// top.
fn ask(optimizer: &Lbfgs, loss: impl Fn() -> Tensor) -> Result<Option<Cause>, Box<dyn std::error::Error>> {
    let diagnosis = optimizer.diagnose(|| {
        optimizer.zero_grad();
        let loss = loss();
        loss.backward()?;
        Ok(loss)
    })?;
    let top = diagnosis.findings().first();
    show("diagnose", &top.map_or_else(|| diagnosis.to_string(), ToString::to_string));
    step(optimizer, loss)?;
    show("report", &optimizer.report().to_string());
    Ok(top.map(|finding| finding.cause))
}

/// Prints a text with a margin, its long lines broken between words.
fn show(label: &str, text: &str) {
    println!("  {label}:");
    for line in text.lines() {
        let mut column = 0;
        for word in line.split(' ') {
            if column == 0 {
                print!("    ");
            } else if column + word.chars().count() > WIDTH {
                print!("\n      ");
                column = 2;
            } else {
                print!(" ");
            }
            print!("{word}");
            column += word.chars().count() + 1;
        }
        println!();
    }
}

fn title(text: &str) {
    println!("\n== {text}\n");
}

/// `exp(x) / (1 + exp(x))` at 100 is inf / inf in f32. The sigmoid written stably is 1 there, and flat; its logarithm
/// has a slope.
fn first_program() -> Outcome {
    title("Program 1: exp(x) / (1 + exp(x)) from x = 100 in f32");
    let x = Tensor::from([100.0f32]).requires_grad_(true);
    let optimizer = Lbfgs::builder([("x", &x)]).lr(0.1).build()?;
    ask(&optimizer, || (x.exp() / (1.0 + x.exp())).sum())?;

    println!("\n  written stably, as x.sigmoid():");
    let x = Tensor::from([100.0f32]).requires_grad_(true);
    let optimizer = Lbfgs::builder([("x", &x)]).build()?;
    ask(&optimizer, || x.sigmoid().sum())?;

    println!("\n  corrected: minimise -ln(1 - sigmoid(x)), which is ln(1 + exp(x)):");
    let x = Tensor::from([100.0f32]).requires_grad_(true);
    let optimizer = Lbfgs::builder([("x", &x)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    step(&optimizer, || nn::functional::softplus(&x).sum())?;
    show("report", &optimizer.report().to_string());
    println!("  x = {}, where the sigmoid is {:.1e}", x.item(), x.sigmoid().item());
    Ok(())
}

/// The parameter of the second half is created after the optimizer that is to move it.
fn second_program() -> Outcome {
    title("Program 2: x^2 from 1 with strong Wolfe; then the same again with a new optimizer and a new x");
    let options =
        |x: &Tensor| Lbfgs::builder([("x", x)]).lr(0.1).max_iter(50).line_search_fn(LineSearch::StrongWolfe).build();
    let x = leaf(1.0);
    let optimizer = options(&x)?;
    step(&optimizer, || x.pow(2.0).sum())?;
    show("report", &optimizer.report().to_string());

    println!("\n  the second half, optimizer first, x after it:");
    let optimizer = options(&x)?;
    let x = leaf(1.0);
    ask(&optimizer, || x.pow(2.0).sum())?;
    println!("  x = {}", x.item());

    println!("\n  corrected: x first, optimizer after it:");
    let optimizer = options(&x)?;
    step(&optimizer, || x.pow(2.0).sum())?;
    println!("  x = {}", x.item());
    Ok(())
}

/// Nothing is wrong with -100; the learning rate makes each step a tenth of the one that the method proposes.
fn third_program() -> Outcome {
    title("Program 3: x^2 from -100 with lr = 0.1 and max_iter = 100, no line search");
    let x = leaf(-100.0);
    let optimizer = Lbfgs::builder([("x", &x)]).lr(0.1).max_iter(100).build()?;
    ask(&optimizer, || x.pow(2.0).sum())?;
    println!("  x = {}", x.item());

    println!("\n  corrected: lr = 1, the default, with a line search:");
    let x = leaf(-100.0);
    let optimizer = Lbfgs::builder([("x", &x)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    step(&optimizer, || x.pow(2.0).sum())?;
    show("report", &optimizer.report().to_string());
    println!("  x = {}", x.item());
    Ok(())
}

fn ill_conditioned() -> Outcome {
    title("Cause 1, an ill-conditioned loss: x0^2 + 1e10 x1^2");
    let x = Tensor::from([1.0, 1.0]).requires_grad_(true);
    let optimizer = Lbfgs::builder([("x", &x)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let cause = ask(&optimizer, || x.i(0).pow(2.0) + 1e10 * x.i(1).pow(2.0))?;
    assert_eq!(cause, Some(Cause::IllConditioned));

    println!("\n  corrected: a variable of its own scale, z1 = 1e5 x1:");
    let z = Tensor::from([1.0, 1e5]).requires_grad_(true);
    let optimizer = Lbfgs::builder([("z", &z)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    step(&optimizer, || z.i(0).pow(2.0) + z.i(1).pow(2.0))?;
    println!("  loss {:e}", optimizer.report().final_loss);
    Ok(())
}

fn inaccurate_gradient() -> Outcome {
    title("Cause 2, an inaccurate gradient: part of the loss is detached");
    let x = leaf(3.0);
    let optimizer = Lbfgs::builder([("x", &x)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let cause = ask(&optimizer, || (x.pow(2.0) + 5.0 * (x.detach() - 4.0).pow(2.0)).sum())?;
    assert_eq!(cause, Some(Cause::WrongGradient));

    println!("\n  corrected: without detach");
    step(&optimizer, || (x.pow(2.0) + 5.0 * (&x - 4.0).pow(2.0)).sum())?;
    println!("  x = {}, the minimum is at 10/3", x.item());
    Ok(())
}

fn tight_tolerances() -> Outcome {
    title("Cause 3, tolerances that f32 cannot reach: tolerance_grad = 1e-12");
    let x = Tensor::from([0.3f32, 0.1, -0.2]).requires_grad_(true);
    let loss = || (x.exp() - Tensor::from([3.0f32, 7.0, 11.0]) * &x + 100.0).sum();
    let optimizer = Lbfgs::builder([("x", &x)])
        .max_iter(100)
        .tolerance_grad(1e-12)
        .tolerance_change(0.0)
        .line_search_fn(LineSearch::StrongWolfe)
        .build()?;
    let cause = ask(&optimizer, loss)?;
    assert_eq!(cause, Some(Cause::TolerancesTooTight));

    println!("\n  corrected: tolerances that f32 can reach");
    no_grad(|| x.copy_(&Tensor::from([0.3f32, 0.1, -0.2])));
    let optimizer = Lbfgs::builder([("x", &x)]).tolerance_grad(1e-4).line_search_fn(LineSearch::StrongWolfe).build()?;
    step(&optimizer, loss)?;
    show("report", &optimizer.report().to_string());
    Ok(())
}

fn bad_start() -> Outcome {
    title("Cause 4, a bad start: tanh(x - 1)^2 from 40, where it is flat");
    let x = leaf(40.0);
    let optimizer = Lbfgs::builder([("x", &x)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    let cause = ask(&optimizer, || (&x - 1.0).tanh().pow(2.0).sum())?;
    assert_eq!(cause, Some(Cause::FlatLoss));

    println!("\n  corrected: from 2");
    let x = leaf(2.0);
    let optimizer = Lbfgs::builder([("x", &x)]).line_search_fn(LineSearch::StrongWolfe).build()?;
    step(&optimizer, || (&x - 1.0).tanh().pow(2.0).sum())?;
    println!("  x = {}", x.item());
    Ok(())
}

fn non_finite_values() -> Outcome {
    title("Cause 5, evaluations that are not finite: 10 x - ln x from 0.5, whose first trial is below 0");
    let x = leaf(0.5);
    let options = |x: &Tensor| Lbfgs::builder([("x", x)]).max_iter(50).line_search_fn(LineSearch::StrongWolfe);
    let optimizer = options(&x).build()?;
    let cause = ask(&optimizer, || (10.0 * &x - x.log()).sum())?;
    assert_eq!(cause, Some(Cause::NonFiniteTrial));
    println!("  x = {:e}", x.item());

    println!("\n  corrected: non_finite(NonFinite::Recover)");
    let x = leaf(0.5);
    let optimizer = options(&x).non_finite(NonFinite::Recover).build()?;
    step(&optimizer, || (10.0 * &x - x.log()).sum())?;
    show("report", &optimizer.report().to_string());
    println!("  x = {}, the minimum is at 0.1", x.item());
    Ok(())
}

fn main() -> Outcome {
    first_program()?;
    second_program()?;
    third_program()?;
    ill_conditioned()?;
    inaccurate_gradient()?;
    tight_tolerances()?;
    bad_start()?;
    non_finite_values()
}
