//! Operations whose forward and backward pass the user writes, torch's `autograd.Function`.

use super::node::{Edge, Gradients, Node, Op, OutputInfo, Rule, Saved, Saves, tracks};
use super::{is_grad_enabled, no_grad};
use crate::{Error, Tensor};
use smallvec::SmallVec;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

/// A function of tensors with a derivative written by its user.
///
/// [`forward`](Function::forward) computes the value, unrecorded, and leaves in the [`Context`] what the
/// derivative will need; [`backward`](Function::backward) turns the gradient of the output into one gradient
/// per input. [`apply`](Function::apply) runs the one and records the other. A derivative written in tensor
/// operations on saved tensors can be differentiated again; one that leaves tensors, say for a solver of its
/// own, should say so by [`once_differentiable`](Function::once_differentiable).
///
/// Fields of the type are constants of the function. Check a derivative with [`gradcheck`](crate::gradcheck())
/// and [`gradgradcheck`](crate::gradgradcheck()).
///
/// ```
/// use tape::{Context, Function, Tensor, gradcheck, gradgradcheck};
///
/// /// `x^power`.
/// #[derive(Clone, Copy)]
/// struct Power {
///     power: f64,
/// }
///
/// impl Function for Power {
///     fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Tensor {
///         context.save_for_backward(&[&inputs[0]]);
///         inputs[0].pow(self.power)
///     }
///     fn backward(&self, context: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
///         let x = &context.saved_tensors()[0];
///         vec![Some(grad_output * self.power * x.pow(self.power - 1.0))]
///     }
/// }
///
/// let cube = Power { power: 3.0 };
/// let x = Tensor::from([0.5, -1.0, 2.0]);
/// assert_eq!(cube.apply(&[&x]).to_vec::<f64>(), [0.125, -1.0, 8.0]);
/// gradcheck(|v| cube.apply(&[&v[0]]), &[&x])?;
/// gradgradcheck(|v| cube.apply(&[&v[0]]), &[&x])?;
/// # Ok::<(), tape::Error>(())
/// ```
pub trait Function: Send + Sync + 'static {
    /// The value. Operations in it are not recorded.
    fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Tensor;

    /// The gradient of each input, `None` for those that have none, from the gradient of the output.
    fn backward(&self, context: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>>;

    /// The name in messages and in [`grad_fn_name`](Tensor::grad_fn_name); the type's own unless it is
    /// overridden.
    fn name(&self) -> &'static str {
        short_type_name::<Self>()
    }

    /// Whether the gradients that `backward` returns must not be differentiated again, because it computes
    /// them outside of tensor operations. A second derivative is then an error instead of a wrong number.
    fn once_differentiable(&self) -> bool {
        false
    }

    /// The value for `inputs`, recorded if one of them requires gradients. It is then a copy if `forward` returns
    /// an input or a view of one.
    ///
    /// A backward pass through it fails if `backward` returns another number of gradients than there are
    /// inputs, or one that does not fit its input's shape.
    fn apply(self, inputs: &[&Tensor]) -> Tensor
    where
        Self: Sized,
    {
        apply(Single(self), inputs).remove(0)
    }
}

/// A [`Function`] with several outputs.
///
/// ```
/// use tape::{Context, MultiFunction, Tensor};
///
/// /// Sine and cosine at once.
/// struct SinCos;
///
/// impl MultiFunction for SinCos {
///     fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Vec<Tensor> {
///         let outputs = vec![inputs[0].sin(), inputs[0].cos()];
///         context.save_for_backward(&[&outputs[0], &outputs[1]]);
///         outputs
///     }
///     fn backward(&self, context: &Context, grad_outputs: &[Tensor]) -> Vec<Option<Tensor>> {
///         let [sin, cos] = context.saved_tensors() else { unreachable!("two tensors were saved") };
///         vec![Some(&grad_outputs[0] * cos - &grad_outputs[1] * sin)]
///     }
/// }
///
/// let x = Tensor::from([0.0, 1.0]).requires_grad_(true);
/// let outputs = SinCos.apply(&[&x]);
/// (&outputs[0] * &outputs[1]).sum().backward()?;
/// assert_eq!(x.grad().unwrap().i(0).item(), 1.0); // cos^2 - sin^2
/// # Ok::<(), tape::Error>(())
/// ```
pub trait MultiFunction: Send + Sync + 'static {
    /// The values. Operations in it are not recorded.
    fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Vec<Tensor>;

    /// The gradient of each input, `None` for those that have none, from the gradients of the outputs; an
    /// output that took no part in the result has a gradient of zeros.
    fn backward(&self, context: &Context, grad_outputs: &[Tensor]) -> Vec<Option<Tensor>>;

    /// As [`Function::name`].
    fn name(&self) -> &'static str {
        short_type_name::<Self>()
    }

    /// As [`Function::once_differentiable`].
    fn once_differentiable(&self) -> bool {
        false
    }

    /// The values for `inputs`, recorded if one of them requires gradients. Outputs of integer or boolean
    /// dtype, and those the context [marks](Context::mark_non_differentiable), have no history.
    fn apply(self, inputs: &[&Tensor]) -> Vec<Tensor>
    where
        Self: Sized,
    {
        apply(self, inputs)
    }
}

/// A function of one output as one of several.
struct Single<F>(F);

impl<F: Function> MultiFunction for Single<F> {
    fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Vec<Tensor> {
        vec![self.0.forward(context, inputs)]
    }
    fn backward(&self, context: &Context, grad_outputs: &[Tensor]) -> Vec<Option<Tensor>> {
        self.0.backward(context, &grad_outputs[0])
    }
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn once_differentiable(&self) -> bool {
        self.0.once_differentiable()
    }
}

/// What a [`Function`] carries from its forward to its backward pass.
#[derive(Default)]
pub struct Context {
    saved: Vec<Tensor>,
    needed: Vec<bool>,
    non_differentiable: Vec<Tensor>,
    values: Arc<Values>,
}

type Values = HashMap<TypeId, Box<dyn Any + Send + Sync>>;

impl Context {
    /// Keeps tensors for the backward pass: inputs, outputs or others. As with every recorded operation,
    /// changing one of them in place before the backward pass makes that pass fail. A second call replaces
    /// the first.
    pub fn save_for_backward(&mut self, tensors: &[&Tensor]) {
        self.saved = tensors.iter().map(|&tensor| tensor.clone()).collect();
    }

    /// The tensors given to [`save_for_backward`](Context::save_for_backward), in that order; inputs and
    /// outputs with their history, so that the backward pass can be differentiated.
    pub fn saved_tensors(&self) -> &[Tensor] {
        &self.saved
    }

    /// Whether a gradient for this input is of any use. `backward` may return `None` where it is not.
    pub fn needs_input_grad(&self, input: usize) -> bool {
        self.needed.get(input).copied().unwrap_or(false)
    }

    /// Says in `forward` that an output is a constant as far as derivatives go (positions, masks).
    pub fn mark_non_differentiable(&mut self, output: &Tensor) {
        self.non_differentiable.push(output.clone());
    }

    /// Keeps a value that is not a tensor for the backward pass; one value per type.
    ///
    /// ```
    /// # use tape::{Context, Function, Tensor};
    /// struct Threshold;
    /// impl Function for Threshold {
    ///     fn forward(&self, context: &mut Context, inputs: &[Tensor]) -> Tensor {
    ///         let largest: f64 = inputs[0].max().item();
    ///         context.set(largest);
    ///         &inputs[0] / largest
    ///     }
    ///     fn backward(&self, context: &Context, grad_output: &Tensor) -> Vec<Option<Tensor>> {
    ///         vec![context.get::<f64>().map(|&largest| grad_output / largest)]
    ///     }
    /// }
    /// let x = Tensor::from([1.0, 4.0]).requires_grad_(true);
    /// Threshold.apply(&[&x]).sum().backward()?;
    /// assert_eq!(x.grad().unwrap().to_vec::<f64>(), [0.25, 0.25]);
    /// # Ok::<(), tape::Error>(())
    /// ```
    pub fn set<T: Any + Send + Sync>(&mut self, value: T) {
        let values = Arc::get_mut(&mut self.values).expect("a context is shared with nobody during forward");
        values.insert(TypeId::of::<T>(), Box::new(value));
    }

    /// The value of this type given to [`set`](Context::set).
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.values.get(&TypeId::of::<T>()).and_then(|value| value.downcast_ref())
    }
}

/// The last segment of a type's path, without its parameters.
fn short_type_name<T: ?Sized>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

fn apply<F: MultiFunction>(function: F, inputs: &[&Tensor]) -> Vec<Tensor> {
    let owned: Vec<Tensor> = inputs.iter().map(|&input| input.clone()).collect();
    let recorded = tracks(inputs);
    let needed = inputs.iter().map(|input| recorded && input.requires_grad()).collect();
    let mut context = Context { needed, ..Context::default() };
    let outputs = no_grad(|| function.forward(&mut context, &owned));
    if !recorded {
        return outputs;
    }
    let saved: Saves = context
        .saved
        .iter()
        .map(|tensor| match outputs.iter().position(|output| output.same(tensor)) {
            // An input that is returned as it is has the history of an input.
            Some(index) if !owned.iter().any(|input| input.same(tensor)) => Saved::output(tensor, index as u32),
            _ => Saved::input(tensor),
        })
        .collect();
    let infos = outputs
        .iter()
        .map(|output| OutputInfo { shape: output.layout().shape.clone(), dtype: output.dtype() })
        .collect();
    let edges = inputs.iter().map(|input| input.edge()).collect();
    let node = Node::new(Custom { function, values: context.values }, edges, infos, saved);
    let marked = |output: &Tensor| context.non_differentiable.iter().any(|marked| marked.same(output));
    let with_history = |(index, output): (usize, &Tensor)| {
        if !output.dtype().is_floating_point() || marked(output) {
            return output.alias();
        }
        // Another handle: the function may have kept this one. What lies in the memory of an input is copied: a
        // change in place would change the input too, past the input's history.
        let shared = owned.iter().any(|input| input.shares_storage(output));
        let result = if shared { no_grad(|| output.copy()) } else { output.alias() };
        result.with_origin(Arc::clone(&node), index as u32)
    };
    outputs.iter().enumerate().map(with_history).collect()
}

/// A user's function as an operation of the graph.
struct Custom<F> {
    function: F,
    values: Arc<Values>,
}

impl<F: MultiFunction> Op for Custom<F> {
    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn backward(&self, _: &Rule<'_>, _: &Tensor) -> Gradients {
        unreachable!("a custom function is run by `run`, which can fail")
    }

    fn run(&self, rule: &Rule<'_>, grads: &[Option<Tensor>]) -> Result<Gradients, Box<Error>> {
        let outputs = rule.node.outputs.iter().zip(grads);
        let grads: Vec<Tensor> = outputs
            .map(|(info, grad)| grad.clone().unwrap_or_else(|| Tensor::zeros(&info.shape[..], info.dtype)))
            .collect();
        let inputs = rule.node.edges.len();
        let context = Context {
            saved: rule.saved.to_vec(),
            needed: (0..inputs).map(|input| rule.needs(input)).collect(),
            non_differentiable: Vec::new(),
            values: Arc::clone(&self.values),
        };
        let once = self.function.once_differentiable() && is_grad_enabled();
        let mut gradients = if once {
            no_grad(|| self.function.backward(&context, &grads))
        } else {
            self.function.backward(&context, &grads)
        };
        let count = gradients.len();
        // As in torch, superfluous gradients are no error as long as they are absent.
        while gradients.len() > inputs && gradients.last().is_some_and(Option::is_none) {
            gradients.pop();
        }
        if gradients.len() != inputs {
            return Err(Box::new(Error::FunctionGradients {
                function: self.name(),
                expected: inputs,
                returned: count,
            }));
        }
        if once {
            let name = self.name();
            let barred = |gradient: Tensor| bar_second_derivative(gradient, name, &grads, rule);
            return Ok(gradients.into_iter().map(|gradient| gradient.map(barred)).collect());
        }
        Ok(gradients.into())
    }

    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        unreachable!("functions of users bring their own tests")
    }
}

/// Gives a gradient a history that fails when it is followed: it depends on the function's inputs and on the
/// outputs' gradients, nobody says how.
fn bar_second_derivative(gradient: Tensor, function: &'static str, grads: &[Tensor], rule: &Rule<'_>) -> Tensor {
    let edges: SmallVec<[Option<Edge>; 2]> =
        rule.node.edges.iter().cloned().chain(grads.iter().map(Tensor::edge)).collect();
    let info = OutputInfo { shape: gradient.layout().shape.clone(), dtype: gradient.dtype() };
    let node = Node::new(OnceDifferentiable { function }, edges, SmallVec::from_iter([info]), Saves::new());
    gradient.alias().with_origin(node, 0)
}

/// The missing second derivative of a function.
struct OnceDifferentiable {
    function: &'static str,
}

impl Op for OnceDifferentiable {
    fn name(&self) -> &'static str {
        "DelayedError"
    }
    fn backward(&self, _: &Rule<'_>, _: &Tensor) -> Gradients {
        unreachable!("`run` fails")
    }
    fn run(&self, _: &Rule<'_>, _: &[Option<Tensor>]) -> Result<Gradients, Box<Error>> {
        Err(Box::new(Error::OnceDifferentiable { function: self.function }))
    }
    #[cfg(test)]
    fn samples() -> Vec<crate::op::Sample> {
        unreachable!("there is no derivative to check")
    }
}
