//! The promises of guarded steps once more, over random problems, options and faults.

mod promise;

use checkpoint::Value;
use optim::{BoxError, Error, GradClip, Lbfgs, LineSearch, NonFinite, Optimizer, ParamGroup, StopReason, WeightDecay};
use promise::all_finite;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use tape::{DType, Float, Tensor};

/// Runs per dtype.
const RUNS: u64 = 1500;

/// Marsaglia's xorshift64*.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n) as usize
    }

    fn one_of<V: Copy, const N: usize>(&mut self, values: [V; N]) -> V {
        values[self.below(N as u64)]
    }

    /// Between -1 and 1.
    fn number(&mut self) -> f64 {
        self.below(1 << 20) as f64 / f64::from(1 << 19) - 1.0
    }
}

/// `scale (sum a x^2 / 2 + sum of h(w . x + c))`, where `h` waves, has a wall, a plateau or overflows in `f32`.
struct Problem {
    kind: usize,
    scale: f64,
    curvatures: Vec<f64>,
    weights: Vec<Vec<f64>>,
    shifts: Vec<f64>,
}

impl Problem {
    fn draw(random: &mut Random) -> Self {
        let n = 2 + random.below(4);
        let mut numbers = |count: usize, size: f64| (0..count).map(|_| size * random.number()).collect::<Vec<f64>>();
        let curvatures = numbers(n, 2.0).into_iter().map(|power| 10.0_f64.powf(power)).collect();
        let weights = (0..3).map(|_| numbers(n, 2.0)).collect();
        let shifts = numbers(3, 3.0);
        Self { kind: random.below(6), scale: random.one_of([1.0, 1.0, 1e-4, 1e6]), curvatures, weights, shifts }
    }

    fn at(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let mut loss: f64 = self.curvatures.iter().zip(x).map(|(a, x)| a * x * x / 2.0).sum();
        let mut gradient: Vec<f64> = self.curvatures.iter().zip(x).map(|(a, x)| a * x).collect();
        for (weights, shift) in self.weights.iter().zip(&self.shifts) {
            let z = weights.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() + shift;
            let (value, slope) = match self.kind {
                0 => (5.0 * z.sin(), 5.0 * z.cos()),
                1 => (-(z + 4.0).ln(), -1.0 / (z + 4.0)),
                2 => (z.exp(), z.exp()),
                3 => (50.0 * z.tanh(), 50.0 * (1.0 - z.tanh().powi(2))),
                4 => (1e30 * z * z, 2e30 * z),
                _ => (z.powi(4), 4.0 * z.powi(3)),
            };
            loss += value;
            gradient.iter_mut().zip(weights).for_each(|(g, w)| *g += slope * w);
        }
        (self.scale * loss, gradient.into_iter().map(|g| self.scale * g).collect())
    }
}

/// One evaluation, spoilt in one of twelve ways or not at all.
fn spoil(random: &mut Random, loss: &mut f64, gradient: &mut [f64]) -> Result<bool, BoxError> {
    match random.below(12) {
        0 => return Err(BoxError::msg("planned")),
        1 => resume_unwind(Box::new("planned")),
        2 => *loss = f64::NAN,
        3 => *loss = f64::INFINITY,
        4 => *loss = f64::NEG_INFINITY,
        5 => gradient[0] = f64::NAN,
        6 => gradient[0] = f64::INFINITY,
        7 => gradient.iter_mut().for_each(|g| *g = -*g),
        8 => gradient.iter_mut().for_each(|g| *g *= 1e3),
        9 => gradient.iter_mut().for_each(|g| *g *= 1.0 + random.number()),
        10 => gradient.fill(0.0),
        _ => return Ok(false),
    }
    Ok(true)
}

/// A guarded optimizer with options drawn at random, and what of them the checks need to know.
struct Drawn {
    optimizer: Lbfgs,
    search: bool,
    maximize: bool,
    penalty: bool,
    policy: NonFinite,
    spoilt: usize,
}

fn draw(random: &mut Random, params: &[Tensor; 2]) -> Result<Drawn, Error> {
    let (search, maximize) = (random.below(5) < 3, random.below(4) == 0);
    let (lr, penalty) = (random.one_of([1.0, 1.0, 0.1, 3.0, 30.0]), random.below(4) == 0);
    let policy = random.one_of([NonFinite::Torch, NonFinite::Stop, NonFinite::Recover]);
    let several = random.below(3) == 0;
    let [a, b] = params;
    let mut builder = if several {
        let groups = [ParamGroup::new([("a", a)]), ParamGroup::new([("b", b)]).with("lr", 0.5 * lr)];
        Lbfgs::builder(groups).parameter_groups(true)
    } else {
        Lbfgs::builder([a, b])
    };
    builder = builder
        .guarded(true)
        .non_finite(policy)
        .lr(lr)
        .line_search_fn(search.then_some(LineSearch::StrongWolfe))
        .maximize(maximize)
        .max_iter(random.one_of([1, 2, 3, 12, 12]))
        .history_size(random.one_of([1, 2, 10, 100]))
        .powell_damping(random.below(5) == 0);
    if random.below(5) < 2 {
        builder = builder.max_eval(1 + random.below(5));
    }
    if random.below(3) == 0 {
        builder = builder.max_ls(1 + random.below(3));
    }
    if penalty {
        builder = builder.weight_decay(random.one_of([WeightDecay::L2(0.1), WeightDecay::L1(0.1)]));
    }
    if random.below(6) == 0 {
        builder = builder.grad_clip(random.one_of([GradClip::Value(1.0), GradClip::GlobalNorm(1.0)]));
    }
    if random.below(5) == 0 && a.dtype() == DType::F64 && b.dtype() == DType::F64 {
        builder = builder.history_dtype(DType::F32);
    }
    let spoilt = random.one_of([0, 5, 20, 50]);
    Ok(Drawn { optimizer: builder.build()?, search, maximize, penalty, policy, spoilt })
}

fn finite(value: &Value) -> bool {
    match value {
        Value::Float(x) => x.is_finite(),
        Value::Tensor(x) => all_finite(&x.to_dtype(DType::F64).to_vec::<f64>()),
        Value::Dict(dict) => dict.iter().all(|(_, value)| finite(value)),
        other => other.as_list().is_none_or(|items| items.iter().all(finite)),
    }
}

fn read(params: &[Tensor]) -> Vec<f64> {
    params.iter().flat_map(|p| p.to_dtype(DType::F64).to_vec::<f64>()).collect()
}

fn run<T: Float>(seed: u64) -> Result<(), Error> {
    let random = RefCell::new(Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
    let problem = Problem::draw(&mut random.borrow_mut());
    let n = problem.curvatures.len();
    let size = random.borrow_mut().one_of([1.0, 3.0, 20.0]);
    let part = |n: usize, dtype: DType| {
        let values: Vec<f64> = (0..n).map(|_| size * random.borrow_mut().number()).collect();
        Tensor::from_vec(values, [n]).to_dtype(dtype).detach().requires_grad_(true)
    };
    let params = [part(1, T::DTYPE), part(n - 1, T::DTYPE)];
    let drawn = draw(&mut random.borrow_mut(), &params)?;
    let optimizer = &drawn.optimizer;
    let sign = if drawn.maximize { -1.0 } else { 1.0 };
    for round in 0..5 {
        let calls = RefCell::new(Vec::new());
        let answered = Cell::new(0);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            optimizer.step(|| {
                let at = read(&params);
                let (mut loss, mut gradient) = problem.at(&at);
                loss *= sign;
                gradient.iter_mut().for_each(|g| *g *= sign);
                let mut random = random.borrow_mut();
                let given = random.below(100) >= drawn.spoilt || spoil(&mut random, &mut loss, &mut gradient)?;
                let (first, rest) = gradient.split_at(1);
                for (p, g) in params.iter().zip([first, rest]) {
                    let g = Tensor::from_vec(g.to_vec(), [g.len()]).to_dtype(p.dtype());
                    p.set_grad(given.then_some(g));
                }
                let loss = T::from_f64(loss);
                calls.borrow_mut().push((at, loss.to_f64().to_bits()));
                answered.set(answered.get() + 1);
                Ok(Tensor::from_vec(vec![loss], ()))
            })
        }));
        let (report, exit) = (optimizer.report(), read(&params));
        let told = format!("seed {seed}, step {round}, {}: {outcome:?}\n{report}\n{optimizer}", T::DTYPE);
        let (first, last) = (report.initial_loss, report.final_loss);
        assert!(!first.is_finite() || sign * last <= sign * first, "(a) {told}");
        let known = calls.borrow().iter().any(|(at, loss)| *at == exit && *loss == last.to_bits());
        assert!(drawn.penalty || last.is_nan() || report.evaluations == 0 || known, "(b) {told}");
        assert_eq!(report.evaluations, answered.get(), "(c) {told}");
        let searched: usize = report.line_search_evaluations.iter().sum();
        assert!(!drawn.search || searched == answered.get().saturating_sub(1), "(c) {told}");
        let limit = optimizer.param_groups()[0].get("max_eval").and_then(|limit| limit.as_int()).unwrap_or(0);
        assert!(report.evaluations as i64 <= limit.max(1), "(d) {told}");
        assert!(all_finite(&exit) && finite(&optimizer.state_dict()["state"]), "(f) {told}");
        let failed = matches!(&outcome, Ok(Err(error)) if !error.to_string().contains("planned"));
        assert!(!failed || drawn.policy == NonFinite::Stop, "(f) {told}");
        let ended = matches!(report.stop, StopReason::NonFinite | StopReason::Failed);
        assert!(ended || report.compared.is_some(), "(k) {told}");
        assert!((2..=6).contains(&report.to_string().lines().count()), "{told}");
    }
    Ok(())
}

#[test]
fn guarded_steps_keep_their_promises_in_f64() -> Result<(), Error> {
    (1..=RUNS).try_for_each(run::<f64>)
}

#[test]
fn guarded_steps_keep_their_promises_in_f32() -> Result<(), Error> {
    (1..=RUNS).try_for_each(run::<f32>)
}
