#!/usr/bin/env python3
"""Writes optimizers.json.gz: trajectories of the first-order optimizers of torch 2.8.0, to the last bit.

    pip install torch==2.8.0 numpy
    python optimizers.py            # rewrites optimizers.json.gz and VERSIONS
    python optimizers.py --out DIR  # the same file elsewhere

Two parameters stand in two groups with different learning rates; their gradients are given, not computed.
Then short runs where autograd computes the gradient. README.md describes the format.
"""

import random
import sys

import numpy as np
import torch

sys.dont_write_bytecode = True

from encoding import DTYPES, Sqrt, bits, encode, flat, folder_to_write_to, pairs, write  # noqa: E402

STEPS = 12
SHAPES = [(2, 3), (5,)]
AUTOGRAD_STEPS = 15

# ---------------------------------------------------------------------------------------------------------
# Starts and gradients: all exact in f32, so that both dtypes begin at the same numbers.


def f32(value):
    return float(np.float32(value))


def draws(seed, low, high, n):
    generator = random.Random(seed)
    return [f32(generator.uniform(low, high)) for _ in range(n)]


def regular():
    """Gradients of both signs and several magnitudes; none at all in steps 4 and 9 of the first parameter, 1 and 6
    of the second (counted from 1), so that the second one begins a step late."""
    rows = []
    for step in range(STEPS):
        row = []
        for which, n in enumerate((6, 5)):
            scale = (1.0, 0.05, 3.0)[(step + which) % 3]
            row.append([f32(scale * g) for g in draws(1000 * which + step, -1.0, 1.0, n)])
        rows.append(row)
    rows[3][0] = rows[8][0] = rows[0][1] = rows[5][1] = None
    rows[6][0][2] = rows[7][1][4] = 0.0
    return rows


def extreme():
    """Zeros, underflow and overflow of squares in f32, infinity, NaN; constant, alternating and vanishing signs."""
    rows = []
    for step in range(STEPS):
        sign = (-1.0) ** step
        first = [0.0, f32(1e-30), f32(sign * 1e25), 0.5, -0.5, -0.0]
        if step == 5:
            first[3], first[4] = float("inf"), float("nan")
        rows.append([first, [1.0, sign, f32(0.7**step), float(step % 3 - 1), f32(1e-4 * (step - 5.5))]])
    return rows


GRADIENTS = {"regular": regular(), "extreme": extreme()}
STARTS = [draws(77, -2.0, 2.0, 6), draws(78, -2.0, 2.0, 5)]

# ---------------------------------------------------------------------------------------------------------
# Cases: name, options of the constructor, options of the second group; `lr` of the first group is in `options`.

CASES = {
    "SGD": [
        ("plain", {"lr": 0.1}, {"lr": 0.03}),
        ("defaults", {}, {"lr": 0.5}),
        ("weight_decay", {"lr": 0.1, "weight_decay": 0.3}, {"lr": 0.03, "weight_decay": 0.01}),
        ("momentum", {"lr": 0.1, "momentum": 0.9}, {"lr": 0.03}),
        ("dampening", {"lr": 0.1, "momentum": 0.9, "dampening": 0.35}, {"lr": 0.03}),
        ("nesterov", {"lr": 0.1, "momentum": 0.8, "nesterov": True}, {"lr": 0.03}),
        ("nesterov_decay_maximize", {"lr": 0.05, "momentum": 0.7, "nesterov": True, "weight_decay": 0.1, "maximize": True}, {"lr": 0.2}),
        ("maximize", {"lr": 0.1, "maximize": True}, {"lr": 0.03, "maximize": False}),
        ("all_but_nesterov", {"lr": 0.1, "momentum": 0.6, "dampening": 0.1, "weight_decay": 0.2, "maximize": True}, {"lr": 0.03, "momentum": 0.0}),
    ],
    "Adam": [
        ("defaults", {}, {"lr": 0.02}),
        ("betas", {"lr": 0.05, "betas": (0.5, 0.7)}, {"lr": 0.02, "betas": (0.95, 0.9)}),
        ("eps", {"lr": 0.05, "eps": 0.1}, {"lr": 0.02}),
        ("weight_decay", {"lr": 0.05, "weight_decay": 0.3}, {"lr": 0.02}),
        ("decoupled", {"lr": 0.05, "weight_decay": 0.3, "decoupled_weight_decay": True}, {"lr": 0.02}),
        ("amsgrad", {"lr": 0.05, "betas": (0.9, 0.6), "amsgrad": True}, {"lr": 0.02}),
        ("amsgrad_decay_maximize", {"lr": 0.05, "betas": (0.8, 0.75), "amsgrad": True, "weight_decay": 0.1, "maximize": True}, {"lr": 0.02}),
        ("maximize", {"lr": 0.05, "maximize": True}, {"lr": 0.02, "amsgrad": True}),
        ("zero_betas", {"lr": 0.05, "betas": (0.0, 0.0)}, {"lr": 0.02}),
    ],
    "AdamW": [
        ("defaults", {}, {"lr": 0.02}),
        ("betas_eps", {"lr": 0.05, "betas": (0.5, 0.7), "eps": 1e-3}, {"lr": 0.02}),
        ("weight_decay", {"lr": 0.05, "weight_decay": 0.4}, {"lr": 0.02, "weight_decay": 0.05}),
        ("no_decay", {"lr": 0.05, "weight_decay": 0.0}, {"lr": 0.02}),
        ("amsgrad", {"lr": 0.05, "betas": (0.9, 0.6), "amsgrad": True, "weight_decay": 0.1}, {"lr": 0.02}),
        ("maximize", {"lr": 0.05, "weight_decay": 0.1, "maximize": True}, {"lr": 0.02}),
    ],
    "NAdam": [
        ("defaults", {}, {"lr": 0.02}),
        ("betas_eps", {"lr": 0.05, "betas": (0.5, 0.7), "eps": 1e-3}, {"lr": 0.02}),
        ("momentum_decay", {"lr": 0.05, "momentum_decay": 0.5}, {"lr": 0.02, "momentum_decay": 0.0}),
        ("weight_decay", {"lr": 0.05, "weight_decay": 0.3}, {"lr": 0.02}),
        ("decoupled", {"lr": 0.05, "weight_decay": 0.3, "decoupled_weight_decay": True}, {"lr": 0.02}),
        ("maximize", {"lr": 0.05, "weight_decay": 0.1, "momentum_decay": 0.02, "maximize": True}, {"lr": 0.02}),
    ],
    "RAdam": [
        ("defaults", {}, {"lr": 0.02}),
        ("betas_eps", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-3}, {"lr": 0.02, "betas": (0.9, 0.99)}),
        ("never_rectified", {"lr": 0.05, "betas": (0.9, 0.6)}, {"lr": 0.02}),
        ("weight_decay", {"lr": 0.05, "weight_decay": 0.3}, {"lr": 0.02}),
        ("decoupled", {"lr": 0.05, "weight_decay": 0.3, "decoupled_weight_decay": True}, {"lr": 0.02}),
        ("maximize", {"lr": 0.05, "weight_decay": 0.1, "maximize": True}, {"lr": 0.02}),
    ],
    "Adamax": [
        ("defaults", {}, {"lr": 0.02}),
        ("betas", {"lr": 0.05, "betas": (0.5, 0.7)}, {"lr": 0.02, "betas": (0.95, 0.9)}),
        ("eps", {"lr": 0.05, "eps": 0.1}, {"lr": 0.02}),
        ("weight_decay", {"lr": 0.05, "weight_decay": 0.3}, {"lr": 0.02}),
        ("maximize", {"lr": 0.05, "weight_decay": 0.1, "betas": (0.9, 0.8), "maximize": True}, {"lr": 0.02}),
    ],
    "Adagrad": [
        ("defaults", {}, {"lr": 0.2}),
        ("lr_decay", {"lr": 0.1, "lr_decay": 0.2}, {"lr": 0.3, "lr_decay": 0.01}),
        ("initial_accumulator_value", {"lr": 0.1, "initial_accumulator_value": 0.7}, {"lr": 0.3}),
        ("initial_accumulator_value_of_a_group", {"lr": 0.1, "initial_accumulator_value": 0.7}, {"lr": 0.3, "initial_accumulator_value": 0.1}),
        ("eps", {"lr": 0.1, "eps": 0.05}, {"lr": 0.3}),
        ("weight_decay", {"lr": 0.1, "weight_decay": 0.3}, {"lr": 0.3}),
        ("maximize", {"lr": 0.1, "weight_decay": 0.1, "lr_decay": 0.1, "maximize": True}, {"lr": 0.3}),
    ],
    "Adadelta": [
        ("defaults", {}, {"lr": 0.2}),
        ("rho", {"lr": 0.7, "rho": 0.6}, {"lr": 2.0, "rho": 0.95}),
        ("rho_0_and_1", {"lr": 0.7, "rho": 0.0}, {"lr": 2.0, "rho": 1.0}),
        ("eps", {"lr": 0.7, "eps": 0.01}, {"lr": 2.0}),
        ("weight_decay", {"lr": 0.7, "weight_decay": 0.3}, {"lr": 2.0}),
        ("maximize", {"lr": 0.7, "weight_decay": 0.1, "maximize": True}, {"lr": 2.0}),
    ],
    "RMSprop": [
        ("defaults", {}, {"lr": 0.02}),
        ("alpha", {"lr": 0.05, "alpha": 0.5}, {"lr": 0.02, "alpha": 0.9}),
        ("eps", {"lr": 0.05, "eps": 0.1}, {"lr": 0.02}),
        ("weight_decay", {"lr": 0.05, "weight_decay": 0.3}, {"lr": 0.02}),
        ("momentum", {"lr": 0.05, "momentum": 0.8}, {"lr": 0.02}),
        ("centered", {"lr": 0.05, "alpha": 0.9, "centered": True, "eps": 1e-4}, {"lr": 0.02}),
        ("centered_momentum_decay", {"lr": 0.05, "alpha": 0.9, "centered": True, "eps": 1e-4, "momentum": 0.5, "weight_decay": 0.1}, {"lr": 0.02}),
        ("maximize", {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1, "maximize": True}, {"lr": 0.02}),
    ],
    "Rprop": [
        ("defaults", {}, {"lr": 0.2}),
        ("etas", {"lr": 0.05, "etas": (0.3, 1.5)}, {"lr": 0.2, "etas": (0.9, 1.1)}),
        ("step_sizes", {"lr": 0.05, "step_sizes": (0.03, 0.07)}, {"lr": 0.2, "step_sizes": (0.1, 0.25)}),
        ("lr_outside_step_sizes", {"lr": 1.0, "step_sizes": (1e-3, 0.5)}, {"lr": 1e-4}),
        ("maximize", {"lr": 0.05, "etas": (0.4, 1.3), "maximize": True}, {"lr": 0.2}),
    ],
    "ASGD": [
        ("defaults", {}, {"lr": 0.2}),
        ("lambd", {"lr": 0.1, "lambd": 0.2}, {"lr": 0.03, "lambd": 0.0}),
        ("alpha", {"lr": 0.1, "lambd": 0.2, "alpha": 0.3}, {"lr": 0.03, "alpha": 1.0}),
        ("t0", {"lr": 0.1, "t0": 3.0}, {"lr": 0.03, "t0": 0}),
        ("weight_decay", {"lr": 0.1, "weight_decay": 0.3, "t0": 5}, {"lr": 0.03}),
        ("maximize", {"lr": 0.1, "weight_decay": 0.1, "lambd": 0.05, "t0": 4.5, "maximize": True}, {"lr": 0.03}),
    ],
}

# One more case an optimizer: the options of its second one (or the named) on extreme gradients.
EXTREME = {"SGD": {"lr": 0.1, "momentum": 0.9}, "Adam": {"lr": 0.1, "amsgrad": True}, "AdamW": {"lr": 0.1}, "NAdam": {"lr": 0.1}, "RAdam": {"lr": 0.1}, "Adamax": {"lr": 0.1}, "Adagrad": {"lr": 0.1}, "Adadelta": {"lr": 1.0}, "RMSprop": {"lr": 0.1, "centered": True, "momentum": 0.5, "alpha": 0.9}, "Rprop": {"lr": 0.1}, "ASGD": {"lr": 0.1, "t0": 2}}  # fmt: skip
# The groups are edited before step 7 (counted from 1), as a scheduler would.
CHANGED = {"SGD": {"lr": 0.1, "momentum": 0.9}, "Adam": {"lr": 0.05}, "NAdam": {"lr": 0.05}, "Adagrad": {"lr": 0.1}, "Rprop": {"lr": 0.1}, "ASGD": {"lr": 0.1, "lambd": 0.1}, "Adadelta": {"lr": 0.5}, "RMSprop": {"lr": 0.05, "momentum": 0.5}}  # fmt: skip
CHANGES = {
    "SGD": [(7, 0, "lr", 0.02), (7, 0, "momentum", 0.5), (7, 1, "lr", 0.4)],
    "Adam": [(7, 0, "lr", 0.2), (7, 0, "betas", (0.8, 0.999)), (7, 1, "lr", 0.4)],
    "RMSprop": [(7, 0, "lr", 0.2), (7, 0, "momentum", 0.9), (7, 1, "lr", 0.4)],
}
CHANGES_OF_OTHERS = [(7, 0, "lr", 0.02), (7, 1, "lr", 0.4)]


def cases():
    for optimizer, rows in CASES.items():
        for name, options, second in rows:
            yield f"{optimizer}_{name}", optimizer, options, second, "regular", []
        yield f"{optimizer}_extreme", optimizer, EXTREME[optimizer], {"lr": 0.25}, "extreme", []
        if optimizer in CHANGED:
            changes = CHANGES.get(optimizer, CHANGES_OF_OTHERS)
            yield f"{optimizer}_changed_groups", optimizer, CHANGED[optimizer], {"lr": 0.03}, "regular", changes


def run(optimizer, dtype, options, second, gradients, changes):
    """The values of both parameters after every step, and the optimizer at the end."""
    params = [torch.tensor(v, dtype=dtype).reshape(s).requires_grad_() for v, s in zip(STARTS, SHAPES)]
    groups = [{"params": [params[0]]}, {"params": [params[1]], **second}]
    opt = getattr(torch.optim, optimizer)(groups, **options)
    values = []
    for number, row in enumerate(GRADIENTS[gradients], start=1):
        for at, group, key, value in changes:
            if at == number:
                opt.param_groups[group][key] = value
        for p, g in zip(params, row):
            p.grad = None if g is None else torch.tensor(g, dtype=dtype).reshape(p.shape)
        opt.step()
        values.append([p.detach().clone() for p in params])
    return values, opt


def largest_difference(a, b):
    """The largest |x - y| / max(|x|, |y|) of two trajectories; 0 where both are NaN or equal."""
    worst = 0.0
    for one, other in zip(a, b):
        for x, y in zip(one, other):
            x, y = x.double(), y.double()
            same = (x == y) | (x.isnan() & y.isnan())
            far = (x - y).abs() / torch.maximum(x.abs(), y.abs())
            worst = max(worst, torch.where(same, 0.0, far).max().item())
    return worst


def state_json(opt):
    dictionary = opt.state_dict()
    return {
        "state": [[k, pairs(v)] for k, v in dictionary["state"].items()],
        "param_groups": [pairs(g) for g in dictionary["param_groups"]],
    }


def trajectories():
    for name, optimizer, options, second, gradients, changes in cases():
        for short, dtype in DTYPES.items():
            Sqrt.of_this_machine()
            of_torch, _ = run(optimizer, dtype, options, second, gradients, changes)
            Sqrt.correctly_rounded()
            values, opt = run(optimizer, dtype, options, second, gradients, changes)
            row = {"name": f"{name}_{short}", "optimizer": optimizer, "dtype": short}
            row["options"] = pairs(options)
            row["second_group"] = pairs(second)
            row["gradients"] = gradients
            if changes:
                row["changes"] = [[at, group, key, encode(value)] for at, group, key, value in changes]
            row["mkl_sqrt"] = bits(largest_difference(values, of_torch))
            row["params"] = [[flat(p) for p in step] for step in values]
            row.update(state_json(opt))
            yield row


# ---------------------------------------------------------------------------------------------------------
# Gradients by autograd, `step(closure)`.

CURVATURES, TARGETS = [1.0, 0.5, 4.0, 2.0], [0.75, -1.5, 0.25, 3.0]
RATES = {"SGD": 1e-3, "Adam": 0.05, "AdamW": 0.05, "NAdam": 0.05, "RAdam": 0.05, "Adamax": 0.05, "Adagrad": 0.1, "Adadelta": 1.0, "RMSprop": 0.02, "Rprop": 0.02, "ASGD": 1e-3}  # fmt: skip
EXTRA = {"SGD": {"momentum": 0.9}, "RMSprop": {"momentum": 0.5}, "AdamW": {"weight_decay": 0.1}, "ASGD": {"t0": 5}}


def rosenbrock(p):
    x, y = p[0], p[1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def quadratic(p):
    c, t = torch.tensor(CURVATURES, dtype=p.dtype), torch.tensor(TARGETS, dtype=p.dtype)
    return (c * (p - t) ** 2).sum()


PROBLEMS = {"rosenbrock": (rosenbrock, [-1.2, 1.0]), "quadratic": (quadratic, [0.0, 0.0, 1.0, -1.0])}


def autograd_run(problem, optimizer, dtype, options):
    loss_of, start = PROBLEMS[problem]
    p = torch.tensor(start, dtype=dtype, requires_grad=True)
    opt = getattr(torch.optim, optimizer)([p], **options)

    def closure():
        opt.zero_grad()
        loss = loss_of(p)
        loss.backward()
        return loss

    losses, values = [], []
    for _ in range(AUTOGRAD_STEPS):
        losses.append(opt.step(closure).item())
        values.append([p.detach().clone()])
    return losses, values


def autograd_runs():
    for problem in PROBLEMS:
        for optimizer, lr in RATES.items():
            options = {"lr": lr, **EXTRA.get(optimizer, {})}
            for short, dtype in DTYPES.items():
                Sqrt.of_this_machine()
                _, of_torch = autograd_run(problem, optimizer, dtype, options)
                Sqrt.correctly_rounded()
                losses, values = autograd_run(problem, optimizer, dtype, options)
                row = {"name": f"{problem}_{optimizer}_{short}", "problem": problem, "optimizer": optimizer}
                row.update(dtype=short, options=pairs(options))
                row["mkl_sqrt"] = bits(largest_difference(values, of_torch))
                row["losses"] = [bits(v) for v in losses]
                row["params"] = [flat(step[0]) for step in values]
                yield row


def main():
    out = folder_to_write_to(__doc__)
    head = {
        "shapes": [list(s) for s in SHAPES],
        "starts": [[bits(v) for v in start] for start in STARTS],
        "gradients": {
            name: [[None if g is None else [bits(v) for v in g] for g in row] for row in rows]
            for name, rows in GRADIENTS.items()
        },
        "problems": {
            "rosenbrock": {"start": [bits(v) for v in PROBLEMS["rosenbrock"][1]]},
            "quadratic": {
                "start": [bits(v) for v in PROBLEMS["quadratic"][1]],
                "curvatures": [bits(v) for v in CURVATURES],
                "targets": [bits(v) for v in TARGETS],
            },
        },
    }
    sections = {"trajectories": list(trajectories()), "autograd": list(autograd_runs())}
    write(out, "optimizers.json.gz", head, sections)


if __name__ == "__main__":
    main()
