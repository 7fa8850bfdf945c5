#!/usr/bin/env python3
"""Writes the golden data of the parity tests: what torch 2.8.0 itself computes.

    pip install torch==2.8.0 numpy
    python tests/golden/generate.py            # rewrites lbfgs/*.json, random.json and VERSIONS
    python tests/golden/generate.py --out DIR  # the same files elsewhere, to compare two machines

Every float is a C99 hex string (`float.hex()`), so a file holds the exact bits.

lbfgs/<family>.json
    data      the constants of the problem (shape and values)
    cases     one per line: the options given to torch.optim.LBFGS, the start, the loss of every closure
              call in order, and what stood in `state` after each `step`: n_iter, func_evals, the exit that
              was taken, the loss returned, prev_loss, t, H_diag, the number of stored pairs, parameters.

How much of a trajectory can be demanded of another implementation? Rounding differs wherever a sum is
taken in another order, and near a branch of the line search a last bit decides. So each case also runs
from starts that are one ulp away (eight of them), once with the square root of this machine's MKL (see
`Sqrt`), and, where the loss is a sum over rows of data, with the rows in another order; the file says how
far torch agrees with itself:
    scale               losses below it count as noise: machine epsilon / RELATIVE_LIMIT * max(1, first loss)
    spread              per evaluation, the largest |a - b| / max(|a|, |b|, scale) of the runs up to there
    stable_evaluations  how many evaluations agree within RELATIVE_LIMIT with the same step boundaries
    stable_steps        how many `step` calls lie inside that prefix and took the same exit in all runs
    params_spread, t_spread, H_diag_spread    per step, likewise relative

lbfgs/rosenbrock_bits.json    two parameters, where nothing but bits is demanded: no spreads
random.json                   scripts of random calls after one seed, with what they drew
"""

import argparse
import inspect
import itertools
import json
import pathlib
import platform
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F

DTYPES = {"f32": torch.float32, "f64": torch.float64}
RELATIVE_LIMIT = {"f32": 1e-3, "f64": 1e-6}
ALL_PARAMETERS_UP_TO = 100
SW = {"line_search_fn": "strong_wolfe"}
# By how many places the rows of data are moved: the same sum, rounded otherwise.
ROW_SHIFTS = (1, 7, 13, 20)

# ---------------------------------------------------------------------------------------------------------
# Which way out did `step` take? torch does not say; its own `break` lines do.

STEP = inspect.unwrap(torch.optim.LBFGS.step)
EXITS = [
    "directional_derivative",
    "max_iter",
    "max_eval",
    "gradient_tolerance",
    "step_tolerance",
    "loss_tolerance",
]


def break_lines():
    lines, first = inspect.getsourcelines(STEP)
    breaks = [first + k for k, line in enumerate(lines) if line.strip() == "break"]
    assert len(breaks) == len(EXITS), "not the LBFGS.step of torch 2.8.0"
    return dict(zip(breaks, EXITS))


BREAKS = break_lines()


def step_and_exit(optimizer, closure):
    """Runs one `step` and returns (its value, the name of the exit)."""
    taken = ["gradient_tolerance_at_start"]  # the early return, before the loop

    def on_line(frame, event, _):
        if event == "line" and frame.f_lineno in BREAKS:
            taken[0] = BREAKS[frame.f_lineno]
        return on_line

    sys.settrace(lambda frame, event, _: on_line if frame.f_code is STEP.__code__ else None)
    try:
        value = optimizer.step(closure)
    finally:
        sys.settrace(None)
    return value, taken[0]


# ---------------------------------------------------------------------------------------------------------


class Sqrt:
    """Which square root the cubic interpolation takes.

    torch's `Tensor.sqrt` on a CPU is MKL's vector math. It is not correctly rounded, and how often it is one
    ulp off depends on the processor (f32: 17 % of random arguments on an AMD EPYC, below 1 % elsewhere), so
    the same wheel walks different paths on different machines. The goldens take the correctly rounded root,
    the only one that every machine agrees on.
    """

    OF_TORCH = torch.Tensor.sqrt

    @staticmethod
    def correctly_rounded():
        torch.Tensor.sqrt = lambda t: torch.tensor(np.sqrt(t.detach().numpy()), dtype=t.dtype)

    @staticmethod
    def of_this_machine():
        torch.Tensor.sqrt = Sqrt.OF_TORCH


# ---------------------------------------------------------------------------------------------------------
# Numbers


def bits(value):
    """The C99 hex string of a number, without the zeros that end a mantissa."""
    mantissa, p, exponent = float(value).hex().partition("p")
    return mantissa.rstrip("0").rstrip(".") + p + exponent if "." in mantissa else mantissa + p + exponent


def hex_list(values):
    return [bits(v) for v in values]


def tensor_json(t):
    return {"shape": list(t.shape), "values": hex_list(t.detach().double().reshape(-1).tolist())}


def number_json(value):
    """A number of torch's state with its kind: Python int, Python float, or 0-dim tensor."""
    if isinstance(value, torch.Tensor):
        return {"kind": "tensor", "value": bits(value)}
    return {"kind": type(value).__name__, "value": bits(value)}


def one_ulp_away(t, signs):
    """Every coordinate moved by one ulp in the direction of its sign; a zero by machine epsilon."""
    signs = torch.tensor([next(signs) for _ in range(t.numel())], dtype=t.dtype).reshape(t.shape)
    moved = torch.nextafter(t, signs * torch.inf)
    return torch.where(t == 0, signs * torch.finfo(t.dtype).eps, moved)


NUDGES = [(1,), (-1,), (1, -1), (-1, 1), (1, 1, -1), (-1, -1, 1), (1, -1, -1), (-1, 1, 1)]

# ---------------------------------------------------------------------------------------------------------
# Problems: `data` holds float32-representable constants, `loss(params, data)` the expression.


class Problem:
    def __init__(self, name, loss, starts, data=None):
        self.name, self.loss, self.starts, self.data = name, loss, starts, data or {}


def rosenbrock2d(params, _):
    p = params[-1]
    x, y = p[0], p[1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def chained_rosenbrock(params, _):
    x = params[0]
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def quadratic(params, data):
    x = params[0]
    return 0.5 * (data["diagonal"] * x * x).sum() - (data["linear"] * x).sum()


def logistic(params, data):
    weight, bias = params[:2]
    logits = data["x"] @ weight.t() + bias
    return F.cross_entropy(logits, data["classes"]) + 0.005 * (weight * weight).sum()


def mlp(params, data):
    w1, b1, w2, b2 = params[:4]
    hidden = torch.tanh(data["x"] @ w1.t() + b1)
    return F.mse_loss(hidden @ w2.t() + b2, data["y"])


def f32_tensor(values):
    return torch.tensor(np.asarray(values, dtype=np.float32))


def rosenbrock_problem():
    points = {"a": [-1.2, 1.0], "b": [0.0, 0.0], "c": [2.0, 2.0], "d": [-0.5, 3.0], "e": [1.3, -0.7]}
    starts = {k: [torch.tensor(v, dtype=torch.float64)] for k, v in points.items()}
    starts["a_unused"] = [torch.tensor([0.5, -0.25, 3.0]), torch.ones(2, 2), *starts["a"]]
    return Problem("rosenbrock2d", rosenbrock2d, starts)


def chained_problem():
    starts = {f"n{n}": [torch.tensor([-1.2, 1.0] * (n // 2), dtype=torch.float64)] for n in (100, 1000)}
    # Nearer to the valley the first extrapolation is not lost in the rounding of float32.
    starts["waves"] = [f32_tensor(0.5 + 0.25 * np.cos(np.arange(100)))]
    return Problem("chained_rosenbrock", chained_rosenbrock, starts)


def quadratic_problem():
    n = 50
    diagonal = f32_tensor(10.0 ** (6.0 * np.arange(n) / (n - 1)))
    linear = f32_tensor(np.cos(1.0 + np.arange(n)))
    data = {"diagonal": diagonal, "linear": linear}
    return Problem("quadratic", quadratic, {"ones": [torch.ones(n)]}, data)


def logistic_problem():
    rng = np.random.default_rng(1)
    classes = np.arange(60) % 3
    x = rng.normal(size=(60, 5)) + 0.8 * rng.normal(size=(3, 5))[classes]
    data = {"x": f32_tensor(x), "classes": torch.tensor(classes)}
    zeros = [torch.zeros(3, 5), torch.zeros(3)]
    return Problem("logistic", logistic, {"zeros": zeros, "unused": [*zeros, torch.ones(4)]}, data)


def mlp_problem():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 4))
    y = np.stack([np.sin(x[:, 0] + x[:, 1]), x[:, 2] * x[:, 3]], axis=1)
    torch.manual_seed(3)
    first, second = torch.nn.Linear(4, 8), torch.nn.Linear(8, 2)
    start = [p.detach() for layer in (first, second) for p in layer.parameters()]
    return Problem("mlp", mlp, {"init": start}, {"x": f32_tensor(x), "y": f32_tensor(y)})


# ---------------------------------------------------------------------------------------------------------
# Cases: (name, start, steps, options of torch.optim.LBFGS)


def rosenbrock_cases():
    fixed = {"lr": 0.1}
    yield from ((f"wolfe_{s}", s, 4, SW) for s in "abcde")
    yield from ((f"fixed_{s}", s, 6, {**fixed, "max_iter": 5}) for s in "abcde")
    yield "fixed_defaults", "a", 4, fixed
    yield "wolfe_history_2", "a", 4, {**SW, "history_size": 2, "max_iter": 7}
    yield "wolfe_history_5", "d", 4, {**SW, "history_size": 5, "max_iter": 10}
    yield "fixed_history_2", "c", 6, {**fixed, "history_size": 2, "max_iter": 7}
    yield "wolfe_max_eval", "a", 6, {**SW, "max_iter": 50, "max_eval": 7}
    yield "fixed_max_eval", "a", 6, {**fixed, "max_iter": 50, "max_eval": 7}
    yield "wolfe_max_iter_1", "a", 10, {**SW, "max_iter": 1}
    yield "fixed_max_iter_1", "a", 10, {**fixed, "max_iter": 1}
    yield "wolfe_unused_parameters", "a_unused", 4, SW
    yield "fixed_unused_parameters", "a_unused", 4, {**fixed, "max_iter": 5}
    for tolerance in (0, -1):
        both = {"tolerance_grad": tolerance, "tolerance_change": tolerance}
        name = "zero" if tolerance == 0 else "negative"
        yield f"wolfe_tolerances_{name}", "a", 2, {**SW, **both, "max_iter": 30, "max_eval": 60}
        yield f"fixed_tolerances_{name}", "a", 3, {**fixed, **both, "max_iter": 10}
    yield "wolfe_lr_half", "a", 4, {**SW, "lr": 0.5}
    yield "fixed_lr_half", "c", 3, {"lr": 0.5, "max_iter": 4}
    yield "wolfe_gradient_tolerance", "a", 3, {**SW, "tolerance_grad": 0.5, "max_iter": 100}
    yield "wolfe_tolerance_change", "a", 3, {**SW, "tolerance_change": 1e-3, "max_iter": 100}
    yield "wolfe_directional_derivative", "a", 3, {**SW, "tolerance_change": 4.5, "tolerance_grad": 0}
    yield "fixed_step_tolerance", "a", 3, {"lr": 0.0}


def chained_cases():
    for n in ("n100", "n1000"):
        yield f"wolfe_{n}", n, 3, SW
        yield f"wolfe_history_5_{n}", n, 2, {**SW, "history_size": 5, "max_iter": 40}
        yield f"wolfe_max_eval_{n}", n, 4, {**SW, "max_iter": 50, "max_eval": 7}
        yield f"wolfe_max_iter_1_{n}", n, 10, {**SW, "max_iter": 1}
        yield f"fixed_{n}", n, 3, {"lr": 0.1, "max_iter": 10}
        yield f"fixed_max_iter_1_{n}", n, 10, {"lr": 0.1, "max_iter": 1}
    yield "wolfe_waves", "waves", 3, SW
    yield "wolfe_history_2_waves", "waves", 3, {**SW, "history_size": 2, "max_iter": 10}
    yield "wolfe_max_eval_waves", "waves", 4, {**SW, "max_iter": 50, "max_eval": 7}


def quadratic_cases():
    yield "wolfe", "ones", 3, SW
    yield "wolfe_history_5", "ones", 3, {**SW, "history_size": 5}
    yield "wolfe_history_2", "ones", 3, {**SW, "history_size": 2}
    yield "wolfe_tolerances_zero", "ones", 2, {**SW, "tolerance_grad": 0, "tolerance_change": 0}
    yield "fixed", "ones", 3, {"lr": 0.1}
    yield "fixed_history_5", "ones", 3, {"lr": 0.1, "history_size": 5}
    yield "wolfe_max_iter_1", "ones", 10, {**SW, "max_iter": 1}
    yield "wolfe_max_eval", "ones", 4, {**SW, "max_iter": 50, "max_eval": 7}


def regression_cases(starts):
    s = starts[0]
    yield "wolfe", s, 4, SW
    yield "wolfe_history_2", s, 3, {**SW, "history_size": 2}
    yield "wolfe_history_5", s, 2, {**SW, "history_size": 5, "max_iter": 40}
    yield "wolfe_lr_half", s, 2, {**SW, "lr": 0.5}
    yield "wolfe_max_eval", s, 4, {**SW, "max_iter": 50, "max_eval": 7}
    yield "wolfe_max_iter_1", s, 10, {**SW, "max_iter": 1}
    yield "fixed", s, 3, {"lr": 0.1}
    yield "fixed_lr_half", s, 3, {"lr": 0.5, "max_iter": 10}
    yield "fixed_max_iter_1", s, 10, {"lr": 0.1, "max_iter": 1}
    yield "wolfe_tolerances_zero", s, 2, {**SW, "tolerance_grad": 0, "tolerance_change": 0}
    yield "fixed_tolerances_negative", s, 2, {"lr": 0.1, "tolerance_grad": -1, "tolerance_change": -1}
    for unused in starts[1:]:
        yield "wolfe_unused_parameter", unused, 2, SW
        yield "fixed_unused_parameter", unused, 2, {"lr": 0.1}


def families():
    yield rosenbrock_problem(), list(rosenbrock_cases())
    yield chained_problem(), list(chained_cases())
    yield quadratic_problem(), list(quadratic_cases())
    yield logistic_problem(), list(regression_cases(["zeros", "unused"]))
    yield mlp_problem(), list(regression_cases(["init"]))


# ---------------------------------------------------------------------------------------------------------
# Running a case


class Run:
    """One optimisation: the loss of every closure call, and a snapshot after every step."""

    def __init__(self, start, loss_of, options, steps):
        self.params = [p.clone().requires_grad_() for p in start]
        self.losses, self.steps, self.points = [], [], []
        optimizer = torch.optim.LBFGS(self.params, **options)

        def closure():
            optimizer.zero_grad()
            loss = loss_of(self.params)
            loss.backward()
            self.losses.append(float(loss.detach()))
            return loss

        for _ in range(steps):
            first, taken = step_and_exit(optimizer, closure)
            self.snapshot(optimizer.state[self.params[0]], float(first.detach()), taken)

    def snapshot(self, state, first, taken):
        step = {"n_iter": state["n_iter"], "func_evals": state["func_evals"], "exit": taken}
        step["first_loss"] = bits(first)
        if "d" in state:
            step["prev_loss"] = bits(state["prev_loss"])
            step["t"], step["H_diag"] = number_json(state["t"]), number_json(state["H_diag"])
            step["pairs"] = len(state["old_dirs"])
        flat = torch.cat([p.detach().double().reshape(-1) for p in self.params])
        self.points.append(flat)
        if flat.numel() <= ALL_PARAMETERS_UP_TO:
            step["params"] = hex_list(flat.tolist())
        else:
            step["params_head"] = hex_list(flat[:10].tolist())
            step["params_sum"], step["params_norm"] = bits(flat.sum()), bits(flat.norm())
        self.steps.append(step)


def relative(a, b, scale=0.0):
    return 0.0 if a == b else abs(a - b) / max(abs(a), abs(b), scale)


def vector_difference(a, b):
    """Largest coordinate difference relative to the largest coordinate."""
    return float((a - b).abs().max() / a.abs().max())


def number_difference(step, other, key):
    if key not in step or key not in other:
        return 0.0
    return relative(*(float.fromhex(s[key]["value"]) for s in (step, other)))


def outline(step):
    return step["n_iter"], step["func_evals"], step["exit"], step.get("pairs"), step.get("t", {}).get("kind")


def rounded(value):
    return float(f"{value:.1e}")


def annotate(case, base, others, dtype_name):
    """Says how far torch agrees with itself (see the head of this file)."""
    limit = RELATIVE_LIMIT[dtype_name]
    scale = torch.finfo(DTYPES[dtype_name]).eps / limit * max(1.0, abs(base.losses[0]))
    spread, worst = [], 0.0
    for k, loss in enumerate(base.losses):
        if any(k >= len(o.losses) for o in others):
            break
        worst = max([worst] + [relative(loss, o.losses[k], scale) for o in others])
        if worst > limit:
            break
        spread.append(rounded(worst))
    stable = len(spread)
    stable_steps = 0
    for k, step in enumerate(base.steps):
        if step["func_evals"] > stable:
            break
        if any(outline(o.steps[k]) != outline(step) for o in others):
            stable = step["func_evals"] - 1
            break
        step["params_spread"] = rounded(max(vector_difference(base.points[k], o.points[k]) for o in others))
        for key in ("t", "H_diag"):
            step[f"{key}_spread"] = rounded(max(number_difference(step, o.steps[k], key) for o in others))
        stable_steps += 1
    case.update(stable_evaluations=stable, stable_steps=stable_steps, scale=bits(scale))
    case.update(max_relative_spread=max(spread[:stable], default=0.0), spread=spread[:stable])


def run_case(problem, dtype_name, name, start_name, steps, options):
    dtype = DTYPES[dtype_name]
    start = [p.to(dtype) for p in problem.starts[start_name]]
    data = {k: v.to(dtype) if v.is_floating_point() else v for k, v in problem.data.items()}

    def run(from_, data=data):
        return Run(from_, lambda params: problem.loss(params, data), options, steps)

    base = run(start)
    others = []
    for nudge in NUDGES:
        signs = itertools.cycle(nudge)
        others.append(run([one_ulp_away(p, signs) for p in start]))
    Sqrt.of_this_machine()
    others.append(run(start))
    Sqrt.correctly_rounded()
    if "x" in data:
        for rows in ROW_SHIFTS:
            others.append(run(start, {k: v.roll(rows, 0) for k, v in data.items()}))
    case = {"name": f"{name}_{dtype_name}", "dtype": dtype_name, "options": options_json(options)}
    case["start"] = [tensor_json(p) for p in start]
    annotate(case, base, others, dtype_name)
    case.update(losses=hex_list(base.losses), steps=base.steps)
    return case


def options_json(options):
    floats = ("lr", "tolerance_grad", "tolerance_change")
    return {k: bits(v) if k in floats else v for k, v in options.items()}


def write_lines(path, head, key, rows):
    """JSON with one row of the list `key` per line, so that a diff shows which case moved."""
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    text = json.dumps(head, separators=(",", ":"))[:-1]
    path.write_text(f'{text}{"," if head else ""}"{key}":[\n{lines}\n]}}\n')


def write_families(out):
    for problem, cases in families():
        rows = [run_case(problem, d, *case) for case in cases for d in DTYPES]
        data = {
            k: tensor_json(v) if v.is_floating_point() else {"shape": list(v.shape), "integers": v.tolist()}
            for k, v in problem.data.items()
        }
        write_lines(out / f"{problem.name}.json", {"problem": problem.name, "data": data}, "cases", rows)
        for row in rows:
            whole = f"{row['stable_evaluations']}/{len(row['losses'])}"
            exits = ",".join(s["exit"] for s in row["steps"])
            print(f"{problem.name:20} {row['name']:36} stable {whole:8} steps {row['stable_steps']} {exits}")


# ---------------------------------------------------------------------------------------------------------
# Two parameters can be compared to the last bit: no sum of three terms is taken anywhere.


def bits_rows():
    for dtype in DTYPES:
        for name, start, options in [
            ("wolfe", [-1.2, 1.0], SW),
            ("fixed", [-1.2, 1.0], {"lr": 0.1, "max_iter": 5}),
            ("wolfe_history_2", [-1.2, 1.0], {**SW, "history_size": 2, "max_iter": 7}),
            ("wolfe_at_the_minimum", [1.0, 1.0], SW),
        ]:
            yield f"{name}_{dtype}", dtype, start, options, 4, lambda ps: rosenbrock2d(ps, None), None
    for dtype in DTYPES:
        for scale, extra in [(1.0, {}), (0.01, {}), (1.0, SW), (0.01, SW), (1.0, {"lr": 0.5})]:
            search = "wolfe" if extra is SW else "fixed"
            name = f"bowl_{scale}_{search}{'_lr_half' if 'lr' in extra else ''}_{dtype}"
            options = {**extra, "max_iter": 1}
            yield name, dtype, [1.0, 2.0], options, 1, lambda ps, s=scale: bowl(ps, s), scale


def bowl(params, scale):
    x, y = params[0][0], params[0][1]
    return scale * (x**2 + y**2)


def write_bits(out):
    rows = []
    for name, dtype, start, options, steps, loss_of, scale in bits_rows():
        start = [torch.tensor(start, dtype=DTYPES[dtype])]
        run = Run(start, loss_of, options, steps)
        row = {"name": name, "dtype": dtype, "options": options_json(options)}
        row["start"] = [tensor_json(p) for p in start]
        row.update(scale=scale, losses=hex_list(run.losses), steps=run.steps)
        rows.append(row)
    write_lines(out / "rosenbrock_bits.json", {"problem": "rosenbrock_bits"}, "cases", rows)


# ---------------------------------------------------------------------------------------------------------
# Random numbers: each script seeds once and makes its calls in order.

KEEP_ALL_UP_TO = 64


def float_bits(t):
    kind = np.uint32 if t.dtype == torch.float32 else np.uint64
    return t.detach().contiguous().reshape(-1).numpy().view(kind).astype(np.uint64)


def values_json(t):
    """Up to 64 values in full; of longer tensors both ends and sum((k + 1) * bits[k]) mod 2^64."""
    flat = t.detach().reshape(-1).tolist()
    if t.dtype == torch.int64:
        assert len(flat) <= KEEP_ALL_UP_TO
        return {"integers": flat}
    if len(flat) <= KEEP_ALL_UP_TO:
        return {"values": hex_list(flat)}
    words = float_bits(t)
    digest = (words * np.arange(1, len(words) + 1, dtype=np.uint64)).sum(dtype=np.uint64)
    return {"head": hex_list(flat[:8]), "tail": hex_list(flat[-8:]), "digest": f"{int(digest):016x}"}


def layout(name, dtype):
    """A target for in-place filling; its logical shape is 5 x 8."""
    make = {
        "contiguous": lambda: torch.empty(5, 8, dtype=dtype),
        "transposed": lambda: torch.empty(8, 5, dtype=dtype).t(),
        "every_second_column": lambda: torch.empty(5, 16, dtype=dtype)[:, ::2],
    }
    return make[name]()


def call(op, **a):
    """Makes one random call described by its arguments and returns the row for the file."""
    dtype = DTYPES.get(a.get("dtype"))
    if op in ("rand", "randn"):
        result = getattr(torch, op)(tuple(a["shape"]), dtype=dtype)
    elif op == "randint":
        result = torch.randint(a["low"], a["high"], a["shape"])
    elif op == "randperm":
        result = torch.randperm(a["n"])
    elif op in ("uniform_", "normal_"):
        result = getattr(layout(a["layout"], dtype), op)(float.fromhex(a["a"]), float.fromhex(a["b"]))
    elif op == "linear":
        layer = torch.nn.Linear(a["inputs"], a["outputs"])
        return {"op": op, **a, "weight": values_json(layer.weight), "bias": values_json(layer.bias)}
    return {"op": op, **a, "result": values_json(result)}


def fills(op, dtype, a, b):
    for where in ("contiguous", "transposed", "every_second_column"):
        yield call(op, dtype=dtype, layout=where, a=bits(a), b=bits(b))


def random_scripts():
    def script(name, seed, calls):  # `calls` is lazy: nothing is drawn before the seed is set
        torch.manual_seed(seed)
        return {"name": name, "seed": str(seed), "calls": list(calls)}

    yield script("a_sequence_across_kinds", 0, (call(op, **a) for op, a in [
        ("rand", {"shape": [3], "dtype": "f32"}),
        ("randn", {"shape": [2], "dtype": "f32"}),
        ("randn", {"shape": [17], "dtype": "f32"}),
        ("randn", {"shape": [2], "dtype": "f64"}),
        ("randperm", {"n": 8}),
        ("randint", {"low": 0, "high": 100, "shape": [5]}),
    ]))
    for op in ("rand", "randn"):
        for dtype in DTYPES:
            sizes = [[0], [], [1], [3], [4], [15], [16], [17], [31], [32], [4, 9], [1000], [10007]]
            name = f"{op}_{dtype}_sizes"
            yield script(name, 7, (call(op, shape=s, dtype=dtype) for s in sizes))
    yield script("cached_normal_survives", 11, (call("randn", shape=s, dtype=d) for s, d in [
        ([3], "f32"), ([16], "f32"), ([4], "f64"), ([1], "f32"), ([33], "f64"), ([2], "f32"),
    ]))
    for seed in (1, 2**32 + 5, 2**64 - 1):
        both = [("rand", [4]), ("randn", [16])]
        yield script(f"seed_{seed}", seed, (call(op, shape=s, dtype="f32") for op, s in both))
    ranges = [(0, 2), (-5, 5), (0, 2**28 - 1), (0, 2**28), (-3, 2**31), (0, 2**32)]
    ranges += [(-(2**40), 2**40), (0, 2**63 - 1)]
    yield script("randint_ranges", 5, (call("randint", low=a, high=b, shape=[6]) for a, b in ranges))
    yield script("randperm_sizes", 6, (call("randperm", n=n) for n in (0, 1, 2, 10, 64)))
    for dtype in DTYPES:
        for a, b in ((0.0, 1.0), (-0.3, 0.7), (1e-3, 1e3)):
            yield script(f"uniform_{a}_{b}_{dtype}", 8, fills("uniform_", dtype, a, b))
        for mean, std in ((0.0, 1.0), (1.5, 0.3), (-2.0, 7.1)):
            yield script(f"normal_{mean}_{std}_{dtype}", 9, fills("normal_", dtype, mean, std))
    sizes = [(2, 2), (64, 128), (3, 5), (1, 1), (784, 10), (7, 3)]
    for size in sizes:
        name = f"linear_{size[0]}_{size[1]}"
        yield script(name, 0, (call("linear", inputs=i, outputs=o) for i, o in [size]))
    yield script("linears_in_a_row", 42, (call("linear", inputs=i, outputs=o) for i, o in sizes[:3]))


# ---------------------------------------------------------------------------------------------------------


def versions():
    mkl = [line.strip(" -") for line in torch.__config__.show().splitlines() if "Math Kernel Library" in line]
    return "\n".join([
        "What the golden data was written with (tests/golden/generate.py):",
        f"torch {torch.__version__}",
        f"numpy {np.__version__}",
        f"python {platform.python_version()} on {platform.system()} {platform.machine()}",
        f"ATen CPU capability {torch.backends.cpu.get_cpu_capability()}",
        *mkl,
        f"threads {torch.get_num_threads()}",
        "square root of the cubic interpolation: correctly rounded (see class Sqrt)",
        "",
    ])


def main():
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    here = pathlib.Path(__file__).resolve().parent
    parser.add_argument("--out", type=pathlib.Path, default=here, help="folder to write to")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    args = parser.parse_args()
    if not torch.__version__.startswith("2.8.0"):
        parser.error(f"the goldens are those of torch 2.8.0, this is {torch.__version__}")
    warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad=True")
    torch.set_num_threads(args.threads)
    Sqrt.correctly_rounded()
    lbfgs = args.out / "lbfgs"
    lbfgs.mkdir(parents=True, exist_ok=True)
    write_families(lbfgs)
    write_bits(lbfgs)
    write_lines(args.out / "random.json", {}, "scripts", random_scripts())
    (args.out / "VERSIONS").write_text(versions())


if __name__ == "__main__":
    main()
