//! The options as one step finds them in the groups.

use super::grad_clip::GradClip;
use super::line_search::Conditions;
use super::metric::Metric;
use super::non_finite::NonFinite;
use super::objective::Objective;
use super::scalar::Number;
use super::state::load_number;
use super::weight_decay::WeightDecay;
use super::{LineSearch, check_lr};
use crate::{Error, ParamGroup, Result};
use checkpoint::{Dict, Value};
use tape::{DType, Float};

/// What one step uses.
#[derive(Debug)]
pub(super) struct Options<T> {
    pub(super) lr: Number<T>,
    pub(super) max_iter: i64,
    pub(super) max_eval: i64,
    pub(super) tolerance_grad: f64,
    pub(super) tolerance_change: f64,
    pub(super) history_size: i64,
    pub(super) search: Search,
    pub(super) additions: Additions,
    pub(super) objective: Objective,
}

/// The line search a group names; an unknown name is an error only once a search is due, as in torch.
#[derive(Debug)]
pub(super) enum Search {
    None,
    StrongWolfe,
    Unknown(String),
}

/// Options that torch lacks. A group that has none of their keys behaves as torch's.
#[derive(Clone, Debug)]
pub(super) struct Additions {
    pub(super) conditions: Conditions,
    /// 0 is off.
    pub(super) tolerance_change_rel: f64,
    pub(super) powell_damping: bool,
    /// Pairs of an `f64` problem are kept in `f32`.
    pub(super) narrow_history: bool,
    pub(super) parameter_groups: bool,
    pub(super) non_finite: NonFinite,
    pub(super) guarded: bool,
    /// Every iteration is to be in the report.
    pub(super) trace: bool,
    maximize: bool,
    clip: Option<GradClip>,
}

impl<T: Float> Options<T> {
    /// Reads the groups: everything from the first, but learning rate and weight decay from each.
    pub(super) fn read(groups: &[ParamGroup]) -> Result<Self> {
        let [first, others @ ..] = groups else { return Err(Error::ParameterGroups) };
        let mut options = first.with_options(|dict| Self::of_first(dict))?;
        if !others.is_empty() {
            if !options.additions.parameter_groups {
                return Err(Error::ParameterGroups);
            }
            let rates = groups.iter().map(|group| group.with_options(lr::<T>)).collect::<Result<Vec<_>>>()?;
            let (metric, largest) = Metric::of(&rates)?;
            options.lr = rates[largest];
            options.objective.metric = metric;
        }
        let all = &mut options.objective.decay;
        for (i, group) in groups.iter().enumerate() {
            if let Some(decay) = group.with_options(decay)? {
                all.resize(groups.len(), None);
                all[i] = Some(decay);
            }
        }
        Ok(options)
    }

    fn of_first(dict: &Dict) -> Result<Self> {
        let option = |name| find(dict, name).ok_or(Error::MissingOption(name));
        let int = |name| {
            let value = option(name)?;
            value.as_int().ok_or_else(|| wrong(name, "an int", value))
        };
        let float = |name| {
            let value = option(name)?;
            value.as_float().ok_or_else(|| wrong(name, "a number", value))
        };
        let lr = lr(dict)?;
        let additions = Additions::read(dict, T::DTYPE)?;
        let objective = Objective { maximize: additions.maximize, clip: additions.clip, ..Objective::default() };
        Ok(Self {
            lr,
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
            additions,
            objective,
        })
    }
}

impl Additions {
    /// Whether a point of non-finite loss, gradient or parameters is never accepted.
    pub(super) fn refuses_non_finite(&self) -> bool {
        self.guarded || self.non_finite != NonFinite::Torch
    }

    /// Whether a step without line search evaluates where its last iteration moved to, which torch does not.
    pub(super) fn evaluates_last(&self) -> bool {
        self.guarded || self.non_finite == NonFinite::Recover
    }

    /// Reads them for flat vectors of this dtype; absent ones, and `None`, are torch's behaviour.
    pub(super) fn read(dict: &Dict, dtype: DType) -> Result<Self> {
        let guarded = flag(dict, "guarded")?;
        Ok(Self {
            conditions: conditions(dict)?,
            tolerance_change_rel: read(dict, "tolerance_change_rel", "a number that is not negative", |value| {
                value.as_float().filter(|&tolerance| tolerance >= 0.0)
            })?
            .unwrap_or(0.0),
            powell_damping: flag(dict, "powell_damping")?,
            narrow_history: narrow_history(dict, dtype)?,
            parameter_groups: flag(dict, "parameter_groups")?,
            non_finite: read(dict, "non_finite", "'torch', 'stop' or 'recover'", NonFinite::read)?
                .unwrap_or(if guarded { NonFinite::Recover } else { NonFinite::Torch }),
            guarded,
            trace: flag(dict, "trace")?,
            maximize: flag(dict, "maximize")?,
            clip: read(dict, "grad_clip", "('value', min, max), ('norm', max) or ('global_norm', max)", |value| {
                GradClip::read(value)
            })?,
        })
    }
}

/// What [`build`](super::LbfgsBuilder::build) refuses in a group.
pub(super) fn check(group: &ParamGroup, dtype: DType) -> Result<()> {
    group.with_options(|dict| {
        check_lr(find(dict, "lr").unwrap_or(&Value::None))?;
        if find(dict, "history_size") == Some(&Value::Int(0)) {
            return Err(Error::InvalidHistorySize);
        }
        decay(dict)?;
        Additions::read(dict, dtype).map(drop)
    })
}

/// A group has a handful of options: looking at each of them is cheaper than making a key.
fn find<'a>(dict: &'a Dict, name: &str) -> Option<&'a Value> {
    dict.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

fn wrong(name: &'static str, wanted: &'static str, found: &Value) -> Error {
    Error::WrongOption { name, wanted, found: found.to_string() }
}

/// An option that may be absent.
fn read<R>(
    dict: &Dict,
    name: &'static str,
    wanted: &'static str,
    read: impl Fn(&Value) -> Option<R>,
) -> Result<Option<R>> {
    match find(dict, name) {
        None | Some(Value::None) => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| wrong(name, wanted, value)),
    }
}

fn flag(dict: &Dict, name: &'static str) -> Result<bool> {
    Ok(read(dict, name, "a bool", Value::as_bool)?.unwrap_or(false))
}

fn lr<T: Float>(dict: &Dict) -> Result<Number<T>> {
    let lr = find(dict, "lr").ok_or(Error::MissingOption("lr"))?;
    load_number(lr).map_err(|_| wrong("lr", "a number or a tensor of one element", lr))
}

pub(super) fn decay(dict: &Dict) -> Result<Option<WeightDecay>> {
    let wanted = "a number, or ('L1', a number)";
    let decay = read(dict, "weight_decay", wanted, WeightDecay::read)?;
    match decay {
        Some(decay) if !decay.is_valid() => {
            Err(Error::InvalidWeightDecay(Value::from(decay.coefficient()).to_string()))
        }
        decay => Ok(decay.filter(|decay| decay.coefficient() != 0.0)),
    }
}

/// torch's constants, or the group's own. Both must be in `0 < c1 < c2 < 1`, or no point may satisfy the strong
/// Wolfe conditions (Nocedal & Wright, lemma 3.1).
fn conditions(dict: &Dict) -> Result<Conditions> {
    let torch = Conditions::TORCH;
    let share = |name| read(dict, name, "a number with 0 < c1 < c2 < 1", Value::as_float);
    let (given1, given2) = (share("c1")?, share("c2")?);
    let (c1, c2) = (given1.unwrap_or(torch.c1), given2.unwrap_or(torch.c2));
    if !(0.0 < c1 && c1 < c2 && c2 < 1.0) {
        let name = if given1.is_some() { "c1" } else { "c2" };
        let found = format!("c1 = {c1}, c2 = {c2}");
        return Err(Error::WrongOption { name, wanted: "a number with 0 < c1 < c2 < 1", found });
    }
    let steps = read(dict, "max_ls", "an int that is not negative", |value| usize::try_from(value.as_int()?).ok())?;
    Ok(Conditions { c1, c2, max_steps: steps.unwrap_or(torch.max_steps), ..torch })
}

fn narrow_history(dict: &Dict, dtype: DType) -> Result<bool> {
    let wanted = "'float32', or the dtype of the parameters";
    let narrow = read(dict, "history_dtype", wanted, |value| match (value.as_str()?, dtype) {
        ("float32", _) => Some(dtype == DType::F64),
        ("float64", DType::F64) => Some(false),
        _ => None,
    })?;
    Ok(narrow.unwrap_or(false))
}
