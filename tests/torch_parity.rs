//! Whole optimisations beside torch 2.8.0: the same iterations, evaluations, exits, losses and state.
//!
//! `tests/golden/generate.py` wrote the trajectories. Sums are rounded in another order here than in torch's
//! BLAS, and line searches magnify last bits; so each case says how far torch strays from itself when the
//! start moves by one ulp, and for how many evaluations it stays on its path. That far, and within [`FACTOR`]
//! times that spread plus [`floor`], these trajectories must agree; counters and exits must be equal. With
//! two parameters no sum has room to differ, and `rosenbrock_bits.json` demands every bit.

mod golden;

use golden::{dtype, float, floats, integer, list, load, sizes, text};
use serde_json::Value as Json;
use std::cell::RefCell;
use wolfe::prelude::*;

/// How many times torch's own spread is allowed.
const FACTOR: f64 = 30.0;

/// What is allowed where torch does not stray at all: sums of a thousand terms, taken in another order.
fn floor(dtype: DType) -> f64 {
    if dtype == DType::F32 { 1e-5 } else { 1e-12 }
}

#[test]
fn rosenbrock_to_the_last_bit() {
    let file = load("lbfgs/rosenbrock_bits.json");
    let mut check = Check::default();
    for case in list(&file, "cases") {
        let run = match case["scale"].as_f64() {
            Some(scale) => Run::new(case, |p| {
                let (x, y) = (p[0].i(0), p[0].i(1));
                scale * (x.pow(2.0) + y.pow(2.0))
            }),
            None => Run::new(case, rosenbrock),
        };
        check.every_bit(case, &run);
    }
    check.finish(220, 42);
}

#[test]
fn rosenbrock_from_many_starts() {
    let check = family("rosenbrock2d", |_, _| Box::new(rosenbrock));
    check.finish(1800, 230);
}

#[test]
fn chained_rosenbrock_of_100_and_1000_parameters() {
    let check = family("chained_rosenbrock", |_, _| {
        Box::new(|p| {
            let x = &p[0];
            let (head, tail) = (x.i(..x.numel() - 1), x.i(1..));
            (100.0 * (&tail - head.pow(2.0)).pow(2.0) + (1.0 - &head).pow(2.0)).sum()
        })
    });
    check.finish(800, 100);
}

#[test]
fn quadratic_of_condition_1e6() {
    let check = family("quadratic", |data, dtype| {
        let (diagonal, linear) = (data.tensor("diagonal", dtype), data.tensor("linear", dtype));
        Box::new(move |p| {
            let x = &p[0];
            0.5 * (&diagonal * x * x).sum() - (&linear * x).sum()
        })
    });
    check.finish(650, 50);
}

#[test]
fn logistic_regression() {
    let check = family("logistic", |data, dtype| {
        let (x, classes) = (data.tensor("x", dtype), data.classes("classes"));
        Box::new(move |p| {
            let logits = x.matmul(&p[0].t()) + &p[1];
            nn::functional::cross_entropy(&logits, &classes) + 0.005 * (&p[0] * &p[0]).sum()
        })
    });
    check.finish(650, 75);
}

#[test]
fn tanh_network() {
    let check = family("mlp", |data, dtype| {
        let (x, y) = (data.tensor("x", dtype), data.tensor("y", dtype));
        Box::new(move |p| {
            let hidden = (x.matmul(&p[0].t()) + &p[1]).tanh();
            nn::functional::mse_loss(&(hidden.matmul(&p[2].t()) + &p[3]), &y)
        })
    });
    check.finish(880, 80);
}

/// (1 - x)^2 + 100 (y - x^2)^2 on the last parameter; whatever stands before it has no gradient.
fn rosenbrock(p: &[Tensor]) -> Tensor {
    let p = &p[p.len() - 1];
    let (x, y) = (p.i(0), p.i(1));
    (1.0 - &x).pow(2.0) + 100.0 * (&y - x.pow(2.0)).pow(2.0)
}

type Loss = Box<dyn Fn(&[Tensor]) -> Tensor>;

/// Replays every case of a file; `loss` makes the objective from the file's constants for a dtype.
fn family(name: &str, loss: impl Fn(&Data<'_>, DType) -> Loss) -> Check {
    let file = load(&format!("lbfgs/{name}.json"));
    let mut check = Check::default();
    for case in list(&file, "cases") {
        let run = Run::new(case, loss(&Data(&file["data"]), dtype(&case["dtype"])));
        check.stable_prefix(case, &run);
    }
    check
}

/// The constants of a problem. They are exact in f32, so both dtypes start from the same numbers.
struct Data<'a>(&'a Json);

impl Data<'_> {
    fn tensor(&self, name: &str, dtype: DType) -> Tensor {
        tensor(&self.0[name], dtype)
    }

    fn classes(&self, name: &str) -> Tensor {
        Tensor::from(list(&self.0[name], "integers").iter().map(integer).collect::<Vec<i64>>())
    }
}

fn tensor(json: &Json, dtype: DType) -> Tensor {
    Tensor::from_vec(floats(list(json, "values")), sizes(&json["shape"])).to_dtype(dtype)
}

/// One optimisation as this crate walks it.
struct Run {
    losses: Vec<f64>,
    steps: Vec<Step>,
}

/// What stands after a `step`.
struct Step {
    first_loss: f64,
    evaluations_before: usize,
    exit: &'static str,
    state: Value,
    params: Vec<f64>,
}

impl Run {
    fn new(case: &Json, loss: impl Fn(&[Tensor]) -> Tensor) -> Self {
        let dtype = dtype(&case["dtype"]);
        let params: Vec<Tensor> = list(case, "start").iter().map(|p| tensor(p, dtype).requires_grad_(true)).collect();
        let optimizer = build(&case["options"], &params);
        let losses = RefCell::new(Vec::new());
        let closure = || {
            optimizer.zero_grad();
            let loss = loss(&params);
            loss.backward()?;
            losses.borrow_mut().push(loss.item());
            Ok(loss)
        };
        let one_step = |_: &Json| {
            let evaluations_before = losses.borrow().len();
            let first = optimizer.step(closure).unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
            Step {
                first_loss: first.item(),
                evaluations_before,
                exit: exit_name(optimizer.report().stop),
                state: optimizer.state_dict()["state"][0].clone(),
                params: params.iter().flat_map(|p| p.detach().double().reshape(-1).to_vec::<f64>()).collect(),
            }
        };
        let steps = list(case, "steps").iter().map(one_step).collect();
        Run { steps, losses: losses.take() }
    }
}

fn build(options: &Json, params: &[Tensor]) -> Lbfgs {
    let mut builder = Lbfgs::builder(params);
    for (key, value) in options.as_object().expect("options") {
        builder = match key.as_str() {
            "lr" => builder.lr(float(value)),
            "max_iter" => builder.max_iter(integer(value) as usize),
            "max_eval" => builder.max_eval(integer(value) as usize),
            "history_size" => builder.history_size(integer(value) as usize),
            "tolerance_grad" => builder.tolerance_grad(float(value)),
            "tolerance_change" => builder.tolerance_change(float(value)),
            "line_search_fn" => builder.line_search_fn(LineSearch::StrongWolfe),
            other => panic!("no such option: {other}"),
        };
    }
    builder.build().unwrap_or_else(|e| panic!("{options}: {e}"))
}

/// The names that `generate.py` gives to the ways out of torch's `step`.
fn exit_name(stop: StopReason) -> &'static str {
    match stop {
        StopReason::GradientToleranceAtStart => "gradient_tolerance_at_start",
        StopReason::DirectionalDerivative => "directional_derivative",
        StopReason::MaxIter => "max_iter",
        StopReason::MaxEval => "max_eval",
        StopReason::GradientTolerance => "gradient_tolerance",
        StopReason::StepTolerance => "step_tolerance",
        StopReason::LossTolerance => "loss_tolerance",
        other => panic!("torch has no such exit: {other:?}"),
    }
}

/// Compares runs with their cases; collects every difference, so that one failure shows the whole picture.
#[derive(Default)]
struct Check {
    /// What is being compared: the case, then the step.
    place: String,
    /// Losses below it are noise.
    scale: f64,
    differences: Vec<String>,
    evaluations: usize,
    steps: usize,
}

impl Check {
    fn every_bit(&mut self, case: &Json, run: &Run) {
        self.place = text(&case["name"]).to_owned();
        let losses = floats(list(case, "losses"));
        self.equal("number of evaluations", &run.losses.len(), &losses.len());
        self.losses(run, &losses, |_| 0.0);
        for (k, want) in list(case, "steps").iter().enumerate() {
            self.place = format!("{}, step {k}", text(&case["name"]));
            self.step(&run.steps[k], run, want, |_| 0.0);
        }
    }

    fn stable_prefix(&mut self, case: &Json, run: &Run) {
        self.place = text(&case["name"]).to_owned();
        self.scale = float(&case["scale"]);
        let floor = floor(dtype(&case["dtype"]));
        let allowed = |spread: &Json| floor + FACTOR * spread.as_f64().expect("a spread");
        let spread = list(case, "spread");
        let losses = floats(&list(case, "losses")[..spread.len()]);
        self.losses(run, &losses, |k| allowed(&spread[k]));
        let stable = integer(&case["stable_steps"]) as usize;
        for (k, want) in list(case, "steps")[..stable].iter().enumerate() {
            let last = &spread[integer(&want["func_evals"]) as usize - 1];
            self.place = format!("{}, step {k}", text(&case["name"]));
            self.step(&run.steps[k], run, want, |key| match key {
                "prev_loss" => allowed(last),
                _ => allowed(&want[format!("{key}_spread")]),
            });
        }
    }

    fn losses(&mut self, run: &Run, want: &[f64], allowed: impl Fn(usize) -> f64) {
        if run.losses.len() < want.len() {
            self.note(format!("{} evaluations, at least {} expected", run.losses.len(), want.len()));
        }
        let before = self.differences.len();
        for (k, (&a, &b)) in run.losses.iter().zip(want).enumerate() {
            if self.differences.len() == before {
                self.close(&format!("loss {k}"), a, b, self.scale, allowed(k)); // later ones only follow suit
            }
        }
        self.evaluations += want.len();
    }

    /// One `step`: `allowed` gives the relative tolerance for params, t, H_diag and prev_loss.
    fn step(&mut self, got: &Step, run: &Run, want: &Json, allowed: impl Fn(&str) -> f64) {
        let before = self.differences.len();
        for key in ["n_iter", "func_evals"] {
            self.equal(key, &got.state[key].as_int(), &want[key].as_i64());
        }
        self.equal("exit", &got.exit, &text(&want["exit"]));
        self.equal("the loss returned", &got.first_loss, &run.losses[got.evaluations_before]);
        if want["t"].is_null() {
            self.equal("d in state", &got.state.get("d").is_some(), &false);
        } else if self.differences.len() == before {
            let pairs = got.state["old_dirs"].as_list().map_or(0, <[Value]>::len);
            self.equal("stored pairs", &(pairs as i64), &integer(&want["pairs"]));
            for key in ["t", "H_diag"] {
                self.number(key, &got.state[key], &want[key], allowed(key));
            }
            let prev_loss = got.state["prev_loss"].as_float().unwrap_or(f64::NAN);
            let expected = float(&want["prev_loss"]);
            self.close("prev_loss", prev_loss, expected, self.scale, allowed("prev_loss"));
        }
        self.params(&got.params, want, allowed("params"));
        self.steps += 1;
    }

    /// A number of the state: the same kind as torch's (int, float or 0-dim tensor) and near it.
    fn number(&mut self, what: &str, got: &Value, want: &Json, allowed: f64) {
        let (kind, value) = match (got.as_tensor(), got) {
            (Some(t), _) => ("tensor", t.item()),
            (None, Value::Int(v)) => ("int", *v as f64),
            _ => ("float", got.as_float().unwrap_or(f64::NAN)),
        };
        self.equal(&format!("{what}: kind"), &kind, &text(&want["kind"]));
        self.close(what, value, float(&want["value"]), 0.0, allowed);
    }

    /// Parameters, relative to the largest. Of long vectors the file has ten, the sum and the norm.
    fn params(&mut self, got: &[f64], want: &Json, allowed: f64) {
        let largest = got.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let head = if want["params"].is_array() { "params" } else { "params_head" };
        let known = floats(list(want, head));
        for (i, (&a, &b)) in got.iter().zip(&known).enumerate() {
            self.close(&format!("parameter {i}"), a, b, largest, allowed);
        }
        if head == "params_head" {
            let n = got.len() as f64;
            let (sum, norm) = (got.iter().sum::<f64>(), got.iter().map(|v| v * v).sum::<f64>().sqrt());
            self.close("sum of the parameters", sum, float(&want["params_sum"]), n * largest, allowed);
            self.close("norm of the parameters", norm, float(&want["params_norm"]), n.sqrt() * largest, allowed);
        } else {
            self.equal("number of parameters", &got.len(), &known.len());
        }
    }

    fn close(&mut self, what: &str, got: f64, want: f64, scale: f64, allowed: f64) {
        let difference = relative(got, want, scale);
        if difference.is_nan() || difference > allowed {
            self.note(format!("{what}: {got:e}, torch {want:e}: {difference:e} > {allowed:e}"));
        }
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, got: &T, want: &T) {
        if got != want {
            self.note(format!("{what}: {got:?}, torch {want:?}"));
        }
    }

    fn note(&mut self, text: String) {
        self.differences.push(format!("{}: {text}", self.place));
    }

    /// Fails on any difference, and when less was compared than this family is known to hold.
    fn finish(self, evaluations: usize, steps: usize) {
        let all = self.differences.join("\n");
        assert!(all.is_empty(), "{} differences\n{all}", self.differences.len());
        assert!(
            self.evaluations >= evaluations && self.steps >= steps,
            "only {} evaluations and {} steps were compared, at least {evaluations} and {steps} expected",
            self.evaluations,
            self.steps
        );
    }
}

/// |a - b| / max(|a|, |b|, scale); NaN where a number is missing.
fn relative(a: f64, b: f64, scale: f64) -> f64 {
    if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()).max(scale) }
}
