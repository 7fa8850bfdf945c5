//! What can go wrong at run time. Misuse that depends only on the code as written panics instead.

/// An error of the autograd engine or of another operation whose success depends on run-time state.
///
/// Where torch has a text for the same condition, the message begins with it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `backward` met a node whose saved tensors were freed by an earlier `backward`.
    #[error(
        "Trying to backward through the graph a second time (or directly access saved tensors after they have \
         already been freed). Saved intermediate values of the graph are freed when you call .backward() or \
         autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or if \
         you need to access saved tensors after calling backward. (met at {node}; here: \
         BackwardOptions::new().retain_graph(true), or grad(..).retain_graph(true))"
    )]
    GraphFreed {
        /// The node that was met, by torch's name of it.
        node: &'static str,
    },
    /// A non-scalar output was given without a gradient for it.
    #[error(
        "grad can be implicitly created only for scalar outputs (output {index} has shape {shape:?}); reduce it with \
         sum() or mean(), or pass its gradient: BackwardOptions::new().gradient(&g), grad(..).grad_outputs(&g)"
    )]
    NonScalarOutput {
        /// Position of the output.
        index: usize,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A gradient's shape is not its output's.
    #[error(
        "Mismatch in shape: grad_output[{index}] has a shape of {} and output[{index}] has a shape of {}.",
        torch_size(gradient),
        torch_size(output)
    )]
    GradientShape {
        /// Position of the output.
        index: usize,
        /// Shape of the gradient.
        gradient: Vec<usize>,
        /// Shape of the output.
        output: Vec<usize>,
    },
    /// Number of gradients and number of outputs differ.
    #[error("got {outputs} outputs and {gradients} gradients; pass one gradient for each output, or none at all")]
    GradientCount {
        /// Number of outputs.
        outputs: usize,
        /// Number of gradients.
        gradients: usize,
    },
    /// The output is a constant.
    #[error(
        "element {index} of tensors does not require grad and does not have a grad_fn; was it computed under no_grad, \
         from detached tensors, or from leaves without requires_grad_(true)?"
    )]
    NoGraph {
        /// Position of the output.
        index: usize,
    },
    /// A tensor needed by a derivative was changed in place after it was saved.
    #[error(
        "one of the variables needed for gradient computation has been modified by an inplace operation: [{tensor_type} \
         {shape:?}], which is saved value {index} of {node}, is at version {version}; expected version {expected} \
         instead. Hint: use the out-of-place form of the operation that changed it, or change a copy()."
    )]
    ModifiedInPlace {
        /// The node that saved the tensor.
        node: &'static str,
        /// torch's name of the tensor type.
        tensor_type: &'static str,
        /// Shape of the tensor.
        shape: Vec<usize>,
        /// Position among the node's saved values.
        index: usize,
        /// Version found.
        version: u32,
        /// Version at the time of saving.
        expected: u32,
    },
    /// An input of `grad` is not part of the graph.
    #[error(
        "One of the differentiated Tensors appears to not have been used in the graph. Set allow_unused=True if this is \
         the desired behavior. (input {index}; here: grad(..).allow_unused(true))"
    )]
    UnusedInput {
        /// Position of the input.
        index: usize,
    },
    /// An input of `grad` does not require gradients.
    #[error("One of the differentiated Tensors does not require grad (input {index}; call requires_grad_(true) on it)")]
    InputWithoutGrad {
        /// Position of the input.
        index: usize,
    },
    /// A gradient that a rule or hook returned does not fit the tensor it belongs to.
    #[error(
        "{node} returned an invalid gradient at index {index} - got {} but expected shape compatible with {}",
        torch_list(gradient),
        torch_list(expected)
    )]
    InvalidGradient {
        /// The node or hook.
        node: &'static str,
        /// Position of the gradient.
        index: usize,
        /// Shape it has.
        gradient: Vec<usize>,
        /// Shape it should have.
        expected: Vec<usize>,
    },
    /// A Cholesky factorisation met a matrix that is not positive definite.
    #[error(
        "linalg.cholesky: {}The factorization could not be completed because the input is not positive-definite (the \
         leading minor of order {order} is not positive-definite). Rounding does it to matrices that are nearly \
         singular: add a small multiple of the identity.",
        batch_element(*batch)
    )]
    NotPositiveDefinite {
        /// Position of the matrix in its batch, if there is one.
        batch: Option<usize>,
        /// Size of the smallest leading minor that is not positive.
        order: usize,
    },
    /// A matrix has no inverse.
    #[error(
        "linalg.inv: {}The diagonal element {element} is zero, the inversion could not be completed because the input \
         matrix is singular. pinv gives a pseudo-inverse.",
        batch_element(*batch)
    )]
    NotInvertible {
        /// Position of the matrix in its batch, if there is one.
        batch: Option<usize>,
        /// The zero on the diagonal of the triangular factor, counted from one.
        element: usize,
    },
    /// A system of equations has a singular matrix.
    #[error(
        "torch.linalg.solve: {}The solver failed because the input matrix is singular. lstsq gives a solution in the \
         sense of least squares.",
        batch_element(*batch)
    )]
    SingularSystem {
        /// Position of the matrix in its batch, if there is one.
        batch: Option<usize>,
    },
    /// Eigenvalues could not be computed.
    #[error(
        "linalg.eigh: {}The algorithm failed to converge because the input matrix is ill-conditioned or has too many \
         repeated eigenvalues (error code: {found}). Most likely it contained non-finite values.",
        batch_element(*batch)
    )]
    NoEigenvalues {
        /// Position of the matrix in its batch, if there is one.
        batch: Option<usize>,
        /// How many eigenvalues were found.
        found: usize,
    },
    /// Singular values could not be computed.
    #[error(
        "linalg.svd: {}The algorithm failed to converge because the input matrix contained non-finite values.",
        batch_element(*batch)
    )]
    NoSingularValues {
        /// Position of the matrix in its batch, if there is one.
        batch: Option<usize>,
    },
    /// A [`Function`](crate::Function) returned another number of gradients than it has inputs.
    #[error(
        "function {function} returned an incorrect number of gradients (expected {expected}, got {returned}); return one \
         Option<Tensor> for each input, None for those without a gradient"
    )]
    FunctionGradients {
        /// Name of the function.
        function: &'static str,
        /// Number of its inputs.
        expected: usize,
        /// Number of gradients it returned.
        returned: usize,
    },
    /// A second derivative was asked of a [`Function`](crate::Function) that has none.
    #[error(
        "trying to differentiate twice a function that was marked with @once_differentiable: {function}; write its \
         backward in tensor operations on its saved tensors and drop once_differentiable, or do without create_graph"
    )]
    OnceDifferentiable {
        /// Name of the function.
        function: &'static str,
    },
    /// A checkpointed function did something else when it was run again.
    #[error(
        "checkpoint: A different number of tensors was saved during the original forward and recomputation ({forward} and \
         {recomputed}); the function must do the same each time it is called"
    )]
    Recomputation {
        /// Recorded operations of the first run.
        forward: usize,
        /// Recorded operations of the second run.
        recomputed: usize,
    },
    /// A function given to [`functional`](crate::functional) does not have the outputs or inputs it must have.
    #[error("{0}")]
    Functional(String),
    /// Analytical and numerical derivative differ, or a check could not be made.
    #[error("{0}")]
    GradientCheck(String),
    /// An option that cannot be honoured.
    #[error("{0}")]
    InvalidOption(String),
}

fn torch_list(shape: &[usize]) -> String {
    format!("{shape:?}")
}

fn torch_size(shape: &[usize]) -> String {
    format!("torch.Size({shape:?})")
}

/// How torch names one matrix of a batch.
fn batch_element(batch: Option<usize>) -> String {
    batch.map_or_else(String::new, |index| format!("(Batch element {index}): "))
}

/// The text, since this is what a `main` that returns an error prints.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
