//! What to do about NaN and infinity.

use checkpoint::Value;

/// What a step does where the loss or its gradient is NaN or infinite.
///
/// ```
/// use optim::{Lbfgs, LineSearch, NonFinite, Optimizer};
/// use tape::Tensor;
/// // x - ln x has its minimum at 1 and no value below 0, where the first long step leads.
/// let x = Tensor::from([3.0]).requires_grad_(true);
/// let optimizer = Lbfgs::builder([&x])
///     .max_iter(50)
///     .line_search_fn(LineSearch::StrongWolfe)
///     .non_finite(NonFinite::Recover)
///     .build()?;
/// optimizer.step(|| {
///     optimizer.zero_grad();
///     let loss = (&x - x.log()).sum();
///     loss.backward()?;
///     Ok(loss)
/// })?;
/// assert!((x.item() - 1.0).abs() < 1e-6);
/// assert!(optimizer.report().non_finite_evaluations > 0);
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NonFinite {
    /// torch's behaviour: every comparison with NaN is false, so a line search extrapolates on it and a fixed
    /// step goes on. The report counts such evaluations. With [`guarded`](crate::LbfgsBuilder::guarded) the search
    /// is still torch's, but no such point is accepted: the step ends with
    /// [`StopReason::NonFinite`](crate::StopReason::NonFinite) at the last accepted point.
    #[default]
    Torch,
    /// The step ends with [`Error::NonFinite`](crate::Error::NonFinite), and the parameters are at the last
    /// accepted point. Without a line search the last iteration is not evaluated, as in torch, so that the next
    /// step is the one to fail; [`guarded`](crate::LbfgsBuilder::guarded) evaluates it.
    Stop,
    /// The trial counts as one that went too far: a line search tries a quarter of the way to it, a fixed step
    /// is made a quarter as long, at most `max_ls` times. Where that leads nowhere the memory is cleared and
    /// the gradient itself is followed, once; then the step ends with
    /// [`StopReason::NonFinite`](crate::StopReason::NonFinite) at the last accepted point. Without a line search
    /// the last iteration is evaluated too, one evaluation more than in torch, so that no step ends where
    /// nobody looked.
    Recover,
}

impl NonFinite {
    /// The name under which state dicts have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Torch => "torch",
            Self::Stop => "stop",
            Self::Recover => "recover",
        }
    }

    pub(super) fn read(value: &Value) -> Option<Self> {
        let name = value.as_str()?;
        [Self::Torch, Self::Stop, Self::Recover].into_iter().find(|policy| policy.name() == name)
    }
}
