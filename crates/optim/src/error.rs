//! Everything that can go wrong, as one enum. Texts begin with torch's own where torch has one.

use std::error::Error as StdError;

/// Result of an optimizer's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an optimizer or a scheduler could not be built, loaded or stepped.
#[derive(thiserror::Error)]
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
    /// Several indices of a parameter reach one element, as in an expanded tensor.
    #[error(
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. \
         Please clone() the tensor before performing the operation. It is parameter {index}, of shape {shape:?}; \
         optimize what it was expanded from, or its copy()"
    )]
    RepeatedElements {
        /// Position of the parameter in its group.
        index: usize,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A parameter is already in another group.
    #[error("some parameters appear in more than one parameter group")]
    ParameterInTwoGroups,
    /// The learning rate is negative or NaN.
    #[error("Invalid learning rate: {0}")]
    InvalidLearningRate(String),
    /// The learning rate was set by hand although a scheduler has it.
    #[error(
        "optimizer's learning rate can't be LRScheduler when invoke this API, because this will lead to conflict; call \
         remove_lr_scheduler() first"
    )]
    LrSchedulerInUse,
    /// A scheduler sets the learning rates of another optimizer.
    #[error("set_lr_scheduler: the scheduler was built over another optimizer; build it over this one")]
    LrSchedulerOfAnother,
    /// The learning rate is a tensor of more or fewer than one element.
    #[error("Tensor lr must be 1-element")]
    LearningRateNotOneElement,
    /// The momentum is negative or NaN.
    #[error("Invalid momentum value: {0}")]
    InvalidMomentum(String),
    /// The weight decay is negative or NaN.
    #[error("Invalid weight_decay value: {0}")]
    InvalidWeightDecay(String),
    /// Another option is out of its range.
    #[error("Invalid {name} value: {value}")]
    InvalidOption {
        /// torch's word for the option.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// A decay rate is not in [0, 1).
    #[error("Invalid beta parameter at index {index}: {value}")]
    InvalidBeta {
        /// Which of the two.
        index: usize,
        /// Its value.
        value: String,
    },
    /// The factors of Rprop are not on their sides of 1.
    #[error("Invalid eta values: {minus}, {plus}")]
    InvalidEtas {
        /// Should lie in (0, 1).
        minus: String,
        /// Should be more than 1.
        plus: String,
    },
    /// Nesterov momentum was asked for without momentum, or with dampening.
    #[error("Nesterov momentum requires a momentum and zero dampening")]
    NesterovNeedsMomentum,
    /// L-BFGS without room for a single pair.
    #[error("Invalid history_size: 0; L-BFGS keeps at least one pair, and torch fails at the first it would store")]
    InvalidHistorySize,
    /// L-BFGS has more than one group.
    #[error(
        "LBFGS doesn't support per-parameter options (parameter groups); build it with parameter_groups(true) for that"
    )]
    ParameterGroups,
    /// `diagnose` was asked about groups that are in different units.
    #[error(
        "diagnose: the groups have different learning rates, so that steps are not in the units of the parameters; give \
         all of them one rate with set_lr, diagnose, and set the rates again"
    )]
    GroupsOfSeveralRates,
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
    /// The state of a parameter lacks what a step needs.
    #[error(
        "'{key}' is missing from the state of a parameter, which has other entries or had to be made with the \
         optimizer: {optimizer} makes its state once, so build it with the option and all parameters it is to have"
    )]
    MissingState {
        /// torch's name of the optimizer.
        optimizer: &'static str,
        /// The missing entry.
        key: &'static str,
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
    /// A loss or gradient is NaN or infinite, and [`NonFinite::Stop`](crate::NonFinite::Stop) was asked for.
    #[error(
        "evaluation {evaluation} of this step gave a non-finite {quantity} ({value}){}; the parameters are at the last \
         accepted point: NonFinite::Recover shrinks such steps instead", at_step(*.step_length)
    )]
    NonFinite {
        /// `loss`, or `gradient` where the loss itself is finite, or `parameter` where both are.
        quantity: &'static str,
        /// The loss, a number that the gradient makes non-finite, or the step length.
        value: f64,
        /// Which evaluation of the step it was, from 1.
        evaluation: usize,
        /// Length of the step that was tried; none at the point where the step began.
        step_length: Option<f64>,
    },
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
    /// An option of a learning-rate scheduler is out of its range.
    #[error("{0}")]
    InvalidScheduler(String),
    /// A scheduler was to go on from an epoch, but the groups do not say what they began with.
    #[error(
        "param 'initial_lr' is not specified in param_groups[{group}] when resuming an optimizer; load the \
         optimizer's state dict first"
    )]
    NoInitialLr {
        /// Position of the group.
        group: usize,
    },
    /// There is another number of functions than of groups.
    #[error("Expected {expected} lr_lambdas, but got {found}")]
    LambdaCount {
        /// Groups of the optimizer.
        expected: usize,
        /// Functions that were given.
        found: usize,
    },
    /// There is another number of values than of groups.
    #[error(
        "{name} must have the same length as optimizer.param_groups. {name} has {values} values, param_groups \
         has {groups}."
    )]
    ValuesPerGroup {
        /// Name of the option.
        name: &'static str,
        /// Values that were given.
        values: usize,
        /// Groups of the optimizer.
        groups: usize,
    },
    /// The momentum is to change with the learning rate, but the optimizer has none.
    #[error(
        "optimizer must support momentum or beta1 with `cycle_momentum` option enabled; use \
         cycle_momentum(false)"
    )]
    NoMomentum,
    /// A learning rate has no value.
    #[error("{0}: the learning rate of this epoch has no value")]
    Arithmetic(&'static str),
    /// A cycle was stepped on after its end.
    #[error("Tried to step {step} times. The specified number of total steps is {total_steps}")]
    CycleIsOver {
        /// The step that was tried.
        step: i64,
        /// The steps there are.
        total_steps: i64,
    },
    /// A sequence of schedulers is empty.
    #[error("SequentialLR expects at least one scheduler, but got no scheduler.")]
    NoSchedulers,
    /// A chain of schedulers is empty.
    #[error("ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.")]
    NoSchedulersToChain,
    /// A scheduler that needs a metric cannot be stepped by another one.
    #[error(
        "{class} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be specified \
         when calling `step`, but got one at index {index} in the given schedulers sequence."
    )]
    PlateauInComposition {
        /// The composition.
        class: &'static str,
        /// Position of the scheduler.
        index: usize,
    },
    /// A scheduler belongs to another optimizer.
    #[error(
        "{class} expects all schedulers to belong to the same optimizer, but got scheduler {scheduler} at index \
         {index} has another {theirs}, which is different from {own}."
    )]
    OtherOptimizer {
        /// The composition.
        class: &'static str,
        /// The scheduler.
        scheduler: &'static str,
        /// Position of the scheduler.
        index: usize,
        /// Class of its optimizer.
        theirs: &'static str,
        /// Class of the composition's optimizer.
        own: &'static str,
    },
    /// There is not one milestone between each two schedulers.
    #[error(
        "Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone \
         points, but got number of schedulers {schedulers} and the number of milestones to be equal to {milestones}"
    )]
    MilestoneCount {
        /// Schedulers that were given.
        schedulers: usize,
        /// Milestones that were given.
        milestones: usize,
    },
    /// A composition cannot go to an epoch.
    #[error(
        "{class}.step() takes 1 positional argument but 2 were given: a composition cannot go to an epoch, which is how \
         a SequentialLR begins its second and later members; make it the first member"
    )]
    NoEpochArgument {
        /// The composition.
        class: &'static str,
    },
    /// A step of `ReduceLROnPlateau` without a metric.
    #[error("ReduceLROnPlateau.step() missing 1 required positional argument: 'metrics'; call step(metric)")]
    MetricRequired,
    /// A group was added after a lowest learning rate had been given for each.
    #[error(
        "The number of param groups in the `optimizer` ({now}) differs from when `ReduceLROnPlateau` was \
         initialized ({then}), usually due to a new param group being added to the optimizer. Please modify the \
         `min_lrs` field to match the length of the `optimizer` param groups. (That is what set_min_lrs is for.)"
    )]
    MinLrCount {
        /// Groups the scheduler was built for.
        then: usize,
        /// Groups there are.
        now: usize,
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

fn at_step(step_length: Option<f64>) -> String {
    step_length.map_or(String::from(" where the step began"), |t| format!(" at step length t = {t}"))
}

/// The text, since this is what a `main` that returns an error prints.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
