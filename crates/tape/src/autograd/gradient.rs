//! Asking for gradients: `backward` and `grad`.

use super::engine::{self, Options};
use super::node::Edge;
use crate::{Error, Tensor};

/// Options of [`Tensor::backward_with`], by torch's names.
///
/// ```
/// use tape::{BackwardOptions, Tensor};
/// let x = Tensor::from([1.0, 2.0]).requires_grad_(true);
/// let y = &x * &x;
/// y.backward_with(BackwardOptions::new().gradient(&Tensor::from([1.0, 0.5])).retain_graph(true))?;
/// assert_eq!(x.grad().unwrap().to_vec::<f64>(), [2.0, 2.0]);
/// # Ok::<(), tape::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct BackwardOptions {
    gradient: Option<Tensor>,
    retain_graph: Option<bool>,
    create_graph: bool,
}

impl BackwardOptions {
    /// torch's defaults: no gradient (the output must have one element), nothing retained.
    pub fn new() -> BackwardOptions {
        BackwardOptions::default()
    }

    /// The gradient of the output, of the output's shape.
    pub fn gradient(mut self, gradient: &Tensor) -> Self {
        self.gradient = Some(gradient.clone());
        self
    }

    /// Keeps what the graph saved, so that it can be walked again. Default: as `create_graph`.
    pub fn retain_graph(mut self, retain_graph: bool) -> Self {
        self.retain_graph = Some(retain_graph);
        self
    }

    /// Records the backward pass itself, so that gradients have gradients.
    ///
    /// A leaf's `.grad` then holds a graph that holds the leaf, and neither is freed before the gradient is
    /// cleared with `set_grad(None)`. [`grad()`], which leaves `.grad` alone, has no such cycle.
    pub fn create_graph(mut self, create_graph: bool) -> Self {
        self.create_graph = create_graph;
        self
    }
}

impl Tensor {
    /// Adds the gradient of this one-element tensor to the `.grad` of every leaf that it depends on.
    ///
    /// ```
    /// # use tape::Tensor;
    /// let x = Tensor::from([3.0]).requires_grad_(true);
    /// x.pow(2.0).sum().backward()?;
    /// assert_eq!(x.grad().unwrap().item(), 6.0);
    /// # Ok::<(), tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the tensor has more than one element or no history, if the graph was freed by an earlier
    /// call, or if a value it needs was changed in place. No gradient has been changed then.
    pub fn backward(&self) -> Result<(), Error> {
        self.backward_with(BackwardOptions::new())
    }

    /// [`backward`](Tensor::backward) with options.
    ///
    /// # Errors
    /// As `backward`; also if the given gradient's shape is not the tensor's.
    pub fn backward_with(&self, options: BackwardOptions) -> Result<(), Error> {
        let root = root(0, self, options.gradient, options.create_graph)?;
        let retain_graph = options.retain_graph.unwrap_or(options.create_graph);
        engine::backward(vec![root], Options { retain_graph, create_graph: options.create_graph })
    }
}

/// Checks an output and its gradient, or makes the implicit gradient 1.
fn root(index: usize, output: &Tensor, gradient: Option<Tensor>, create_graph: bool) -> Result<(Edge, Tensor), Error> {
    let edge = output.edge().ok_or(Error::NoGraph { index })?;
    let gradient = match gradient {
        Some(gradient) if gradient.sizes() != output.sizes() => {
            return Err(Error::GradientShape {
                index,
                gradient: gradient.sizes().to_vec(),
                output: output.sizes().to_vec(),
            });
        }
        Some(gradient) if create_graph => gradient,
        Some(gradient) => gradient.detach(),
        None if output.numel() == 1 => output.ones_like(),
        None => return Err(Error::NonScalarOutput { index, shape: output.sizes().to_vec() }),
    };
    Ok((edge, gradient))
}

/// One tensor or a list of tensors, as [`grad`] takes them.
pub struct Tensors(pub(crate) Vec<Tensor>);

impl From<&Tensor> for Tensors {
    fn from(tensor: &Tensor) -> Self {
        Tensors(vec![tensor.clone()])
    }
}
impl From<Tensor> for Tensors {
    fn from(tensor: Tensor) -> Self {
        Tensors(vec![tensor])
    }
}
impl From<Vec<Tensor>> for Tensors {
    fn from(tensors: Vec<Tensor>) -> Self {
        Tensors(tensors)
    }
}
impl From<&Vec<Tensor>> for Tensors {
    fn from(tensors: &Vec<Tensor>) -> Self {
        Tensors(tensors.clone())
    }
}
impl From<&[Tensor]> for Tensors {
    fn from(tensors: &[Tensor]) -> Self {
        Tensors(tensors.to_vec())
    }
}
impl From<&[&Tensor]> for Tensors {
    fn from(tensors: &[&Tensor]) -> Self {
        Tensors(tensors.iter().map(|&tensor| tensor.clone()).collect())
    }
}
impl<const N: usize> From<[&Tensor; N]> for Tensors {
    fn from(tensors: [&Tensor; N]) -> Self {
        Tensors(tensors.iter().map(|&tensor| tensor.clone()).collect())
    }
}
impl<const N: usize> From<&[&Tensor; N]> for Tensors {
    fn from(tensors: &[&Tensor; N]) -> Self {
        Tensors::from(*tensors)
    }
}
impl<const N: usize> From<[Tensor; N]> for Tensors {
    fn from(tensors: [Tensor; N]) -> Self {
        Tensors(tensors.into())
    }
}
impl<const N: usize> From<&[Tensor; N]> for Tensors {
    fn from(tensors: &[Tensor; N]) -> Self {
        Tensors(tensors.to_vec())
    }
}

/// The gradients of `outputs` with respect to `inputs`, torch's `autograd.grad`: a builder whose
/// [`compute`](Grad::compute) runs the pass. No `.grad` is touched. Inputs need not be leaves.
///
/// ```
/// use tape::{Tensor, grad};
/// // u = sin x, and u'' = -u by differentiating the derivative.
/// let x = Tensor::from([0.5, 1.0]).requires_grad_(true);
/// let u = x.sin();
/// let du = grad(&u, &x).grad_outputs(&u.ones_like()).create_graph(true).compute()?.remove(0);
/// let ddu = grad(&du.sum(), &x).compute()?.remove(0);
/// assert!((&ddu + &u).abs().max().item() < 1e-15);
/// # Ok::<(), tape::Error>(())
/// ```
pub fn grad(outputs: impl Into<Tensors>, inputs: impl Into<Tensors>) -> Grad {
    Grad {
        outputs: outputs.into().0,
        inputs: inputs.into().0,
        grad_outputs: None,
        retain_graph: None,
        create_graph: false,
    }
}

/// A call of [`grad`] before it is made.
#[must_use = "nothing is computed before compute() is called"]
pub struct Grad {
    outputs: Vec<Tensor>,
    inputs: Vec<Tensor>,
    grad_outputs: Option<Vec<Tensor>>,
    retain_graph: Option<bool>,
    create_graph: bool,
}

impl Grad {
    /// The gradients of the outputs, each of its output's shape. Without them every output must have
    /// one element.
    pub fn grad_outputs(mut self, grad_outputs: impl Into<Tensors>) -> Self {
        self.grad_outputs = Some(grad_outputs.into().0);
        self
    }

    /// Keeps what the graph saved. Default: as `create_graph`.
    pub fn retain_graph(mut self, retain_graph: bool) -> Self {
        self.retain_graph = Some(retain_graph);
        self
    }

    /// Records the pass itself, so that the gradients have gradients.
    pub fn create_graph(mut self, create_graph: bool) -> Self {
        self.create_graph = create_graph;
        self
    }

    /// With `true`, an input that the outputs do not depend on is no error: its gradient is `None`.
    pub fn allow_unused(self, allow_unused: bool) -> GradAllowUnused {
        GradAllowUnused { grad: self, allow_unused, materialize: false }
    }

    /// With `true`, an input that the outputs do not depend on gets a gradient of zeros.
    pub fn materialize_grads(self, materialize: bool) -> GradAllowUnused {
        GradAllowUnused { grad: self, allow_unused: materialize, materialize }
    }

    /// Runs the pass for the only input: its gradient, Python's `grad(..)[0]`.
    ///
    /// ```
    /// use tape::{Tensor, grad};
    /// let x = Tensor::from([2.0]).requires_grad_(true);
    /// let first = grad(x.pow(3.0).sum(), &x).create_graph(true).compute_one()?;
    /// assert_eq!(grad(first.sum(), &x).compute_one()?.item(), 12.0);
    /// # Ok::<(), tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`compute`](Grad::compute); also if there are several inputs.
    pub fn compute_one(self) -> Result<Tensor, Error> {
        let mut gradients = self.compute()?;
        match (gradients.pop(), gradients.len()) {
            (Some(gradient), 0) => Ok(gradient),
            (_, others) => Err(Error::InvalidOption(format!(
                "compute_one gives the gradient of the only input, but there are {} inputs; use compute",
                others + 1
            ))),
        }
    }

    /// Runs the pass. One gradient per input, in order, each of its input's shape and dtype.
    ///
    /// # Errors
    /// As [`Tensor::backward`]; also if an input does not require gradients or was not used.
    pub fn compute(self) -> Result<Vec<Tensor>, Error> {
        let gradients = self.run()?;
        let used = |(index, gradient): (usize, Option<Tensor>)| gradient.ok_or(Error::UnusedInput { index });
        gradients.into_iter().enumerate().map(used).collect()
    }

    fn run(&self) -> Result<Vec<Option<Tensor>>, Error> {
        if let Some(grad_outputs) = &self.grad_outputs
            && grad_outputs.len() != self.outputs.len()
        {
            return Err(Error::GradientCount { outputs: self.outputs.len(), gradients: grad_outputs.len() });
        }
        let inputs = self.inputs.iter().enumerate();
        let inputs = inputs
            .map(|(index, input)| input.edge().ok_or(Error::InputWithoutGrad { index }))
            .collect::<Result<Vec<_>, _>>()?;
        let mut roots = Vec::with_capacity(self.outputs.len());
        for (index, output) in self.outputs.iter().enumerate() {
            let gradient = self.grad_outputs.as_ref().map(|grads| grads[index].clone());
            roots.push(root(index, output, gradient, self.create_graph)?);
        }
        let retain_graph = self.retain_graph.unwrap_or(self.create_graph);
        engine::gradients_of(roots, &inputs, Options { retain_graph, create_graph: self.create_graph })
    }
}

/// A call of [`grad`] in which inputs may be unused.
#[must_use = "nothing is computed before compute() is called"]
pub struct GradAllowUnused {
    grad: Grad,
    allow_unused: bool,
    materialize: bool,
}

impl GradAllowUnused {
    /// Unused inputs get a gradient of zeros instead of `None`.
    pub fn materialize_grads(mut self, materialize: bool) -> Self {
        self.materialize = materialize;
        self
    }

    /// Runs the pass. One entry per input; `None` for an unused one.
    ///
    /// # Errors
    /// As [`Grad::compute`], and if zeros were asked for although unused inputs are not allowed.
    pub fn compute(self) -> Result<Vec<Option<Tensor>>, Error> {
        if self.materialize && !self.allow_unused {
            return Err(Error::InvalidOption(
                "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
                    .into(),
            ));
        }
        let mut gradients = self.grad.run()?;
        for (index, gradient) in gradients.iter_mut().enumerate().filter(|(_, gradient)| gradient.is_none()) {
            if self.materialize {
                *gradient = Some(self.grad.inputs[index].zeros_like());
            } else if !self.allow_unused {
                return Err(Error::UnusedInput { index });
            }
        }
        Ok(gradients)
    }
}
