//! Functions that are called before and after steps, and before and after state dicts are made and loaded.

use crate::{BoxError, Closure, Error, Optimizer, Result};
use checkpoint::Value;
use std::cell::RefCell;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, LazyLock};
use tape::{HookList, RemovableHandle, Tensor};

/// What a step was called with. Hooks before the step may change it; hooks after it see what the step saw.
#[derive(Default)]
pub struct StepArgs<'a> {
    closure: Option<Box<Closure<'a>>>,
}

impl<'a> StepArgs<'a> {
    pub(crate) fn new(closure: Option<&'a mut Closure<'_>>) -> Self {
        Self { closure: closure.map(|closure| Box::new(closure) as Box<Closure<'a>>) }
    }

    /// The closure, if the step was called with one.
    pub fn closure(&mut self) -> Option<&mut Closure<'a>> {
        self.closure.as_deref_mut()
    }

    /// Gives the step another closure, or one that it was not called with.
    pub fn set_closure(&mut self, closure: impl FnMut() -> std::result::Result<Tensor, BoxError> + 'a) {
        self.closure = Some(Box::new(closure));
    }

    /// Puts a function around the closure, which it gets as its argument. A step without closure stays so.
    ///
    /// ```
    /// use optim::{Lbfgs, Optimizer};
    /// use tape::Tensor;
    /// let p = Tensor::from([3.0]).requires_grad_(true);
    /// let lbfgs = Lbfgs::builder([&p]).build()?;
    /// lbfgs.register_step_pre_hook(|_, args| {
    ///     args.wrap_closure(|inner| {
    ///         let loss = inner()?;
    ///         println!("loss {}", loss.item());
    ///         Ok(loss)
    ///     });
    ///     Ok(())
    /// });
    /// lbfgs.step(|| {
    ///     lbfgs.zero_grad();
    ///     let loss = (&p * &p).sum();
    ///     loss.backward()?;
    ///     Ok(loss)
    /// })?;
    /// # Ok::<(), optim::Error>(())
    /// ```
    pub fn wrap_closure(
        &mut self,
        mut wrapper: impl FnMut(&mut Closure<'_>) -> std::result::Result<Tensor, BoxError> + 'a,
    ) {
        if let Some(mut inner) = self.closure.take() {
            self.closure = Some(Box::new(move || wrapper(&mut *inner)));
        }
    }
}

impl Debug for StepArgs<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepArgs").field("closure", &self.closure.is_some()).finish()
    }
}

/// Called before a step. An error ends the step before it began.
pub type StepPreHook = dyn Fn(&dyn Optimizer, &mut StepArgs<'_>) -> std::result::Result<(), BoxError> + Send + Sync;
/// Called after a step that succeeded.
pub type StepPostHook = dyn Fn(&dyn Optimizer, &mut StepArgs<'_>) + Send + Sync;
/// Called with the optimizer alone.
pub type OptimizerHook = dyn Fn(&dyn Optimizer) + Send + Sync;
/// Called with a state dict, which it may change or replace.
pub type StateDictHook = dyn Fn(&dyn Optimizer, &mut Value) -> Option<Value> + Send + Sync;

/// The hooks of one optimizer: torch's six families.
#[derive(Debug, Default)]
pub struct Hooks {
    /// Before [`step`](Optimizer::step_closure).
    pub step_pre: Arc<HookList<StepPreHook>>,
    /// After a step.
    pub step_post: Arc<HookList<StepPostHook>>,
    /// Before a state dict is made.
    pub state_dict_pre: Arc<HookList<OptimizerHook>>,
    /// With the state dict that was made.
    pub state_dict_post: Arc<HookList<StateDictHook>>,
    /// With the state dict that is to be loaded.
    pub load_state_dict_pre: Arc<HookList<StateDictHook>>,
    /// After a state dict was loaded.
    pub load_state_dict_post: Arc<HookList<OptimizerHook>>,
}

/// Hooks on the steps of all optimizers.
#[derive(Default)]
struct Global {
    pre: Arc<HookList<StepPreHook>>,
    post: Arc<HookList<StepPostHook>>,
}

static ALL_THREADS: LazyLock<Global> = LazyLock::new(Global::default);

thread_local! {
    static THIS_THREAD: Global = Global::default();
}

/// Calls `hook` before every step that this thread makes with whatever optimizer, before the optimizer's own
/// hooks.
///
/// torch has one such list per process, and Python one thread that trains. Here two threads that train, or two
/// tests, do not see each other's steps, unless they ask for it with
/// [`register_optimizer_step_pre_hook_on_all_threads`].
///
/// ```
/// use optim::{Optimizer, Sgd, register_optimizer_step_pre_hook};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// let steps = Arc::new(AtomicUsize::new(0));
/// let counter = Arc::clone(&steps);
/// let handle = register_optimizer_step_pre_hook(move |_, _| {
///     counter.fetch_add(1, Ordering::Relaxed);
///     Ok(())
/// });
/// let p = tape::Tensor::from([1.0]).requires_grad_(true);
/// Sgd::builder([&p]).build()?.step()?;
/// handle.remove();
/// Sgd::builder([&p]).build()?.step()?;
/// assert_eq!(steps.load(Ordering::Relaxed), 1);
/// # Ok::<(), optim::Error>(())
/// ```
pub fn register_optimizer_step_pre_hook(
    hook: impl Fn(&dyn Optimizer, &mut StepArgs<'_>) -> std::result::Result<(), BoxError> + Send + Sync + 'static,
) -> RemovableHandle {
    THIS_THREAD.with(|global| global.pre.push(Arc::new(hook)))
}

/// Calls `hook` after every step that this thread makes with whatever optimizer, after the optimizer's own hooks.
/// See [`register_optimizer_step_pre_hook`].
pub fn register_optimizer_step_post_hook(
    hook: impl Fn(&dyn Optimizer, &mut StepArgs<'_>) + Send + Sync + 'static,
) -> RemovableHandle {
    THIS_THREAD.with(|global| global.post.push(Arc::new(hook)))
}

/// Calls `hook` before every step of every optimizer of this process, before all other hooks.
pub fn register_optimizer_step_pre_hook_on_all_threads(
    hook: impl Fn(&dyn Optimizer, &mut StepArgs<'_>) -> std::result::Result<(), BoxError> + Send + Sync + 'static,
) -> RemovableHandle {
    ALL_THREADS.pre.push(Arc::new(hook))
}

/// Calls `hook` after every step of every optimizer of this process, after all other hooks.
pub fn register_optimizer_step_post_hook_on_all_threads(
    hook: impl Fn(&dyn Optimizer, &mut StepArgs<'_>) + Send + Sync + 'static,
) -> RemovableHandle {
    ALL_THREADS.post.push(Arc::new(hook))
}

/// All hooks before a step, in order.
fn before_step(hooks: &Hooks) -> impl Iterator<Item = Arc<StepPreHook>> {
    let this_thread = THIS_THREAD.with(|global| global.pre.snapshot());
    ALL_THREADS.pre.snapshot().into_iter().chain(this_thread).chain(hooks.step_pre.snapshot())
}

/// All hooks after a step, in order.
fn after_step(hooks: &Hooks) -> impl Iterator<Item = Arc<StepPostHook>> {
    let this_thread = THIS_THREAD.with(|global| global.post.snapshot());
    hooks.step_post.snapshot().into_iter().chain(this_thread).chain(ALL_THREADS.post.snapshot())
}

/// What hooks are running for: inside of them the same call on the same optimizer runs no hooks, where torch
/// would call itself without end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Step,
    StateDict,
    LoadStateDict,
}

thread_local! {
    static RUNNING: RefCell<Vec<(*const Hooks, Call)>> = const { RefCell::new(Vec::new()) };
}

/// Notes that hooks run on this thread; `None` if they do already.
struct Nesting;

impl Nesting {
    fn enter(hooks: &Hooks, call: Call) -> Option<Self> {
        let entry = (std::ptr::from_ref(hooks), call);
        RUNNING.with_borrow_mut(|running| {
            if running.contains(&entry) {
                return None;
            }
            running.push(entry);
            Some(Self)
        })
    }
}

impl Drop for Nesting {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(|running| running.pop());
    }
}

/// A step with all its hooks: global ones before, own ones before, the step, own ones after, global ones after.
pub(crate) fn step(optimizer: &dyn Optimizer, closure: Option<&mut Closure<'_>>) -> Result<Option<Tensor>> {
    let hooks = optimizer.base().hooks();
    optimizer.base().refuse_while_running("step")?;
    let mut args = StepArgs::new(closure);
    {
        let Some(_nesting) = Nesting::enter(hooks, Call::Step) else { return body(optimizer, args.closure()) };
        for hook in before_step(hooks) {
            hook(optimizer, &mut args).map_err(|error| Error::Hook(error.into_inner()))?;
        }
    }
    let loss = body(optimizer, args.closure())?;
    let Some(_nesting) = Nesting::enter(hooks, Call::Step) else { return Ok(loss) };
    for hook in after_step(hooks) {
        hook(optimizer, &mut args);
    }
    Ok(loss)
}

fn body(optimizer: &dyn Optimizer, closure: Option<&mut Closure<'_>>) -> Result<Option<Tensor>> {
    let base = optimizer.base();
    let _running = base.start("step")?;
    base.groups().note_step();
    optimizer.step_body(closure)
}

/// Makes a state dict, with the hooks around it.
pub(crate) fn state_dict(optimizer: &dyn Optimizer, pack: impl FnOnce() -> Value) -> Value {
    let hooks = optimizer.base().hooks();
    let Some(_nesting) = Nesting::enter(hooks, Call::StateDict) else { return pack() };
    for hook in hooks.state_dict_pre.snapshot() {
        hook(optimizer);
    }
    pass_through(optimizer, &hooks.state_dict_post, pack())
}

/// Loads a state dict, with the hooks around it.
pub(crate) fn load_state_dict(
    optimizer: &dyn Optimizer,
    state_dict: Value,
    load: impl FnOnce(Value) -> Result<()>,
) -> Result<()> {
    let hooks = optimizer.base().hooks();
    optimizer.base().refuse_while_running("load_state_dict")?;
    let Some(_nesting) = Nesting::enter(hooks, Call::LoadStateDict) else { return load(state_dict) };
    load(pass_through(optimizer, &hooks.load_state_dict_pre, state_dict))?;
    for hook in hooks.load_state_dict_post.snapshot() {
        hook(optimizer);
    }
    Ok(())
}

/// Hands a state dict from hook to hook; what a hook returns replaces it.
fn pass_through(optimizer: &dyn Optimizer, hooks: &HookList<StateDictHook>, mut state_dict: Value) -> Value {
    for hook in hooks.snapshot() {
        if let Some(other) = hook(optimizer, &mut state_dict) {
            state_dict = other;
        }
    }
    state_dict
}
