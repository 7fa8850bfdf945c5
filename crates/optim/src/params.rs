//! What an optimizer can be built over.

use crate::ParamGroup;
use tape::Tensor;

/// One parameter, with or without a name, or a whole group.
#[derive(Clone, Debug)]
pub enum Param {
    /// A tensor.
    Tensor(Tensor),
    /// A tensor and its name.
    Named(String, Tensor),
    /// A group with options of its own.
    Group(ParamGroup),
}

impl From<Tensor> for Param {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

impl From<&Tensor> for Param {
    fn from(tensor: &Tensor) -> Self {
        Self::Tensor(tensor.clone())
    }
}

impl From<&&Tensor> for Param {
    fn from(tensor: &&Tensor) -> Self {
        Self::Tensor((*tensor).clone())
    }
}

impl<S: Into<String>> From<(S, Tensor)> for Param {
    fn from((name, tensor): (S, Tensor)) -> Self {
        Self::Named(name.into(), tensor)
    }
}

impl<S: Into<String>> From<(S, &Tensor)> for Param {
    fn from((name, tensor): (S, &Tensor)) -> Self {
        Self::Named(name.into(), tensor.clone())
    }
}

impl<S: Clone + Into<String>> From<&(S, Tensor)> for Param {
    fn from((name, tensor): &(S, Tensor)) -> Self {
        Self::Named(name.clone().into(), tensor.clone())
    }
}

impl<S: Clone + Into<String>> From<&(S, &Tensor)> for Param {
    fn from((name, tensor): &(S, &Tensor)) -> Self {
        Self::Named(name.clone().into(), (*tensor).clone())
    }
}

impl From<ParamGroup> for Param {
    fn from(group: ParamGroup) -> Self {
        Self::Group(group)
    }
}

impl From<&ParamGroup> for Param {
    fn from(group: &ParamGroup) -> Self {
        Self::Group(group.clone())
    }
}

/// Parameters for an optimizer: an array, slice, `Vec` or iterator of tensors, of `(name, tensor)` pairs, or
/// of [`ParamGroup`]s.
///
/// ```
/// use optim::{IntoParams, ParamGroup};
/// use tape::{DType, Tensor};
/// let (w, b) = (Tensor::zeros([2, 2], DType::F32), Tensor::zeros([2], DType::F32));
/// assert_eq!([&w, &b].into_params().len(), 2);
/// assert_eq!([("w", &w), ("b", &b)].into_params().len(), 2);
/// assert_eq!([ParamGroup::new([&w]), ParamGroup::new([&b]).with("lr", 0.01)].into_params().len(), 2);
/// ```
///
/// A tensor alone is refused, by torch when the program runs, here when it is compiled:
/// ```compile_fail,E0277
/// optim::Sgd::builder(&tape::Tensor::from([1.0]));
/// ```
#[diagnostic::on_unimplemented(
    message = "params argument given to the optimizer should be an iterable of Tensors, but got `{Self}`",
    note = "pass `[&tensor]`, `model.parameters()`, `[(\"name\", &tensor)]` or `[ParamGroup::new(..)]`"
)]
pub trait IntoParams {
    /// The parameters one by one.
    fn into_params(self) -> Vec<Param>;
}

impl<I> IntoParams for I
where
    I: IntoIterator,
    I::Item: Into<Param>,
{
    fn into_params(self) -> Vec<Param> {
        self.into_iter().map(Into::into).collect()
    }
}
