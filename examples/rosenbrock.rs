//! L-BFGS in the Rosenbrock valley: every point that the strong Wolfe line search evaluates, and the report.
//!
//! ```sh
//! cargo run --release --example rosenbrock
//! ```

use wolfe::prelude::*;

/// `(1 - x)^2 + 100 (y - x^2)^2`: a curved valley whose floor descends to the minimum at (1, 1).
fn rosenbrock(p: &Tensor) -> Tensor {
    let (x, y) = (p.i(0), p.i(1));
    (1.0 - &x).pow(2.0) + 100.0 * (&y - x.pow(2.0)).pow(2.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let p = Tensor::from([-1.2, 1.0]).requires_grad_(true);
    let optimizer = Lbfgs::builder([&p]).max_iter(100).line_search_fn(LineSearch::StrongWolfe).build()?;

    println!("{:>10} {:>12} {:>12} {:>12}", "evaluation", "x", "y", "loss");
    let mut evaluation = 0;
    optimizer.step(|| {
        optimizer.zero_grad();
        let loss = rosenbrock(&p);
        loss.backward()?;

        evaluation += 1;
        let (x, y) = (p.i(0).item(), p.i(1).item());
        println!("{evaluation:>10} {x:>12.8} {y:>12.8} {:>12.4e}", loss.item());
        Ok(loss)
    })?;

    println!("\n{}", optimizer.report());
    println!("ended at {p}");
    Ok(())
}
