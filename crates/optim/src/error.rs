//! Everything that can go wrong, as one enum. Texts begin with torch's own where torch has one.

use std::error::Error as StdError;

/// Result of an optimizer's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an optimizer could not be built, loaded or stepped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No parameters were given.
    #[error("optimizer got an empty parameter list")]
    EmptyParameterList,
    /// Parameters and groups were mixed: a group was expected.
    #[error("param_group must be a dict, but got {0}; pass only tensors or only groups")]
    NotAGroup(&'static str),
    /// A group stands where a tensor was expected.
    #[error("optimizer can only optimize Tensors, but one of the params is dict; pass only tensors or only groups")]
    NotATensor,
    /// Some parameters of a group have names and some have none.
    #[error("all optimizer params should be with/without names. Some param names are missing")]
    NamesMissing,
    /// A group with names joins groups without, or the reverse.
    #[error(
        "all optimizer param groups should be with/without names. cannot add param group {added} to the \
         optimizer"
    )]
    MixedNames {
        /// `with names` or `without names`: the group being added.
        added: &'static str,
    },
    /// A parameter was computed from others.
    #[error(
        "can't optimize a non-leaf Tensor: parameter {index} was computed; pass the tensor it was computed \
         from"
    )]
    NonLeaf {
        /// Position of the parameter in its group.
        index: usize,
    },
    /// A parameter is of a dtype that cannot have a gradient.
    #[error(
        "only floating-point Tensors can be optimized here, but parameter {index} is {dtype}; convert it \
         first"
    )]
    NotFloatingPoint {
        /// Position of the parameter in its group.
        index: usize,
        /// Its dtype.
        dtype: tape::DType,
    },
    /// A parameter is already in another group.
    #[error("some parameters appear in more than one parameter group")]
    ParameterInTwoGroups,
    /// The learning rate is negative or NaN.
    #[error("Invalid learning rate: {0}")]
    InvalidLearningRate(String),
    /// The learning rate is a tensor of more or fewer than one element.
    #[error("Tensor lr must be 1-element")]
    LearningRateNotOneElement,
    /// The momentum is negative or NaN.
    #[error("Invalid momentum value: {0}")]
    InvalidMomentum(String),
    /// The weight decay is negative or NaN.
    #[error("Invalid weight_decay value: {0}")]
    InvalidWeightDecay(String),
    /// Nesterov momentum was asked for without momentum, or with dampening.
    #[error("Nesterov momentum requires a momentum and zero dampening")]
    NesterovNeedsMomentum,
    /// L-BFGS without room for a single pair.
    #[error("Invalid history_size: 0; L-BFGS keeps at least one pair, and torch fails at the first it would store")]
    InvalidHistorySize,
    /// L-BFGS has more than one group.
    #[error("LBFGS doesn't support per-parameter options (parameter groups)")]
    ParameterGroups,
    /// A group lacks an option that has no default.
    #[error("parameter group didn't specify a value of required optimization parameter {0}")]
    RequiredOption(&'static str),
    /// A hyper-parameter is missing from its group.
    #[error("'{0}' is missing from the parameter group; set it, or load a state dict that has it")]
    MissingOption(&'static str),
    /// A hyper-parameter is of the wrong kind.
    #[error("option '{name}' of the parameter group: expected {wanted}, found {found}")]
    WrongOption {
        /// Name of the option.
        name: &'static str,
        /// The kind the optimizer needs.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// A line search that does not exist.
    #[error("only 'strong_wolfe' is supported; line_search_fn is '{0}'")]
    UnknownLineSearch(String),
    /// The optimizer was called from inside its own closure in a way that cannot be served.
    #[error("{call} was called while a step of the same optimizer is running (from inside its closure?)")]
    StepIsRunning {
        /// The call that was refused.
        call: &'static str,
    },
    /// The closure returned an error.
    #[error("the closure failed: {0}")]
    Closure(#[source] Box<dyn StdError + Send + Sync>),
    /// A hook before the step returned an error.
    #[error("a step pre-hook failed: {0}")]
    Hook(#[source] Box<dyn StdError + Send + Sync>),
    /// The optimizer evaluates the loss itself and got no closure for it.
    #[error(
        "{optimizer}.step() missing 1 required positional argument: 'closure'; it evaluates the loss several times"
    )]
    ClosureRequired {
        /// torch's name of the optimizer.
        optimizer: &'static str,
    },
    /// The closure returned a tensor that is no number.
    #[error(
        "only one element tensors can be converted to Python scalars: the closure returned a loss of shape \
         {shape:?}; reduce it with sum() or mean()"
    )]
    LossNotScalar {
        /// Shape of the loss.
        shape: Vec<usize>,
    },
    /// There is nothing to optimize: the parameters have no element.
    #[error(
        "max(): Expected reduction dim to be specified for input.numel() == 0: the parameters have no \
         elements at all"
    )]
    NoElements,
    /// Two trial steps of the line search coincide.
    #[error("float division by zero: two trial steps of the line search are equal; is lr 0?")]
    StepsCoincide,
    /// The line search would accept a trial whose loss is NaN.
    #[error(
        "list index out of range: the line search met a trial whose loss is NaN although its slope satisfies \
         the curvature condition; the parameters are back at the last accepted point"
    )]
    NanLossAccepted,
    /// The history size became 0 after construction.
    #[error("pop from empty list: history_size is 0, there is no room for a pair")]
    NoHistory,
    /// There are more pairs than the list `al` in the state has places.
    #[error(
        "list assignment index out of range: {pairs} pairs are stored but the state's list 'al' has {places} \
         places; it is made once, with the history_size of that moment: keep history_size as it is"
    )]
    HistoryOutgrown {
        /// Stored pairs.
        pairs: usize,
        /// Length of `al`.
        places: usize,
    },
    /// A state dict has another number of groups.
    #[error("loaded state dict has a different number of parameter groups: {saved}, the optimizer has {own}")]
    GroupCount {
        /// Groups in the dict.
        saved: usize,
        /// Groups of the optimizer.
        own: usize,
    },
    /// A group of a state dict has another number of parameters.
    #[error(
        "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: \
         group {group} has {saved} parameters, the optimizer's has {own}"
    )]
    GroupSize {
        /// Position of the group.
        group: usize,
        /// Parameters in the dict's group.
        saved: usize,
        /// Parameters in the optimizer's group.
        own: usize,
    },
    /// A state dict does not hold what this optimizer saves.
    #[error("the state dict does not fit this optimizer: {0}; nothing was loaded")]
    StateMismatch(String),
    /// A part of a state dict could not be read.
    #[error("the state dict could not be read: {0}; nothing was loaded")]
    StateDict(#[from] checkpoint::Error),
}
