//! Stochastic gradient descent as `torch.optim.SGD` computes it.

use crate::base::{Loaded, OptimizerBase, lock, wrong_kind};
use crate::lbfgs::check_lr;
use crate::optimizer::{Closure, Optimizer, evaluate};
use crate::{BoxError, Error, IntoParams, Param, ParamGroup, Result};
use checkpoint::{Dict, Value};
use std::collections::HashMap;
use std::fmt::{self, Debug, Display, Formatter};
use std::sync::Mutex;
use tape::{DType, Float, Tensor, vector};

/// Gradient descent with momentum, dampening, Nesterov's variant, weight decay and `maximize`.
///
/// With gradient `g` (negated by `maximize`), `g += weight_decay * p`, then where `momentum` is not 0 `b =
/// momentum * b + (1 - dampening) * g` (`b = g` at first) and `g = b`, or `g += momentum * b` with
/// `nesterov`; finally `p -= lr * g`. Parameters without gradient are left alone.
///
/// ```
/// use optim::{Optimizer, Sgd};
/// use tape::Tensor;
/// let p = Tensor::from([1.0, 2.0]).requires_grad_(true);
/// let sgd = Sgd::builder([&p]).lr(0.1).momentum(0.9).build()?;
/// (&p * &p).sum().backward()?;
/// sgd.step()?;
/// assert_eq!(p.to_vec::<f64>(), [0.8, 1.6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sgd {
    base: OptimizerBase,
    /// Momentum buffers by [`Tensor::id`] of the parameter.
    state: Mutex<HashMap<usize, Momentum>>,
}

/// Options of an [`Sgd`], under torch's names and with torch's defaults.
#[derive(Clone, Debug)]
#[must_use = "an optimizer is made by build()"]
pub struct SgdBuilder {
    params: Vec<Param>,
    lr: Value,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: bool,
    maximize: bool,
}

impl SgdBuilder {
    /// Learning rate: a number or a tensor of one element (default 0.001).
    pub fn lr(mut self, lr: impl Into<Value>) -> Self {
        self.lr = lr.into();
        self
    }

    /// Share of the momentum buffer that is kept (default 0: no momentum).
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Share of the gradient that does not enter the momentum buffer (default 0).
    pub fn dampening(mut self, dampening: f64) -> Self {
        self.dampening = dampening;
        self
    }

    /// L2 penalty: this share of the parameter is added to its gradient (default 0).
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Nesterov momentum (default off).
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// Goes up instead of down (default off).
    pub fn maximize(mut self, maximize: bool) -> Self {
        self.maximize = maximize;
        self
    }

    /// The optimizer.
    ///
    /// # Errors
    /// If an option is negative or NaN, Nesterov momentum lacks momentum or has dampening, there are no
    /// parameters, or one of them cannot be optimized.
    pub fn build(self) -> Result<Sgd> {
        check_lr(&self.lr)?;
        let not_negative = |x: f64| x >= 0.0;
        if !not_negative(self.momentum) {
            return Err(Error::InvalidMomentum(Value::from(self.momentum).to_string()));
        }
        if !not_negative(self.weight_decay) {
            return Err(Error::InvalidWeightDecay(Value::from(self.weight_decay).to_string()));
        }
        if self.nesterov && (self.momentum <= 0.0 || self.dampening != 0.0) {
            return Err(Error::NesterovNeedsMomentum);
        }
        let defaults = Dict::from_iter([
            ("lr", self.lr),
            ("momentum", self.momentum.into()),
            ("dampening", self.dampening.into()),
            ("weight_decay", self.weight_decay.into()),
            ("nesterov", self.nesterov.into()),
            ("maximize", self.maximize.into()),
            ("foreach", Value::None),
            ("differentiable", false.into()),
            ("fused", Value::None),
        ]);
        let base = OptimizerBase::new("SGD", self.params, defaults)?;
        Ok(Sgd { base, state: Mutex::default() })
    }
}

/// The options of one group for one step.
struct Options {
    lr: f64,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: bool,
    maximize: bool,
}

impl Options {
    fn read(group: &ParamGroup) -> Result<Self> {
        let number = |name| {
            let value = group.get(name).ok_or(Error::MissingOption(name))?;
            let number = match &value {
                Value::Tensor(x) if x.numel() == 1 => Some(x.item()),
                plain => plain.as_float(),
            };
            number.ok_or_else(|| Error::WrongOption { name, wanted: "a number", found: value.to_string() })
        };
        // State dicts of older versions lack these.
        let flag = |name| group.get(name).and_then(|value| value.as_bool()).unwrap_or(false);
        Ok(Self {
            lr: number("lr")?,
            momentum: number("momentum")?,
            dampening: number("dampening")?,
            weight_decay: number("weight_decay")?,
            nesterov: flag("nesterov"),
            maximize: flag("maximize"),
        })
    }
}

/// A momentum buffer in the dtype of its parameter; `None` in a state dict reads as no buffer yet.
#[derive(Debug)]
enum Momentum {
    F32(Option<Vec<f32>>),
    F64(Option<Vec<f64>>),
}

impl Momentum {
    fn new(dtype: DType) -> Self {
        if dtype == DType::F64 { Self::F64(None) } else { Self::F32(None) }
    }

    fn save(&self, shape: &[usize]) -> Value {
        match self {
            Self::F32(buffer) => buffer.as_ref().map(|b| Tensor::from_vec(b.clone(), shape)).into(),
            Self::F64(buffer) => buffer.as_ref().map(|b| Tensor::from_vec(b.clone(), shape)).into(),
        }
    }

    fn load(saved: &Value, param: &Tensor) -> Result<Self> {
        let mut momentum = Self::new(param.dtype());
        let Some(value) = saved.get("momentum_buffer").filter(|value| !value.is_none()) else {
            return Ok(momentum);
        };
        let tensor = value.as_tensor().ok_or(wrong_kind("a tensor", value))?;
        if tensor.sizes() != param.sizes() {
            let (found, own) = (tensor.sizes(), param.sizes());
            return Err(Error::StateMismatch(format!("momentum_buffer has shape {found:?}, its parameter {own:?}")));
        }
        match &mut momentum {
            Self::F32(buffer) => read(tensor, buffer.insert(Vec::new())),
            Self::F64(buffer) => read(tensor, buffer.insert(Vec::new())),
        }
        Ok(momentum)
    }
}

fn read<T: Float>(tensor: &Tensor, out: &mut Vec<T>) {
    out.resize(tensor.numel(), T::ZERO);
    tensor.read_into(out);
}

/// One parameter's update, rounded as torch's `_single_tensor_sgd`: fused where torch adds with a factor.
fn update<T: Float>(param: &Tensor, gradient: &Tensor, buffer: &mut Option<Vec<T>>, options: &Options) {
    let mut g = Vec::new();
    read(gradient, &mut g);
    if options.maximize {
        vector::scale(-T::ONE, &mut g);
    }
    if options.weight_decay != 0.0 {
        let mut p = Vec::new();
        read(param, &mut p);
        vector::axpy(T::from_f64(options.weight_decay), &p, &mut g);
    }
    if options.momentum != 0.0 {
        let momentum = T::from_f64(options.momentum);
        match buffer {
            None => *buffer = Some(g.clone()),
            Some(b) => {
                vector::scale(momentum, b);
                vector::axpy(T::from_f64(1.0 - options.dampening), &g, b);
            }
        }
        let b = buffer.as_deref().unwrap_or_default();
        if options.nesterov {
            vector::axpy(momentum, b, &mut g);
        } else {
            g.copy_from_slice(b);
        }
    }
    param.add_scaled(-options.lr, &g);
}

impl Sgd {
    /// Starts an optimizer over these parameters: tensors, `(name, tensor)` pairs, or groups.
    pub fn builder(params: impl IntoParams) -> SgdBuilder {
        SgdBuilder {
            params: params.into_params(),
            lr: 1e-3.into(),
            momentum: 0.0,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
            maximize: false,
        }
    }

    /// Moves every parameter that has a gradient.
    ///
    /// # Errors
    /// If an option is missing from a group or of the wrong kind, or when called from inside its own closure.
    pub fn step(&self) -> Result<()> {
        self.step_without_closure()
    }

    /// Evaluates the closure once, with gradients enabled, moves the parameters and returns the loss.
    ///
    /// # Errors
    /// What the closure returned, or as [`step`](Self::step); no parameter has moved then.
    pub fn step_with(&self, mut closure: impl FnMut() -> std::result::Result<Tensor, BoxError>) -> Result<Tensor> {
        self.step_closure(&mut closure)
    }

    fn update(&self) -> Result<()> {
        let groups = self.base.groups().all();
        let options = groups.iter().map(Options::read).collect::<Result<Vec<_>>>()?;
        let mut state = lock(&self.state);
        for (group, options) in groups.iter().zip(&options) {
            for param in group.params() {
                let Some(gradient) = param.grad() else { continue };
                let mut without = Momentum::new(param.dtype());
                let momentum =
                    if options.momentum == 0.0 { &mut without } else { state.entry(param.id()).or_insert(without) };
                match momentum {
                    Momentum::F32(buffer) => update(param, &gradient, buffer, options),
                    Momentum::F64(buffer) => update(param, &gradient, buffer, options),
                }
            }
        }
        Ok(())
    }
}

impl Optimizer for Sgd {
    fn base(&self) -> &OptimizerBase {
        &self.base
    }

    fn step_body(&self, closure: Option<&mut Closure<'_>>) -> Result<Option<Tensor>> {
        let loss = closure.map(evaluate).transpose()?;
        self.update()?;
        Ok(loss.map(|(loss, _)| loss))
    }

    fn save_state(&self) -> Vec<(Tensor, Dict)> {
        let momenta = lock(&self.state);
        let saved = self.base.params().into_iter().filter_map(|param| {
            let buffer = momenta.get(&param.id())?.save(param.sizes());
            Some((param, Dict::from_iter([("momentum_buffer", buffer)])))
        });
        saved.collect()
    }

    fn load_state(&self, loaded: &mut Loaded) -> Result<()> {
        let mut state = HashMap::new();
        for (param, saved) in &loaded.state {
            state.insert(param.id(), Momentum::load(saved, param)?);
        }
        *lock(&self.state) = state;
        Ok(())
    }
}

impl Display for Sgd {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.base, f)
    }
}

impl Debug for Sgd {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
