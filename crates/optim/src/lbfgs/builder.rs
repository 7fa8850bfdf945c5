//! The options of L-BFGS: set once here, read anew from the group at each step.

use super::Lbfgs;
use super::scalar::Number;
use super::state::load_number;
use crate::base::{OptimizerBase, formatted};
use crate::{Error, Param, ParamGroup, Result};
use checkpoint::{Dict, Value};
use tape::Float;

/// How the step length is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LineSearch {
    /// torch's `"strong_wolfe"`: cubic interpolation until both strong Wolfe conditions hold.
    StrongWolfe,
}

impl LineSearch {
    /// torch's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::StrongWolfe => "strong_wolfe",
        }
    }
}

/// Options of an [`Lbfgs`], under torch's names and with torch's defaults.
///
/// ```
/// use optim::{Lbfgs, LineSearch};
/// use tape::{DType, Tensor};
/// let p = Tensor::zeros([3], DType::F32);
/// let optimizer =
///     Lbfgs::builder([&p]).lr(0.5).max_iter(40).line_search_fn(LineSearch::StrongWolfe).build()?;
/// assert!(optimizer.to_string().contains("max_eval: 50"));
///
/// let refused = Lbfgs::builder([&p]).lr(-1).build().unwrap_err();
/// assert_eq!(refused.to_string(), "Invalid learning rate: -1");
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "an optimizer is made by build()"]
pub struct LbfgsBuilder {
    params: Vec<Param>,
    lr: Value,
    max_iter: usize,
    max_eval: Option<usize>,
    tolerance_grad: f64,
    tolerance_change: f64,
    history_size: usize,
    line_search_fn: Option<LineSearch>,
}

impl LbfgsBuilder {
    pub(super) fn new(params: Vec<Param>) -> Self {
        Self {
            params,
            lr: 1.into(),
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            line_search_fn: None,
        }
    }

    /// Step length without a line search, first trial with one: a number or a tensor of one element (default
    /// 1).
    pub fn lr(mut self, lr: impl Into<Value>) -> Self {
        self.lr = lr.into();
        self
    }

    /// Most iterations of one step (default 20).
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.max_iter = max_iter;
        self
    }

    /// Evaluations of one step after which no further iteration begins (default `max_iter * 5 / 4`).
    pub fn max_eval(mut self, max_eval: usize) -> Self {
        self.max_eval = Some(max_eval);
        self
    }

    /// A step ends where no component of the gradient is larger (default 1e-7).
    pub fn tolerance_grad(mut self, tolerance: f64) -> Self {
        self.tolerance_grad = tolerance;
        self
    }

    /// A step ends where neither a parameter nor the loss changes by more, absolutely (default 1e-9).
    pub fn tolerance_change(mut self, tolerance: f64) -> Self {
        self.tolerance_change = tolerance;
        self
    }

    /// Most pairs that are kept (default 100).
    pub fn history_size(mut self, pairs: usize) -> Self {
        self.history_size = pairs;
        self
    }

    /// The line search (default `None`: the step length is `lr`).
    pub fn line_search_fn(mut self, search: impl Into<Option<LineSearch>>) -> Self {
        self.line_search_fn = search.into();
        self
    }

    /// The optimizer.
    ///
    /// # Errors
    /// If the learning rate is negative, NaN or no number; if `history_size` is 0; if there are no
    /// parameters, more than one group, or a parameter that cannot be optimized.
    pub fn build(self) -> Result<Lbfgs> {
        check_lr(&self.lr)?;
        let defaults = Dict::from_iter([
            ("lr", self.lr),
            ("max_iter", count(self.max_iter)),
            ("max_eval", count(self.max_eval.unwrap_or(self.max_iter.saturating_mul(5) / 4))),
            ("tolerance_grad", self.tolerance_grad.into()),
            ("tolerance_change", self.tolerance_change.into()),
            ("history_size", count(self.history_size)),
            ("line_search_fn", self.line_search_fn.map(LineSearch::name).into()),
        ]);
        let base = OptimizerBase::new("LBFGS", self.params, defaults)?;
        for group in base.groups().all().iter() {
            check_lr(&group.get("lr").unwrap_or_default())?;
            if group.get("history_size") == Some(Value::Int(0)) {
                return Err(Error::InvalidHistorySize);
            }
        }
        Lbfgs::over(base)
    }
}

/// A limit as the state dict holds it; one beyond 64 signed bits is none.
fn count(limit: usize) -> Value {
    Value::Int(i64::try_from(limit).unwrap_or(i64::MAX))
}

/// torch's checks of a learning rate; NaN is refused too.
pub(crate) fn check_lr(lr: &Value) -> Result<()> {
    let number = match lr {
        Value::Tensor(lr) if lr.numel() != 1 => return Err(Error::LearningRateNotOneElement),
        Value::Tensor(lr) => lr.item(),
        plain => plain.as_float().unwrap_or(f64::NAN),
    };
    if number >= 0.0 { Ok(()) } else { Err(Error::InvalidLearningRate(formatted(lr))) }
}

/// What one step uses, as found in the group when it begins.
pub(super) struct Options<T> {
    pub(super) lr: Number<T>,
    pub(super) max_iter: i64,
    pub(super) max_eval: i64,
    pub(super) tolerance_grad: f64,
    pub(super) tolerance_change: f64,
    pub(super) history_size: i64,
    pub(super) search: Search,
}

/// The line search a group names; an unknown name is an error only once a search is due, as in torch.
pub(super) enum Search {
    None,
    StrongWolfe,
    Unknown(String),
}

impl<T: Float> Options<T> {
    pub(super) fn read(group: &ParamGroup) -> Result<Self> {
        let option = |name| group.get(name).ok_or(Error::MissingOption(name));
        let wrong = |name, wanted, found: &Value| Error::WrongOption { name, wanted, found: found.to_string() };
        let int = |name| {
            let value = option(name)?;
            value.as_int().ok_or_else(|| wrong(name, "an int", &value))
        };
        let float = |name| {
            let value = option(name)?;
            value.as_float().ok_or_else(|| wrong(name, "a number", &value))
        };
        let lr = option("lr")?;
        Ok(Self {
            lr: load_number(&lr).map_err(|_| wrong("lr", "a number or a tensor of one element", &lr))?,
            max_iter: int("max_iter")?,
            max_eval: int("max_eval")?,
            tolerance_grad: float("tolerance_grad")?,
            tolerance_change: float("tolerance_change")?,
            history_size: int("history_size")?,
            search: match option("line_search_fn")? {
                Value::None => Search::None,
                Value::Str(name) if name == LineSearch::StrongWolfe.name() => Search::StrongWolfe,
                other => Search::Unknown(other.to_string()),
            },
        })
    }
}
