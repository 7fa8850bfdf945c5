//! Derivatives of functions: Jacobians, Hessians and their products with vectors, as
//! `torch.autograd.functional`.
//!
//! The functions take a slice of tensors, one for each input, and give one tensor. Inputs need not require
//! gradients; the function is called once, on stand-ins that do.
//!
//! | function | computes | backward passes |
//! |---|---|---|
//! | [`vjp`] | `v^T J` | 1 |
//! | [`jvp`] | `J v` | 2 |
//! | [`jacobian`] | `J`, output by output | one for each element of the output |
//! | [`batch_jacobian`] | `J` of every row of a batch | one for each element of a row of the output |
//! | [`hvp`], [`vhp`] | `H v` | 2 |
//! | [`hessian`] | `H` | 1 + one for each element of the inputs |
//!
//! [`jvp`] does not need forward-mode rules: `v^T J` is linear in `v`, and its derivative with respect to `v`
//! is `J`, so that a second backward pass gives `J v`.
//!
//! ```
//! use tape::Tensor;
//! use tape::functional::{hessian, hvp};
//! let rosenbrock = |v: &[Tensor]| {
//!     let (x, y) = (v[0].i(0), v[0].i(1));
//!     (1.0 - &x).pow(2.0) + 100.0 * (&y - x.pow(2.0)).pow(2.0)
//! };
//! let minimum = Tensor::from([1.0, 1.0]);
//! let h = hessian(rosenbrock, &[&minimum])?;
//! assert_eq!(h[0][0].to_vec::<f64>(), [802.0, -400.0, -400.0, 200.0]);
//! let (value, product) = hvp(rosenbrock, &[&minimum], &[&Tensor::from([1.0, 0.0])])?;
//! assert_eq!((value.item(), product[0].to_vec::<f64>()), (0.0, vec![802.0, -400.0]));
//! # Ok::<(), tape::Error>(())
//! ```
//!
//! [`Derivatives`] has the same as methods, for options and for functions of several outputs.

use crate::autograd::enable_grad;
use crate::{DType, Error, Tensor, grad};

/// Options of the functions of this module, by torch's names, and the functions as methods.
///
/// A derivative that is to be differentiated again is computed with `create_graph`:
///
/// ```
/// use tape::{Tensor, functional::Derivatives};
/// let x = Tensor::from([1.0, 2.0]).requires_grad_(true);
/// let jacobian = Derivatives::new().create_graph(true).jacobian(|v| v[0].pow(3.0), &[&x])?;
/// jacobian[0].sum().backward()?;
/// assert_eq!(x.grad().unwrap().to_vec::<f64>(), [6.0, 12.0]); // 6 x
/// # Ok::<(), tape::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "nothing is computed before one of the methods is called"]
pub struct Derivatives {
    create_graph: bool,
    strict: bool,
}

/// `v^T J`: the value of `function` at `inputs` and, for each input, the gradient of `v` times that value.
///
/// `v` has the shape of the value; `None` stands for 1 if the value has one element. Returns
/// `(value, gradients)` with gradients of the inputs' shapes.
///
/// ```
/// use tape::{Tensor, functional::vjp};
/// let (value, product) = vjp(|v| v[0].pow(2.0), &[&Tensor::from([1.0, 3.0])], &Tensor::from([1.0, 10.0]))?;
/// assert_eq!((value.to_vec::<f64>(), product[0].to_vec::<f64>()), (vec![1.0, 9.0], vec![2.0, 60.0]));
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// If an input is not of a floating-point dtype, if the shape of `v` is not the value's, and whatever a
/// backward pass can fail with.
pub fn vjp<'a>(
    function: impl Fn(&[Tensor]) -> Tensor,
    inputs: &[&Tensor],
    v: impl Into<Option<&'a Tensor>>,
) -> Result<(Tensor, Vec<Tensor>), Error> {
    Derivatives::new().vjp(function, inputs, v)
}

/// `J v`: the value of `function` at `inputs`, and its derivative in the direction `v` (one tensor for each
/// input, of its shape). Both have the shape of the value.
///
/// ```
/// use tape::{Tensor, functional::jvp};
/// let (_, product) = jvp(|v| &v[0] * v[0].sum(), &[&Tensor::from([1.0, 3.0])], &[&Tensor::from([1.0, 0.0])])?;
/// assert_eq!(product.to_vec::<f64>(), [5.0, 3.0]);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// As [`vjp`].
pub fn jvp(
    function: impl Fn(&[Tensor]) -> Tensor,
    inputs: &[&Tensor],
    v: &[&Tensor],
) -> Result<(Tensor, Tensor), Error> {
    Derivatives::new().jvp(function, inputs, v)
}

/// The Jacobian of `function` for each input: the shape is the value's followed by the input's.
///
/// ```
/// use tape::{Tensor, functional::jacobian};
/// let j = jacobian(|v| v[0].pow(2.0), &[&Tensor::from([1.0, 3.0])])?;
/// assert_eq!(j[0].to_vec::<f64>(), [2.0, 0.0, 0.0, 6.0]);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// As [`vjp`].
pub fn jacobian(function: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<Vec<Tensor>, Error> {
    Derivatives::new().jacobian(function, inputs)
}

/// The Jacobian of every row of a batch: for `x: [N, ..in]` and a `function` that maps each row on its own
/// to `[N, ..out]`, the result is `[N, ..out, ..in]`. It takes as many backward passes as a row of the output
/// has elements, whatever `N`.
///
/// That rows do not depend on each other is not checked; if they do, the result is the sum of their Jacobians.
///
/// ```
/// use tape::{Tensor, functional::batch_jacobian};
/// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// let j = batch_jacobian(|x| x.pow(2.0), &x)?;
/// assert_eq!(j.shape(), [2, 2, 2]);
/// assert_eq!(j.i(1).to_vec::<f64>(), [6.0, 0.0, 0.0, 8.0]);
/// # Ok::<(), tape::Error>(())
/// ```
///
/// # Errors
/// As [`vjp`]; also if the output's first dimension is not the input's.
pub fn batch_jacobian(function: impl Fn(&Tensor) -> Tensor, x: &Tensor) -> Result<Tensor, Error> {
    Derivatives::new().batch_jacobian(function, x)
}

/// The Hessian of a function with one value: block `[i][j]` holds the second derivatives with respect to
/// inputs `i` and `j`, its shape is that of input `i` followed by that of input `j`.
///
/// # Errors
/// As [`vjp`]; also if the value has more than one element.
pub fn hessian(function: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<Vec<Vec<Tensor>>, Error> {
    Derivatives::new().hessian(function, inputs)
}

/// `H v`, the Hessian of a function with one value times a vector, without the Hessian: `v` has one tensor
/// for each input, of its shape. Returns the value and one product for each input.
///
/// # Errors
/// As [`hessian`].
pub fn hvp(
    function: impl Fn(&[Tensor]) -> Tensor,
    inputs: &[&Tensor],
    v: &[&Tensor],
) -> Result<(Tensor, Vec<Tensor>), Error> {
    Derivatives::new().hvp(function, inputs, v)
}

/// `v^T H`. The Hessian of a function with continuous second derivatives is symmetric, and this is [`hvp`];
/// in torch it is the faster of the two, here both are the same computation.
///
/// # Errors
/// As [`hessian`].
pub fn vhp(
    function: impl Fn(&[Tensor]) -> Tensor,
    inputs: &[&Tensor],
    v: &[&Tensor],
) -> Result<(Tensor, Vec<Tensor>), Error> {
    Derivatives::new().hvp(function, inputs, v)
}

impl Derivatives {
    /// torch's defaults: no graph, and zeros where the value does not depend on an input.
    pub fn new() -> Derivatives {
        Derivatives::default()
    }

    /// Records the derivative itself, also as a function of inputs that require gradients.
    pub fn create_graph(mut self, create_graph: bool) -> Self {
        self.create_graph = create_graph;
        self
    }

    /// Makes it an error that the value, or a first derivative where a second is taken, does not depend on an
    /// input.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// [`vjp`] with these options.
    ///
    /// # Errors
    /// As [`vjp`].
    pub fn vjp<'a>(
        &self,
        function: impl Fn(&[Tensor]) -> Tensor,
        inputs: &[&Tensor],
        v: impl Into<Option<&'a Tensor>>,
    ) -> Result<(Tensor, Vec<Tensor>), Error> {
        let inputs = self.stand_ins("vjp", inputs)?;
        let value = enable_grad(|| function(&inputs));
        let v = match v.into() {
            Some(v) => v.clone(),
            None if value.numel() == 1 => value.detach().ones_like(),
            None => {
                return Err(Error::Functional(
                    "vjp: The vector v can only be None if the user-provided function returns a single Tensor with a \
                     single element."
                        .into(),
                ));
            }
        };
        same_shape("vjp", "v", "the value", &v, &value)?;
        let products = self.gradients("vjp", &value, &inputs, Some(&v), self.create_graph, false)?;
        Ok((self.finish(value), products))
    }

    /// [`jvp`] with these options.
    ///
    /// # Errors
    /// As [`jvp`].
    pub fn jvp(
        &self,
        function: impl Fn(&[Tensor]) -> Tensor,
        inputs: &[&Tensor],
        v: &[&Tensor],
    ) -> Result<(Tensor, Tensor), Error> {
        let inputs = self.stand_ins("jvp", inputs)?;
        directions("jvp", v, &inputs)?;
        let value = enable_grad(|| function(&inputs));
        // v^T J is linear in this, whatever its value.
        let cotangent = value.detach().zeros_like().requires_grad_(true);
        let rows = self.gradients("jvp", &value, &inputs, Some(&cotangent), true, false)?;
        let pairs = rows.iter().zip(v).filter(|(row, _)| row.requires_grad());
        let (rows, directions): (Vec<Tensor>, Vec<Tensor>) = pairs.map(|(row, &v)| (row.clone(), v.clone())).unzip();
        if rows.is_empty() {
            let product = value.detach().zeros_like();
            return Ok((self.finish(value), product));
        }
        let product = grad(rows, &cotangent)
            .grad_outputs(directions)
            .create_graph(self.create_graph)
            .allow_unused(true)
            .compute()?
            .remove(0);
        let product = product.unwrap_or_else(|| cotangent.detach().zeros_like());
        Ok((self.finish(value), product))
    }

    /// [`jacobian`] with these options.
    ///
    /// # Errors
    /// As [`jacobian`].
    pub fn jacobian(&self, function: impl Fn(&[Tensor]) -> Tensor, inputs: &[&Tensor]) -> Result<Vec<Tensor>, Error> {
        Ok(self.jacobian_many(|x| vec![function(x)], inputs)?.remove(0))
    }

    /// The Jacobian of a function of several outputs, `[output][input]`.
    ///
    /// ```
    /// use tape::{Tensor, functional::Derivatives};
    /// let j = Derivatives::new().jacobian_many(|v| vec![v[0].sum(), &v[0] * 2.0], &[&Tensor::from([1.0, 3.0])])?;
    /// assert_eq!(j[0][0].to_vec::<f64>(), [1.0, 1.0]);
    /// assert_eq!(j[1][0].to_vec::<f64>(), [2.0, 0.0, 0.0, 2.0]);
    /// # Ok::<(), tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`jacobian`].
    pub fn jacobian_many(
        &self,
        function: impl Fn(&[Tensor]) -> Vec<Tensor>,
        inputs: &[&Tensor],
    ) -> Result<Vec<Vec<Tensor>>, Error> {
        let inputs = self.stand_ins("jacobian", inputs)?;
        let outputs = enable_grad(|| function(&inputs));
        outputs.iter().map(|output| self.blocks("jacobian", output, &inputs, self.create_graph)).collect()
    }

    /// [`batch_jacobian`] with these options.
    ///
    /// # Errors
    /// As [`batch_jacobian`].
    pub fn batch_jacobian(&self, function: impl Fn(&Tensor) -> Tensor, x: &Tensor) -> Result<Tensor, Error> {
        let name = "batch_jacobian";
        let inputs = self.stand_ins(name, &[x])?;
        let output = enable_grad(|| function(&inputs[0]));
        let batch = x.sizes().first().copied();
        if batch.is_none() || output.sizes().first().copied() != batch {
            return Err(Error::Functional(format!(
                "batch_jacobian: the first dimension numbers the rows of the batch, but the input has shape {:?} and the \
                 output {:?}; return one row for each row",
                x.sizes(),
                output.sizes()
            )));
        }
        let rows = output.numel().checked_div(output.size(0)).unwrap_or(0);
        let mut columns = Vec::with_capacity(rows);
        for row in 0..rows {
            let mut direction = vec![0.0; output.numel()];
            direction.iter_mut().skip(row).step_by(rows).for_each(|entry| *entry = 1.0);
            let direction = Tensor::from_vec(direction, output.sizes()).to_dtype(output.dtype());
            columns.push(self.gradients(name, &output, &inputs, Some(&direction), self.create_graph, true)?.remove(0));
        }
        let shape: Vec<usize> = output.sizes().iter().chain(&x.sizes()[1..]).copied().collect();
        if columns.is_empty() {
            return Ok(Tensor::zeros(shape, x.dtype()));
        }
        Ok(reshaped(&Tensor::stack(columns, 1), &shape))
    }

    /// [`hessian`] with these options.
    ///
    /// # Errors
    /// As [`hessian`].
    pub fn hessian(
        &self,
        function: impl Fn(&[Tensor]) -> Tensor,
        inputs: &[&Tensor],
    ) -> Result<Vec<Vec<Tensor>>, Error> {
        let inputs = self.stand_ins("hessian", inputs)?;
        let value = one_element("hessian", enable_grad(|| function(&inputs)))?;
        let first = self.gradients("hessian", &value, &inputs, None, true, true)?;
        first.iter().map(|gradient| self.blocks("hessian", gradient, &inputs, self.create_graph)).collect()
    }

    /// [`hvp`] with these options.
    ///
    /// # Errors
    /// As [`hvp`].
    pub fn hvp(
        &self,
        function: impl Fn(&[Tensor]) -> Tensor,
        inputs: &[&Tensor],
        v: &[&Tensor],
    ) -> Result<(Tensor, Vec<Tensor>), Error> {
        let inputs = self.stand_ins("hvp", inputs)?;
        directions("hvp", v, &inputs)?;
        let value = one_element("hvp", enable_grad(|| function(&inputs)))?;
        let first = self.gradients("hvp", &value, &inputs, None, true, false)?;
        let pairs = first.iter().zip(v).filter(|(gradient, _)| gradient.requires_grad());
        let (first, directions): (Vec<Tensor>, Vec<Tensor>) = pairs.map(|(g, &v)| (g.clone(), v.clone())).unzip();
        if first.is_empty() {
            let zeros = inputs.iter().map(|input| input.detach().zeros_like()).collect();
            return Ok((self.finish(value), zeros));
        }
        let products = grad(first, &inputs)
            .grad_outputs(directions)
            .create_graph(self.create_graph)
            .allow_unused(true)
            .compute()?;
        let products = self.or_zeros("hvp", products, &inputs)?;
        Ok((self.finish(value), products))
    }

    /// Tensors that the function is called on: with the history of the inputs if the result is to have one,
    /// else leaves that require gradients.
    fn stand_ins(&self, name: &str, inputs: &[&Tensor]) -> Result<Vec<Tensor>, Error> {
        let stand_in = |(index, input): (usize, &&Tensor)| {
            if !input.dtype().is_floating_point() {
                return Err(Error::Functional(format!(
                    "{name}: input {index} is of dtype {}; derivatives are taken with respect to floating-point tensors \
                     (convert it with double())",
                    input.dtype()
                )));
            }
            Ok(if self.create_graph && input.requires_grad() {
                enable_grad(|| input.copy())
            } else {
                input.detach().requires_grad_(true)
            })
        };
        inputs.iter().enumerate().map(stand_in).collect()
    }

    /// One row of derivatives: zeros for inputs that the output does not depend on.
    fn gradients(
        &self,
        name: &str,
        output: &Tensor,
        inputs: &[Tensor],
        direction: Option<&Tensor>,
        create_graph: bool,
        retain_graph: bool,
    ) -> Result<Vec<Tensor>, Error> {
        if !output.requires_grad() {
            return self.or_zeros(name, vec![None; inputs.len()], inputs);
        }
        let mut pass = grad(output, inputs).create_graph(create_graph).retain_graph(retain_graph || create_graph);
        if let Some(direction) = direction {
            pass = pass.grad_outputs(direction);
        }
        self.or_zeros(name, pass.allow_unused(true).compute()?, inputs)
    }

    fn or_zeros(&self, name: &str, gradients: Vec<Option<Tensor>>, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        let filled = |(index, gradient): (usize, Option<Tensor>)| match gradient {
            Some(gradient) => Ok(gradient),
            None if self.strict => Err(Error::Functional(format!(
                "{name}: Output of the user-provided function is independent of input {index}. This is not allowed in \
                 strict mode."
            ))),
            None => Ok(inputs[index].detach().zeros_like()),
        };
        gradients.into_iter().enumerate().map(filled).collect()
    }

    /// The derivative of every element of `output`, by input.
    fn blocks(&self, name: &str, output: &Tensor, inputs: &[Tensor], create_graph: bool) -> Result<Vec<Tensor>, Error> {
        let mut rows: Vec<Vec<Tensor>> = vec![Vec::new(); inputs.len()];
        for element in 0..output.numel() {
            let mut direction = vec![0.0; output.numel()];
            direction[element] = 1.0;
            let direction = Tensor::from_vec(direction, output.sizes()).to_dtype(output.dtype());
            let gradients = self.gradients(name, output, inputs, Some(&direction), create_graph, true)?;
            for (rows, gradient) in rows.iter_mut().zip(gradients) {
                rows.push(gradient);
            }
        }
        let block = |(rows, input): (Vec<Tensor>, &Tensor)| {
            let shape: Vec<usize> = output.sizes().iter().chain(input.sizes()).copied().collect();
            if rows.is_empty() {
                return Tensor::zeros(shape, input.dtype());
            }
            reshaped(&Tensor::stack(rows, 0), &shape)
        };
        Ok(rows.into_iter().zip(inputs).map(block).collect())
    }

    /// The value as the caller gets it.
    fn finish(&self, value: Tensor) -> Tensor {
        if self.create_graph { value } else { value.detach() }
    }
}

fn reshaped(tensor: &Tensor, shape: &[usize]) -> Tensor {
    if tensor.sizes() == shape { tensor.clone() } else { tensor.reshape(shape) }
}

fn one_element(name: &str, value: Tensor) -> Result<Tensor, Error> {
    if value.numel() == 1 && value.dtype() != DType::Bool {
        return Ok(value);
    }
    Err(Error::Functional(format!(
        "{name}: The Tensor returned by the function given to {name} should contain a single element, but its shape is \
         {:?}; reduce it with sum() or mean()",
        value.sizes()
    )))
}

fn same_shape(name: &str, vector: &str, wanted: &str, v: &Tensor, reference: &Tensor) -> Result<(), Error> {
    if v.sizes() == reference.sizes() {
        return Ok(());
    }
    Err(Error::Functional(format!(
        "{name}: {vector} has invalid size: should be {:?} (the shape of {wanted}) but got {:?}",
        reference.sizes(),
        v.sizes()
    )))
}

fn directions(name: &str, v: &[&Tensor], inputs: &[Tensor]) -> Result<(), Error> {
    if v.len() != inputs.len() {
        return Err(Error::Functional(format!(
            "{name}: v has {} tensors and there are {} inputs; give one direction for each input",
            v.len(),
            inputs.len()
        )));
    }
    for (index, (v, input)) in v.iter().zip(inputs).enumerate() {
        same_shape(name, &format!("entry {index} of v"), &format!("input {index}"), v, input)?;
    }
    Ok(())
}
