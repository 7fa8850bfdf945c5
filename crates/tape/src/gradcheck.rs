//! Checking derivatives against finite differences, torch's `gradcheck` and `gradgradcheck`.

use crate::autograd::{enable_grad, grad, no_grad};
use crate::{DType, Error, Generator, Tensor};

/// Tolerances and steps of the gradient checks, with torch's names and defaults.
///
/// ```
/// use tape::{GradCheck, Tensor};
/// let x = Tensor::from([0.3, -0.7]);
/// GradCheck::new().eps(1e-5).atol(1e-6).gradcheck(|v| v[0].sin(), &[&x])?;
/// # Ok::<(), tape::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is checked before gradcheck(..) or gradgradcheck(..) is called"]
pub struct GradCheck {
    eps: f64,
    atol: f64,
    rtol: f64,
    nondet_tol: f64,
    check_undefined_grad: bool,
    seed: u64,
}

impl Default for GradCheck {
    fn default() -> Self {
        GradCheck { eps: 1e-6, atol: 1e-5, rtol: 1e-3, nondet_tol: 0.0, check_undefined_grad: true, seed: 0 }
    }
}

/// Compares the derivative of `function` at `inputs` with central differences, entry by entry:
/// `|analytical - numerical| <= 1e-5 + 1e-3 |numerical|`.
///
/// The inputs of dtype `F64` are the variables; the function gets fresh tensors that require gradients
/// in their place. The whole Jacobian is built, so keep the inputs small.
///
/// ```
/// use tape::{Tensor, gradcheck};
/// gradcheck(|v| (&v[0] * &v[1]).sum(), &[&Tensor::from([0.3, -0.2]), &Tensor::from([[1.5], [0.5]])])?;
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// [`Error::GradientCheck`] with both Jacobians and the worst entry if they differ, if the derivative is
/// not the same when it is computed twice, or if no input is of dtype `F64`; any error of the backward
/// pass itself.
pub fn gradcheck(function: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<(), Error> {
    GradCheck::new().gradcheck(function, inputs)
}

/// Compares the second derivative with differences of the first: [`gradcheck`] of the function that maps
/// the inputs and a random gradient of the output to the gradients of the inputs.
///
/// ```
/// use tape::{Tensor, gradgradcheck};
/// gradgradcheck(|v| v[0].pow(3.0), &[&Tensor::from([0.5, -1.0])])?;
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// As [`gradcheck`].
pub fn gradgradcheck(function: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<(), Error> {
    GradCheck::new().gradgradcheck(function, inputs)
}

impl GradCheck {
    /// torch's defaults: `eps` 1e-6, `atol` 1e-5, `rtol` 1e-3, `nondet_tol` 0.
    pub fn new() -> GradCheck {
        GradCheck::default()
    }

    /// Half the distance of the two points of a central difference.
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Absolute tolerance.
    pub fn atol(mut self, atol: f64) -> Self {
        self.atol = atol;
        self
    }

    /// Tolerance relative to the numerical value.
    pub fn rtol(mut self, rtol: f64) -> Self {
        self.rtol = rtol;
        self
    }

    /// How far two computations of the same derivative may differ.
    pub fn nondet_tol(mut self, nondet_tol: f64) -> Self {
        self.nondet_tol = nondet_tol;
        self
    }

    /// Whether to check that a zero gradient of the output gives zero gradients.
    pub fn check_undefined_grad(mut self, check: bool) -> Self {
        self.check_undefined_grad = check;
        self
    }

    /// Seed of the random gradients of `gradgradcheck`.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// [`gradcheck`] with these settings.
    ///
    /// # Errors
    /// As [`gradcheck`].
    pub fn gradcheck(&self, function: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<(), Error> {
        self.check(&|x: &[Tensor]| Ok(vec![function(x)]), &variables(inputs))
    }

    /// [`gradgradcheck`] with these settings.
    ///
    /// # Errors
    /// As [`gradcheck`].
    pub fn gradgradcheck(&self, function: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<(), Error> {
        let mut all = variables(inputs);
        let output = no_grad(|| function(&all));
        if !output.dtype().is_floating_point() {
            return Err(Error::GradientCheck("gradgradcheck: the output is not of a floating-point dtype".into()));
        }
        let mut generator = Generator::new(self.seed);
        let unit = Tensor::rand_with(&mut generator, output.sizes(), output.dtype());
        all.push((unit * 2.0 - 1.0).requires_grad_(true));
        let first_derivatives = |x: &[Tensor]| -> Result<Vec<Tensor>, Error> {
            let (direction, inputs) = x.split_last().expect("the direction was appended");
            let output = function(inputs);
            if !output.requires_grad() {
                return Ok(Vec::new());
            }
            let differentiable: Vec<&Tensor> = inputs.iter().filter(|x| x.requires_grad()).collect();
            let gradients = grad(&output, &differentiable[..])
                .grad_outputs(direction)
                .create_graph(true)
                .allow_unused(true)
                .compute()?;
            Ok(gradients.into_iter().flatten().collect())
        };
        self.check(&first_derivatives, &all)
    }

    fn check(&self, function: Function<'_>, inputs: &[Tensor]) -> Result<(), Error> {
        if !inputs.iter().any(Tensor::requires_grad) {
            return Err(Error::GradientCheck(
                "gradcheck expects at least one input tensor to require gradient, but none of the them have \
                 requires_grad=True. (Here every input of dtype float64 is a variable: convert with double().)"
                    .into(),
            ));
        }
        let outputs = enable_grad(|| function(inputs))?;
        for (i, output) in outputs.iter().enumerate().filter(|(_, output)| output.dtype().is_floating_point()) {
            for (j, input) in inputs.iter().enumerate().filter(|(_, input)| input.requires_grad()) {
                let numerical = self.numerical(function, inputs, j, i)?;
                let analytical = analytical(output, input)?;
                let again = self::analytical(output, input)?;
                if !analytical.close_to(&again, self.nondet_tol, 0.0) {
                    return Err(Error::GradientCheck(format!(
                        "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times \
                         gives different values, although analytical gradient matches numerical gradient. The tolerance \
                         for nondeterminism was {}. (output {i}, input {j})",
                        self.nondet_tol
                    )));
                }
                if !analytical.close_to(&numerical, self.atol, self.rtol) {
                    return Err(Error::GradientCheck(mismatch(i, j, &numerical, &analytical)));
                }
                if self.check_undefined_grad {
                    check_zero_gradient(output, input, i, j)?;
                }
            }
        }
        Ok(())
    }

    /// Column by column: how all entries of output `output` change with each entry of input `input`.
    fn numerical(
        &self,
        function: Function<'_>,
        inputs: &[Tensor],
        input: usize,
        output: usize,
    ) -> Result<Jacobian, Error> {
        let x = &inputs[input];
        let at = x.to_vec::<f64>();
        let evaluate = |values: &[f64]| -> Result<Vec<f64>, Error> {
            let mut moved = inputs.to_vec();
            moved[input] = Tensor::from_vec(values.to_vec(), x.sizes()).requires_grad_(true);
            Ok(enable_grad(|| function(&moved))?[output].detach().double().to_vec())
        };
        let mut values = Vec::new();
        for k in 0..at.len() {
            let mut moved = at.clone();
            moved[k] = at[k] + self.eps;
            let above = evaluate(&moved)?;
            moved[k] = at[k] - self.eps;
            let below = evaluate(&moved)?;
            values.extend(above.iter().zip(&below).map(|(above, below)| (above - below) / (2.0 * self.eps)));
        }
        let columns = values.len().checked_div(at.len()).unwrap_or(0);
        Ok(Jacobian { rows: at.len(), columns, values })
    }
}

/// What is checked: several outputs, computed with recording on.
type Function<'a> = &'a dyn Fn(&[Tensor]) -> Result<Vec<Tensor>, Error>;

/// Fresh leaves with the inputs' values; those of dtype `F64` require gradients.
fn variables(inputs: &[&Tensor]) -> Vec<Tensor> {
    let leaf = |x: &&Tensor| {
        let copy = no_grad(|| x.detach().copy());
        if copy.dtype() == DType::F64 { copy.requires_grad_(true) } else { copy }
    };
    inputs.iter().map(leaf).collect()
}

/// Input entries by output entries, torch's orientation.
struct Jacobian {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Jacobian {
    /// Whether all entries agree within the tolerances; equal infinities and NaN beside NaN do.
    fn close_to(&self, reference: &Jacobian, atol: f64, rtol: f64) -> bool {
        self.values.len() == reference.values.len()
            && self.values.iter().zip(&reference.values).all(|(&a, &n)| excess(a, n, atol, rtol) <= 0.0)
    }

    fn print(&self) -> String {
        Tensor::from_vec(self.values.clone(), [self.rows, self.columns]).to_string()
    }
}

/// By how much two entries differ beyond the tolerance.
fn excess(analytical: f64, numerical: f64, atol: f64, rtol: f64) -> f64 {
    if analytical == numerical || (analytical.is_nan() && numerical.is_nan()) {
        return 0.0;
    }
    let excess = (analytical - numerical).abs() - (atol + rtol * numerical.abs());
    if excess.is_nan() { f64::INFINITY } else { excess }
}

/// Row by row of the transpose: one backward pass per entry of the output.
fn analytical(output: &Tensor, input: &Tensor) -> Result<Jacobian, Error> {
    let (rows, columns) = (input.numel(), output.numel());
    let mut values = vec![0.0; rows * columns];
    if output.requires_grad() {
        for column in 0..columns {
            let mut direction = vec![0.0; columns];
            direction[column] = 1.0;
            let direction = Tensor::from_vec(direction, output.sizes()).to_dtype(output.dtype());
            if let Some(gradient) = vjp(output, input, &direction)? {
                for (row, value) in gradient.double().to_vec::<f64>().into_iter().enumerate() {
                    values[row * columns + column] = value;
                }
            }
        }
    }
    Ok(Jacobian { rows, columns, values })
}

fn vjp(output: &Tensor, input: &Tensor, direction: &Tensor) -> Result<Option<Tensor>, Error> {
    let pass = grad(output, input).grad_outputs(direction).retain_graph(true).allow_unused(true);
    Ok(pass.compute()?.remove(0))
}

fn check_zero_gradient(output: &Tensor, input: &Tensor, i: usize, j: usize) -> Result<(), Error> {
    if !output.requires_grad() {
        return Ok(());
    }
    let gradient = vjp(output, input, &output.detach().zeros_like())?;
    let nonzero = gradient.map(|gradient| gradient.to_vec::<f64>().iter().any(|&value| value != 0.0));
    if nonzero == Some(true) {
        return Err(Error::GradientCheck(format!(
            "backward not multiplied by grad_output: a zero gradient of output {i} gives a gradient of input {j} that is \
             not zero"
        )));
    }
    Ok(())
}

fn mismatch(i: usize, j: usize, numerical: &Jacobian, analytical: &Jacobian) -> String {
    let differences = analytical.values.iter().zip(&numerical.values).map(|(&a, &n)| excess(a, n, 0.0, 0.0));
    let worst = differences
        .enumerate()
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(at, difference)| {
            format!(
                "worst entry: input element {}, output element {}: numerical {:e}, analytical {:e}, difference {:e}\n",
                at / numerical.columns.max(1),
                at % numerical.columns.max(1),
                numerical.values[at],
                analytical.values[at],
                difference
            )
        })
        .unwrap_or_default();
    format!(
        "Jacobian mismatch for output {i} with respect to input {j},\nnumerical:{}\nanalytical:{}\n{worst}",
        numerical.print(),
        analytical.print()
    )
}
