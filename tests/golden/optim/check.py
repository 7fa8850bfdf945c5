#!/usr/bin/env python3
"""Recomputes every number of optimizers.json.gz without torch, one element at a time, and demands equal bits.

    python check.py     # needs a C library with fma and fmaf, nothing else

It is the description of which operations are rounded where. `D` is the dtype: `D.r` rounds a double to it, `D.fma`
is the fused multiply-add in it. Options, steps and everything computed from them alone are doubles; where they
meet a tensor they are rounded to its dtype first.
"""

import collections
import ctypes
import gzip
import json
import math
import pathlib
import struct
import sys

C = ctypes.CDLL("libm.so.6")
for name, kind in (("fma", ctypes.c_double), ("fmaf", ctypes.c_float)):
    function = getattr(C, name)
    function.restype, function.argtypes = kind, [kind] * 3


class Dtype:
    def __init__(self, short):
        self.f32 = short == "f32"

    def r(self, x):
        """Rounds to the dtype; beyond the largest float lies infinity."""
        return to_f32(x) if self.f32 else x

    def fma(self, a, b, c):
        return C.fmaf(a, b, c) if self.f32 else C.fma(a, b, c)

    def mul(self, a, b):
        return self.r(self.r(a) * self.r(b))

    def add(self, a, b):
        return self.r(self.r(a) + self.r(b))

    def div(self, a, b):
        return self.r(divide(self.r(a), self.r(b)))

    def sqrt(self, x):
        return self.r(math.sqrt(x)) if x >= 0 else math.nan

    # torch's compound operations
    def add_alpha(self, a, b, alpha):
        return self.fma(b, self.r(alpha), a)

    def addcmul(self, a, x, y, value=1.0):
        return self.fma(self.mul(value, x), y, a)

    def addcdiv(self, a, x, y, value=1.0):
        return self.add(a, self.div(self.mul(value, x), y))

    def lerp(self, a, b, weight):
        w, gap = self.r(weight), self.add(b, -a)
        return self.fma(w, gap, a) if abs(w) < 0.5 else self.fma(-gap, self.r(1 - w), b)


def to_f32(x):
    try:
        return struct.unpack("f", struct.pack("f", x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)


def divide(a, b):
    if b == 0:
        if a == 0 or math.isnan(a):
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def maximum(a, b):
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b)


def sign(x):
    """torch's: 0 of NaN."""
    return float((x > 0) - (x < 0))


def scalar(x):
    """A 0-dimensional f32 tensor of the state."""
    return to_f32(x)


# ---------------------------------------------------------------------------------------------------------
# One element: p, g, the state of the element `s` (a map), of the parameter `t` (its 0-dimensional tensors), options.


def start(D, p, g, s, o, zeros):
    for key in zeros:
        s.setdefault(key, 0.0)
    return -g if o["maximize"] else g


def decayed(D, p, g, o):
    return D.add_alpha(g, p, o["weight_decay"]) if o["weight_decay"] != 0 else g


def decoupled(D, p, g, o):
    """(p, g) after weight decay of either kind."""
    if o["weight_decay"] != 0 and o["decoupled_weight_decay"]:
        return D.mul(p, 1 - o["lr"] * o["weight_decay"]), g
    return p, decayed(D, p, g, o)


def second_moment(D, v, g, beta):
    return D.addcmul(D.mul(v, beta), g, g, 1 - beta)


def sgd(D, p, g, s, t, o):
    g = decayed(D, p, -g if o["maximize"] else g, o)
    if o["momentum"] != 0:
        if "momentum_buffer" in s:
            s["momentum_buffer"] = D.add_alpha(D.mul(s["momentum_buffer"], o["momentum"]), g, 1 - o["dampening"])
        else:
            s["momentum_buffer"] = g
        g = D.add_alpha(g, s["momentum_buffer"], o["momentum"]) if o["nesterov"] else s["momentum_buffer"]
    return D.add_alpha(p, g, -o["lr"])


def adam(D, p, g, s, t, o):
    g = start(D, p, g, s, o, ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * o["amsgrad"])
    p, g = decoupled(D, p, g, o)
    beta1, beta2 = o["betas"]
    s["exp_avg"] = D.lerp(s["exp_avg"], g, 1 - beta1)
    s["exp_avg_sq"] = v = second_moment(D, s["exp_avg_sq"], g, beta2)
    if o["amsgrad"]:
        s["max_exp_avg_sq"] = v = maximum(s["max_exp_avg_sq"], v)
    step_size = o["lr"] / (1 - beta1 ** t["step"])
    denominator = D.add(D.div(D.sqrt(v), (1 - beta2 ** t["step"]) ** 0.5), o["eps"])
    return D.addcdiv(p, s["exp_avg"], denominator, -step_size)


def nadam(D, p, g, s, t, o):
    g = start(D, p, g, s, o, ["exp_avg", "exp_avg_sq"])
    p, g = decoupled(D, p, g, o)
    beta1, beta2 = o["betas"]
    s["exp_avg"] = D.lerp(s["exp_avg"], g, 1 - beta1)
    s["exp_avg_sq"] = second_moment(D, s["exp_avg_sq"], g, beta2)
    denominator = D.add(D.sqrt(D.div(s["exp_avg_sq"], 1 - beta2 ** t["step"])), o["eps"])
    product = t["mu_product"]
    p = D.addcdiv(p, g, denominator, -o["lr"] * (1.0 - t["mu"]) / (1.0 - product))
    return D.addcdiv(p, s["exp_avg"], denominator, (-o["lr"] * t["mu_next"]) / (1.0 - product * t["mu_next"]))


def nadam_scalars(t, o):
    beta1, decay = o["betas"][0], o["momentum_decay"]
    t["mu"] = beta1 * (1.0 - 0.5 * (0.96 ** (t["step"] * decay)))
    t["mu_next"] = beta1 * (1.0 - 0.5 * (0.96 ** ((t["step"] + 1) * decay)))
    t["mu_product"] = scalar(t.get("mu_product", 1.0) * scalar(t["mu"]))


def radam(D, p, g, s, t, o):
    g = start(D, p, g, s, o, ["exp_avg", "exp_avg_sq"])
    p, g = decoupled(D, p, g, o)
    beta1, beta2 = o["betas"]
    step = t["step"]
    s["exp_avg"] = D.lerp(s["exp_avg"], g, 1 - beta1)
    s["exp_avg_sq"] = second_moment(D, s["exp_avg_sq"], g, beta2)
    correction2 = 1 - beta2**step
    update = D.mul(D.div(s["exp_avg"], 1 - beta1**step), o["lr"])
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * step * (beta2**step) / correction2
    if rho > 5.0:
        rectification = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
        root = D.add(D.sqrt(s["exp_avg_sq"]), o["eps"])
        adaptive = D.mul(D.div(1.0, root), correction2**0.5)  # number / tensor: reciprocal, then product
        update = D.mul(D.mul(update, adaptive), rectification)
    return D.add_alpha(p, update, -1.0)


def adamax(D, p, g, s, t, o):
    g = decayed(D, p, start(D, p, g, s, o, ["exp_avg", "exp_inf"]), o)
    beta1, beta2 = o["betas"]
    s["exp_avg"] = D.lerp(s["exp_avg"], g, 1 - beta1)
    s["exp_inf"] = maximum(D.mul(s["exp_inf"], beta2), D.add(abs(g), o["eps"]))
    return D.addcdiv(p, s["exp_avg"], s["exp_inf"], -(o["lr"] / (1 - beta1 ** t["step"])))


def adagrad(D, p, g, s, t, o):
    g = decayed(D, p, -g if o["maximize"] else g, o)
    s["sum"] = D.addcmul(s["sum"], g, g)
    rate = o["lr"] / (1 + (t["step"] - 1) * o["lr_decay"])
    return D.addcdiv(p, g, D.add(D.sqrt(s["sum"]), o["eps"]), -rate)


def adadelta(D, p, g, s, t, o):
    g = decayed(D, p, start(D, p, g, s, o, ["square_avg", "acc_delta"]), o)
    s["square_avg"] = second_moment(D, s["square_avg"], g, o["rho"])
    std, delta = (D.sqrt(D.add(s[key], o["eps"])) for key in ("square_avg", "acc_delta"))
    delta = D.mul(D.div(delta, std), g)
    s["acc_delta"] = second_moment(D, s["acc_delta"], delta, o["rho"])
    return D.add_alpha(p, delta, -o["lr"])


def rmsprop(D, p, g, s, t, o):
    zeros = ["square_avg"] + ["momentum_buffer"] * (o["momentum"] > 0) + ["grad_avg"] * o["centered"]
    g = decayed(D, p, start(D, p, g, s, o, zeros), o)
    s["square_avg"] = average = second_moment(D, s["square_avg"], g, o["alpha"])
    if o["centered"]:
        s["grad_avg"] = D.lerp(s["grad_avg"], g, 1 - o["alpha"])
        average = D.addcmul(average, s["grad_avg"], s["grad_avg"], -1.0)
    average = D.add(D.sqrt(average), o["eps"])
    if o["momentum"] > 0:
        s["momentum_buffer"] = D.addcdiv(D.mul(s["momentum_buffer"], o["momentum"]), g, average)
        return D.add_alpha(p, s["momentum_buffer"], -o["lr"])
    return D.addcdiv(p, g, average, -o["lr"])


def rprop(D, p, g, s, t, o):
    g = start(D, p, g, s, o, ["prev"])
    s.setdefault("step_size", D.r(o["lr"]))
    minus, plus = o["etas"]
    agreement = sign(D.mul(g, s["prev"]))
    factor = plus if agreement > 0 else minus if agreement < 0 else 1.0
    least, most = (D.r(v) for v in o["step_sizes"])
    s["step_size"] = min(max(D.mul(s["step_size"], factor), least), most)  # `most` wins when it is the smaller one
    if agreement < 0:
        g = 0.0
    s["prev"] = g
    return D.addcmul(p, sign(g), s["step_size"], -1.0)


def asgd(D, p, g, s, t, o):
    g = decayed(D, p, -g if o["maximize"] else g, o)
    p = D.mul(p, 1 - o["lambd"] * t["eta"])
    p = D.add_alpha(p, g, -t["eta"])
    s["ax"] = p if t["mu"] == 1 else D.add(s["ax"], D.mul(D.add(p, -s["ax"]), t["mu"]))
    return p


def asgd_scalars(t, o):
    """After the elements of a step."""
    t["eta"] = scalar(o["lr"] / ((1 + o["lambd"] * o["lr"] * t["step"]) ** o["alpha"]))
    t["mu"] = scalar(1 / max(1, t["step"] - o["t0"]))


RULES = {"SGD": sgd, "Adam": adam, "AdamW": adam, "NAdam": nadam, "RAdam": radam, "Adamax": adamax, "Adagrad": adagrad, "Adadelta": adadelta, "RMSprop": rmsprop, "Rprop": rprop, "ASGD": asgd}  # fmt: skip

# ---------------------------------------------------------------------------------------------------------


def number(x):
    return float.fromhex(x) if isinstance(x, str) else x


def value(x):
    if isinstance(x, dict):
        return tuple(value(v) for v in x["tuple"])
    return number(x)


class Parameter:
    """One parameter with its state."""

    def __init__(self, rule, D, values, options):
        self.rule, self.D, self.p, self.options = rule, D, [D.r(v) for v in values], options
        self.elements, self.scalars = [{} for _ in values], {"step": 0.0}
        if rule == "Adagrad":  # from the beginning, with the optimizer's accumulator value, not the group's
            for s in self.elements:
                s["sum"] = D.r(options["of_constructor"].get("initial_accumulator_value", 0.0))
        self.touched = rule == "Adagrad"

    def step(self, gradient):
        o, t = self.options, self.scalars
        if not self.touched and self.rule == "ASGD":
            t["eta"], t["mu"] = scalar(o["lr"]), 1.0
        self.touched = True
        t["step"] += 1
        if self.rule == "NAdam":
            nadam_scalars(t, o)
        for i, g in enumerate(gradient):
            self.p[i] = RULES[self.rule](self.D, self.p[i], g, self.elements[i], t, o)
        if self.rule == "ASGD":
            asgd_scalars(t, o)


def same(a, b):
    return a == b and math.copysign(1, a) == math.copysign(1, b) or math.isnan(a) and math.isnan(b)


def check(row, where, expected, found, faults):
    expected = [number(v) for v in expected]
    if len(expected) != len(found) or not all(map(same, expected, found)):
        faults.append((row["name"], where, expected, list(found)))


def group_options(row, index):
    """The options of a group as they stood before any edit."""
    o = {k: value(v) for k, v in row["param_groups"][index] if k != "params"}
    for k, v in row["options"] + (row["second_group"] if index == 1 else []):
        o[k] = value(v)
    o["of_constructor"] = {k: value(v) for k, v in row["options"]}
    return o


def trajectory(row, data, faults):
    D = Dtype(row["dtype"])
    parameters = [
        Parameter(row["optimizer"], D, [number(v) for v in start], group_options(row, i))
        for i, start in enumerate(data["starts"])
    ]
    if row.get("changes"):  # the second group of the file holds the edited numbers
        first = dict(row["options"])
        for at, group, key, _ in row["changes"]:
            if key == "betas":
                parameters[group].options[key] = (0.9, 0.999)
            elif key != "lr":
                parameters[group].options[key] = number(first[key])
    for index, gradients in enumerate(data["gradients"][row["gradients"]], start=1):
        for at, group, key, changed in row.get("changes", []):
            if at == index:
                parameters[group].options[key] = value(changed)
        for which, (parameter, gradient) in enumerate(zip(parameters, gradients)):
            if gradient is not None:
                parameter.step([D.r(number(v)) for v in gradient])
            check(row, f"step {index} parameter {which}", row["params"][index - 1][which], parameter.p, faults)
    states = dict(row["state"])
    for which, parameter in enumerate(parameters):
        for key, tensor in states.get(which, []):
            if tensor is None:
                continue
            found = [parameter.scalars[key]] if tensor["shape"] == [] else [s[key] for s in parameter.elements]
            check(row, f"state {key} of {which}", tensor["values"], found, faults)


def gradient_of(problem, D, p, data):
    if problem == "quadratic":
        c, t = (data["problems"]["quadratic"][key] for key in ("curvatures", "targets"))
        # d/dp of c * (p - t)^2: the power rule gives (1 * c) * (2 * (p - t))
        return [D.mul(number(ci), D.mul(2.0, D.add(pi, -number(ti)))) for pi, ci, ti in zip(p, c, t)]
    x, y = p
    outer = D.mul(100.0, D.mul(2.0, D.add(y, -D.mul(x, x))))
    from_first = -D.mul(2.0, D.add(1.0, -x))
    return [D.add(D.mul(-outer, D.mul(2.0, x)), from_first), outer]


def autograd(row, data, defaults, faults):
    D = Dtype(row["dtype"])
    options = {**defaults[row["optimizer"]], **{k: value(v) for k, v in row["options"]}}
    options["of_constructor"] = options
    start = data["problems"][row["problem"]]["start"]
    parameter = Parameter(row["optimizer"], D, [number(v) for v in start], options)
    for index, expected in enumerate(row["params"], start=1):
        parameter.step(gradient_of(row["problem"], D, parameter.p, data))
        check(row, f"step {index}", expected, parameter.p, faults)


def main():
    data = json.loads(gzip.open(pathlib.Path(__file__).resolve().parent / "optimizers.json.gz").read())
    faults = []
    defaults = {}
    for row in data["trajectories"]:
        if row["name"].endswith(("_defaults_f64", "SGD_plain_f64")):
            defaults[row["optimizer"]] = group_options(row, 0)
        trajectory(row, data, faults)
    for row in data["autograd"]:
        autograd(row, data, defaults, faults)
    counts = collections.Counter(name for name, *_ in faults)
    for name, n in counts.items():
        print(f"{name}: {n} differences, first {next(f for f in faults if f[0] == name)[1:]}")
    total = len(data["trajectories"]) + len(data["autograd"])
    print(f"{total - len(counts)} of {total} cases equal to the last bit")
    sys.exit(bool(counts))


if __name__ == "__main__":
    main()
