//! The state that lives from step to step, and its form under torch's keys.
//!
//! torch's names mislead in one place, translated here and nowhere else: `old_dirs` holds the gradient
//! changes `y`, `old_stps` the steps `s`.

use super::memory::Memory;
use super::metric::Metric;
use super::scalar::Number;
use crate::base::{deep_copy, wrong_kind};
use crate::{Error, Result};
use checkpoint::{Dict, Value};
use tape::{Float, Tensor};

/// Everything torch files under the first parameter.
#[derive(Clone, Debug)]
pub(crate) struct State<T> {
    /// Whether a step was ever taken: only then is there a state at all.
    pub(crate) exists: bool,
    pub(crate) func_evals: i64,
    pub(crate) n_iter: i64,
    /// Whether a first iteration is behind us, so that the fields below hold something.
    pub(crate) begun: bool,
    /// A step of no iterations was taken: torch then stores its keys with None.
    pub(crate) none_stored: bool,
    pub(crate) d: Vec<T>,
    pub(crate) t: Number<T>,
    pub(crate) memory: Memory<T>,
    pub(crate) h_diag: Number<T>,
    pub(crate) prev_flat_grad: Vec<T>,
    pub(crate) prev_loss: f64,
    /// The clipped gradient that `d` was made of; empty without clipping.
    pub(super) prev_clipped: Vec<T>,
    /// torch's scratch of the two-loop recursion, as long as `history_size` was when it was made.
    pub(crate) al: Option<Vec<Option<T>>>,
    /// `al` was made after the other keys had been stored, so it comes last.
    pub(crate) al_last: bool,
    /// The metric that memory and direction are in.
    pub(super) metric: Metric,
    /// Keys of others beside ours, kept as they are.
    pub(crate) extra: Dict,
}

/// Our own keys beside torch's: the first where groups have different learning rates, the second where
/// gradients are clipped.
const SCALES: &str = "group_scales";
const CLIPPED: &str = "prev_clipped_grad";

/// Keys in the order in which torch stores them at the end of a step.
const STORED: [&str; 8] = ["d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss"];

impl<T: Float> State<T> {
    /// The state before any step, for `n` elements.
    pub(crate) fn new(n: usize) -> Self {
        Self {
            exists: false,
            func_evals: 0,
            n_iter: 0,
            begun: false,
            none_stored: false,
            d: vec![T::ZERO; n],
            t: Number::Int(0),
            memory: Memory::new(n),
            h_diag: Number::Int(1),
            prev_flat_grad: vec![T::ZERO; n],
            prev_loss: f64::NAN,
            prev_clipped: Vec::new(),
            al: None,
            al_last: false,
            metric: Metric::default(),
            extra: Dict::new(),
        }
    }

    /// A state for `n` elements in which nothing but the count of evaluations is remembered: the next
    /// iteration is a first one.
    pub(super) fn fresh<U: Float>(&self, n: usize) -> State<U> {
        State { exists: self.exists, func_evals: self.func_evals, extra: self.extra.clone(), ..State::new(n) }
    }

    /// Goes over to another metric and returns whether the memory had to go for it. Scales that differ by
    /// rounding only stay what they were.
    pub(super) fn adopt(&mut self, metric: &mut Metric) -> bool {
        if self.begun && self.metric.agrees_with(metric) {
            metric.clone_from(&self.metric);
            return false;
        }
        let forgets = self.begun;
        if forgets {
            *self = self.fresh(self.d.len());
        }
        self.metric.clone_from(metric);
        forgets
    }

    /// The state under torch's keys, in torch's order.
    pub(crate) fn save(&self) -> Dict {
        let mut dict = Dict::new();
        if !self.exists {
            return dict;
        }
        dict.insert("func_evals", self.func_evals);
        dict.insert("n_iter", self.n_iter);
        let al = || self.al.iter().flatten().map(|a| a.map(scalar)).collect::<Value>();
        if self.al.is_some() && !self.al_last {
            dict.insert("al", al());
        }
        if self.begun {
            dict.insert("d", vector(&self.d));
            dict.insert("t", save_number(self.t));
            let (ss, ys): (Vec<_>, Vec<_>) = (0..self.memory.len()).map(|i| self.memory.tensors(i).into()).unzip();
            dict.insert("old_dirs", ys);
            dict.insert("old_stps", ss);
            dict.insert("ro", self.memory.rhos().map(scalar).collect::<Value>());
            dict.insert("H_diag", save_number(self.h_diag));
            dict.insert("prev_flat_grad", vector(&self.prev_flat_grad));
            dict.insert("prev_loss", self.prev_loss);
        } else if self.none_stored {
            dict.extend(STORED.map(|key| (key, Value::None)));
        }
        if self.al.is_some() && self.al_last {
            dict.insert("al", al());
        }
        if !self.metric.is_identity() {
            dict.insert(SCALES, self.metric.scales().to_vec());
        }
        if !self.prev_clipped.is_empty() {
            dict.insert(CLIPPED, vector(&self.prev_clipped));
        }
        dict.extend(deep_copy(&self.extra));
        dict
    }

    /// Reads what [`save`](Self::save) or torch wrote, for `n` elements; tensors are converted to `T`, pairs to
    /// `f32` if `narrow`.
    pub(crate) fn load(saved: &Value, n: usize, narrow: bool) -> Result<Self> {
        let mut state = Self::new(n);
        state.memory.set_narrow(narrow);
        let dict = saved.as_dict().ok_or(wrong_kind("a dict", saved))?;
        state.exists = true;
        state.func_evals = saved.get("func_evals").map_or(Ok(0), i64::try_from)?;
        state.n_iter = saved.get("n_iter").map_or(Ok(0), i64::try_from)?;
        if let Some(al) = saved.get("al") {
            let places = al.as_list().ok_or(wrong_kind("a list", al))?;
            let read = |a: &Value| if a.is_none() { Ok(None) } else { load_scalar(a).map(Some) };
            state.al = Some(places.iter().map(read).collect::<Result<_>>()?);
            state.al_last = dict.keys().position(|k| k.as_str() == Some("al"))
                > dict.keys().position(|k| k.as_str() == Some("d")).or(Some(usize::MAX));
        }
        match saved.get("d") {
            Some(d) if !d.is_none() => state.load_stored(saved, d)?,
            d => {
                if state.n_iter > 1 {
                    let what = format!("'d' is missing although n_iter is {}", state.n_iter);
                    return Err(Error::StateMismatch(what));
                }
                // Saved while the first iteration was running: it starts anew.
                state.n_iter = 0;
                state.none_stored = d.is_some();
            }
        }
        if let Some(scales) = saved.get(SCALES) {
            let scales = scales.as_list().ok_or(wrong_kind("a list", scales))?;
            state.metric = Metric::new(scales.iter().map(f64::try_from).collect::<checkpoint::Result<_>>()?);
        }
        if let Some(clipped) = saved.get(CLIPPED) {
            state.prev_clipped = load_vector(CLIPPED, clipped, n)?;
        }
        let own = |key: &str| STORED.contains(&key) || ["func_evals", "n_iter", "al", SCALES, CLIPPED].contains(&key);
        state.extra =
            dict.iter().filter(|(k, _)| !k.as_str().is_some_and(own)).map(|(k, v)| (k.clone(), v.clone())).collect();
        Ok(state)
    }

    fn load_stored(&mut self, saved: &Value, d: &Value) -> Result<()> {
        let n = self.d.len();
        self.begun = true;
        self.d = load_vector("d", d, n)?;
        self.t = load_number(saved.require("t")?)?;
        self.h_diag = load_number(saved.require("H_diag")?)?;
        self.prev_flat_grad = load_vector("prev_flat_grad", saved.require("prev_flat_grad")?, n)?;
        self.prev_loss = load_number::<f64>(saved.require("prev_loss")?)?.to_f64();
        let list = |key: &str| -> Result<&[Value]> {
            let items = saved.require(key)?;
            Ok(items.as_list().ok_or(wrong_kind("a list", items))?)
        };
        let (ys, ss, rhos) = (list("old_dirs")?, list("old_stps")?, list("ro")?);
        if ys.len() != ss.len() || ys.len() != rhos.len() {
            return Err(Error::StateMismatch(format!(
                "'old_dirs', 'old_stps' and 'ro' have {}, {} and {} entries",
                ys.len(),
                ss.len(),
                rhos.len()
            )));
        }
        for ((y, s), rho) in ys.iter().zip(ss).zip(rhos) {
            let (s, y) = (load_vector("old_stps", s, n)?, load_vector("old_dirs", y, n)?);
            self.memory.restore(&s, &y, load_scalar(rho)?);
        }
        Ok(())
    }
}

fn scalar<T: Float>(x: T) -> Value {
    Tensor::from_vec(vec![x], ()).into()
}

fn vector<T: Float>(x: &[T]) -> Value {
    Tensor::from_vec(x.to_vec(), [x.len()]).into()
}

fn save_number<T: Float>(x: Number<T>) -> Value {
    match x {
        Number::Int(i) => i.into(),
        Number::Float(x) => x.into(),
        Number::Tensor(x) => scalar(x),
    }
}

/// A number of any kind; the kind is kept, because it decides how later operations round.
pub(crate) fn load_number<T: Float>(value: &Value) -> Result<Number<T>> {
    match value {
        Value::Int(i) => Ok(Number::Int(*i)),
        Value::Float(x) => Ok(Number::Float(*x)),
        other => Ok(Number::Tensor(load_scalar(other)?)),
    }
}

fn load_scalar<T: Float>(value: &Value) -> Result<T> {
    match value {
        Value::Tensor(x) if x.numel() == 1 => Ok(x.item_as()),
        Value::Tensor(x) => {
            Err(Error::StateMismatch(format!("a number is expected, found a tensor of shape {:?}", x.sizes())))
        }
        plain => Ok(T::from_f64(f64::try_from(plain)?)),
    }
}

fn load_vector<T: Float>(key: &str, value: &Value, n: usize) -> Result<Vec<T>> {
    let tensor = value.as_tensor().ok_or(wrong_kind("a tensor", value))?;
    if tensor.numel() != n {
        let found = tensor.numel();
        let what = format!("'{key}' holds vectors of {found} elements, the parameters have {n}");
        return Err(Error::StateMismatch(what));
    }
    let mut out = vec![T::ZERO; n];
    tensor.read_into(&mut out);
    Ok(out)
}
