//! What an optimizer remembers of a parameter: a few numbers, and a few values per element.

use crate::base::{deep_copy, wrong_kind};
use crate::{Error, Result};
use checkpoint::{Dict, Value};
use std::collections::HashMap;
use tape::{DType, Float, Tensor, get_default_dtype};

/// torch's keys of a parameter's state, in torch's order: numbers come first.
pub(super) struct Layout {
    /// Numbers: 0-dimensional tensors in a state dict.
    pub scalars: &'static [&'static str],
    /// Values per element: tensors like the parameter.
    pub buffers: &'static [&'static str],
}

/// A 0-dimensional tensor of the state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scalar {
    value: f64,
    dtype: DType,
}

impl Scalar {
    /// torch's dtype for these is the default dtype, also for `float64` parameters.
    pub fn new(value: f64) -> Self {
        Self { value: 0.0, dtype: get_default_dtype() }.with(value)
    }

    fn with(self, value: f64) -> Self {
        let value = match self.dtype {
            DType::F32 => f64::from(value as f32),
            DType::I64 => value.trunc(),
            _ => value,
        };
        Self { value, ..self }
    }

    pub fn get(self) -> f64 {
        self.value
    }

    /// Takes over a number, rounded to the dtype.
    pub fn set(&mut self, value: f64) {
        *self = self.with(value);
    }

    /// `self *= factor`, both rounded to the dtype.
    pub fn multiply(&mut self, factor: f64) {
        self.set(self.value * self.with(factor).value);
    }

    fn load(key: &str, saved: &Value) -> Result<Self> {
        match saved {
            Value::Tensor(tensor) if tensor.numel() == 1 => {
                Ok(Self { value: 0.0, dtype: tensor.dtype() }.with(tensor.item()))
            }
            Value::Tensor(tensor) => {
                Err(Error::StateMismatch(format!("{key} has shape {:?}, it is one number", tensor.sizes())))
            }
            plain => {
                let number = plain.as_float().ok_or_else(|| wrong_kind("a number or a tensor", plain))?;
                Ok(Self::new(number))
            }
        }
    }
}

/// Values per element in the dtype of the parameter, in the order of [`Layout::buffers`].
#[derive(Clone, Debug)]
pub(super) enum Buffers {
    F32(Vec<Option<Vec<f32>>>),
    F64(Vec<Option<Vec<f64>>>),
}

/// The state as a step sees it.
pub(super) struct Slots<'a, T> {
    pub scalars: &'a mut [Scalar],
    pub buffers: &'a mut [Option<Vec<T>>],
}

impl<T: Float> Slots<'_, T> {
    /// Advances `step`, the first number, and returns it.
    pub fn count(&mut self) -> f64 {
        let step = &mut self.scalars[0];
        step.set(step.value + 1.0);
        step.value
    }

    /// These buffers, each another one; a step is only made where all it needs are there.
    pub fn buffers<const N: usize>(&mut self, which: [usize; N]) -> [&mut [T]; N] {
        let buffers = self.buffers.get_disjoint_mut(which).expect("each buffer is asked for once");
        buffers.map(|buffer| buffer.as_deref_mut().expect("the state was checked before the step"))
    }
}

/// The state of one parameter.
#[derive(Debug)]
pub(super) struct ParamState {
    pub scalars: Vec<Scalar>,
    pub buffers: Buffers,
    /// Loaded entries that the optimizer does not know; they are saved again.
    extra: Dict,
}

impl Clone for ParamState {
    fn clone(&self) -> Self {
        let extra = deep_copy(&self.extra);
        Self { scalars: self.scalars.clone(), buffers: self.buffers.clone(), extra }
    }
}

impl ParamState {
    /// The state of a parameter that never moved.
    pub fn without(param: &Tensor) -> Self {
        Self::new(param, [], &[])
    }

    /// Numbers, and for each buffer that exists the value of all its elements.
    pub fn new(param: &Tensor, scalars: impl IntoIterator<Item = f64>, elements: &[Option<f64>]) -> Self {
        fn filled<T: Float>(len: usize, elements: &[Option<f64>]) -> Vec<Option<Vec<T>>> {
            elements.iter().map(|element| element.map(|value| vec![T::from_f64(value); len])).collect()
        }
        let len = param.numel();
        let buffers = match param.dtype() {
            DType::F64 => Buffers::F64(filled(len, elements)),
            _ => Buffers::F32(filled(len, elements)),
        };
        Self { scalars: scalars.into_iter().map(Scalar::new).collect(), buffers, extra: Dict::new() }
    }

    pub fn has(&self, buffer: usize) -> bool {
        match &self.buffers {
            Buffers::F32(buffers) => buffers.get(buffer).is_some_and(Option::is_some),
            Buffers::F64(buffers) => buffers.get(buffer).is_some_and(Option::is_some),
        }
    }

    /// Whether torch's dict of this parameter would be empty, which is when it makes a new state.
    pub fn is_empty(&self) -> bool {
        let buffers = match &self.buffers {
            Buffers::F32(buffers) => buffers.len(),
            Buffers::F64(buffers) => buffers.len(),
        };
        self.scalars.is_empty() && self.extra.is_empty() && !(0..buffers).any(|buffer| self.has(buffer))
    }

    pub fn save(&self, layout: &Layout, param: &Tensor) -> Dict {
        let mut dict = Dict::new();
        for (key, scalar) in layout.scalars.iter().zip(&self.scalars) {
            dict.insert(*key, Tensor::full((), scalar.value, scalar.dtype));
        }
        let shape = param.sizes();
        let tensors: Vec<Option<Tensor>> = match &self.buffers {
            Buffers::F32(all) => all.iter().map(|b| b.as_ref().map(|b| Tensor::from_vec(b.clone(), shape))).collect(),
            Buffers::F64(all) => all.iter().map(|b| b.as_ref().map(|b| Tensor::from_vec(b.clone(), shape))).collect(),
        };
        for (key, tensor) in layout.buffers.iter().zip(tensors) {
            if let Some(tensor) = tensor {
                dict.insert(*key, tensor);
            }
        }
        for (key, value) in self.extra.iter() {
            if !dict.contains_key(key.clone()) {
                dict.insert(key.clone(), value.deep_copy());
            }
        }
        dict
    }

    /// Reads what [`save`](Self::save) or torch wrote. Tensors have the dtype that is to be kept already.
    pub fn load(layout: &Layout, saved: &Value, param: &Tensor) -> Result<Self> {
        let dict = saved.as_dict().ok_or_else(|| wrong_kind("a dict", saved))?;
        let mut state = Self::new(param, [], &vec![None; layout.buffers.len()]);
        if dict.is_empty() || !param.dtype().is_floating_point() {
            state.extra = dict.clone();
            return Ok(state);
        }
        for key in layout.scalars {
            let saved = dict.get(*key);
            let saved = saved.ok_or_else(|| Error::StateMismatch(format!("a parameter's state has no '{key}'")))?;
            state.scalars.push(Scalar::load(key, saved)?);
        }
        for (key, value) in dict.iter() {
            let name = key.as_str().unwrap_or_default();
            match layout.buffers.iter().position(|buffer| *buffer == name) {
                Some(buffer) if !value.is_none() => state.load_buffer(buffer, name, value, param)?,
                _ if layout.scalars.contains(&name) => {}
                _ => {
                    state.extra.insert(key.clone(), value.clone());
                }
            }
        }
        Ok(state)
    }

    fn load_buffer(&mut self, buffer: usize, key: &str, saved: &Value, param: &Tensor) -> Result<()> {
        fn read<T: Float>(tensor: &Tensor) -> Option<Vec<T>> {
            let mut values = vec![T::ZERO; tensor.numel()];
            tensor.read_into(&mut values);
            Some(values)
        }
        let tensor = saved.as_tensor().ok_or_else(|| wrong_kind("a tensor", saved))?;
        if tensor.sizes() != param.sizes() {
            let (found, own) = (tensor.sizes(), param.sizes());
            return Err(Error::StateMismatch(format!("{key} has shape {found:?}, its parameter {own:?}")));
        }
        match &mut self.buffers {
            Buffers::F32(buffers) => buffers[buffer] = read(tensor),
            Buffers::F64(buffers) => buffers[buffer] = read(tensor),
        }
        Ok(())
    }
}

/// The states of all parameters, in the order in which they came to have one.
#[derive(Clone, Debug, Default)]
pub(super) struct States {
    list: Vec<(Tensor, ParamState)>,
    /// Position in `list` by [`Tensor::id`].
    positions: HashMap<usize, usize>,
}

impl States {
    pub fn get(&self, param: &Tensor) -> Option<&ParamState> {
        self.positions.get(&param.id()).map(|&at| &self.list[at].1)
    }

    /// The state of a parameter, an empty one where it has none yet.
    pub fn entry(&mut self, param: &Tensor) -> &mut ParamState {
        let at = *self.positions.entry(param.id()).or_insert_with(|| {
            self.list.push((param.clone(), ParamState::without(param)));
            self.list.len() - 1
        });
        &mut self.list[at].1
    }

    pub fn iter(&self) -> impl Iterator<Item = &(Tensor, ParamState)> {
        self.list.iter()
    }
}
