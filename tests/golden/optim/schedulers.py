#!/usr/bin/env python3
"""Writes schedulers.json.gz: what the learning-rate schedulers of torch 2.8.0 do to the groups of an optimizer.

    pip install torch==2.8.0 numpy
    python schedulers.py            # rewrites schedulers.json.gz and VERSIONS
    python schedulers.py --out DIR  # the same file elsewhere

A case says which optimizer stands there, which schedulers are built on it in which order, and with what they are
stepped; then follow the learning rates. README.md describes the format.
"""

import copy
import sys
import warnings

import torch
from torch.optim import lr_scheduler, swa_utils

sys.dont_write_bytecode = True

from encoding import bits, caught, encode, folder_to_write_to, hex_list, pairs, write  # noqa: E402

ROUNDS, SAVED = 20, 7

# ---------------------------------------------------------------------------------------------------------
# Functions that a scheduler is given. In the file: {"fn": name, "c": [numbers]}.


class Function:
    """A function of the file, as a plain function for torch: its state is not saved with the scheduler."""

    FORMULAS = {
        "power": lambda e, base: base**e,
        "constant": lambda e, value: value,
        "floor_divide": lambda e, divisor: e // divisor,
        "inverse": lambda e, rate: 1.0 / (1.0 + rate * e),
        "times": lambda e, factor: factor * e,
    }

    def __init__(self, name, *constants):
        self.name, self.constants = name, constants

    def plain(self):
        return lambda e: self.FORMULAS[self.name](e, *self.constants)

    def json(self):
        return {"fn": self.name, "c": [encode(c) for c in self.constants]}


class Callable_:
    """A callable object: torch saves its attributes. In the file: {"object": name, "c": ..}."""

    def __init__(self, name, *constants):
        self.name, self.constants = name, list(constants)

    def __call__(self, e):
        return Function.FORMULAS[self.name](e, *self.constants)

    def json(self):
        return {"object": self.name, "c": [encode(c) for c in self.constants]}


def for_torch(value):
    if isinstance(value, Function):
        return value.plain()
    if isinstance(value, Callable_):
        return copy.deepcopy(value)
    if isinstance(value, list):
        return [for_torch(v) for v in value]
    return value


def argument_json(value):
    if isinstance(value, (Function, Callable_)):
        return value.json()
    if isinstance(value, list):
        return [argument_json(v) for v in value]
    return encode(value)


# ---------------------------------------------------------------------------------------------------------
# Optimizers and schedulers as the file names them


class S:
    """A scheduler to be built: class, options by name; for compositions the schedulers inside."""

    def __init__(self, name, inner=(), **options):
        self.name, self.inner, self.options = name, list(inner), options

    def build(self, opt, **more):
        options = {k: for_torch(v) for k, v in self.options.items()}
        if self.name == "ChainedScheduler":
            return lr_scheduler.ChainedScheduler([s.build(opt) for s in self.inner])
        if self.name == "SequentialLR":
            options["schedulers"] = [s.build(opt) for s in self.inner]
        module = swa_utils if self.name == "SWALR" else lr_scheduler
        return getattr(module, self.name)(opt, **options, **more)

    def json(self):
        row = {"class": self.name, "options": [[k, argument_json(v)] for k, v in self.options.items()]}
        if self.inner:
            row["inner"] = [s.json() for s in self.inner]
        return row


class O:
    """An optimizer of one parameter a group, none of which ever has a gradient: class, learning rates, options."""

    def __init__(self, name="SGD", lrs=(0.05, 0.5), **options):
        self.name, self.lrs, self.options = name, list(lrs), options

    def build(self):
        groups = []
        for lr in self.lrs:
            groups.append({"params": [torch.zeros(2, requires_grad=True)], "lr": lr})
        return getattr(torch.optim, self.name)(groups, **self.options)

    def json(self):
        return {"class": self.name, "lrs": [encode(v) for v in self.lrs], "options": pairs(self.options)}


SGD = O()
MOMENTUM = O(momentum=0.6)
ADAM = O("Adam")
ONE = O(lrs=(1.0,))

# Texts of warnings that the cases name instead of repeating them.
TEXTS = {
    "epoch": lr_scheduler.EPOCH_DEPRECATION_WARNING,
    "order": "Detected call of `lr_scheduler.step()` before `optimizer.step()`. "
    "In PyTorch 1.1.0 and later, you should call them in the opposite order: "
    "`optimizer.step()` before `lr_scheduler.step()`.  Failure to do this "
    "will result in PyTorch skipping the first value of the learning rate schedule. "
    "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate",
    "overridden": "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
    "initialization. Please, make sure to call `optimizer.step()` before "
    "`lr_scheduler.step()`. See more details at "
    "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate",
    "get_lr": "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
}
NAME_OF = {text: name for name, text in TEXTS.items()}

# ---------------------------------------------------------------------------------------------------------


def momentum(group):
    return group["betas"][0] if "betas" in group else group.get("momentum")


class Record:
    """The rows of a run: learning rates of the groups after construction and after every round, and so on."""

    def __init__(self, opt, schedulers, with_momentum):
        self.opt, self.schedulers, self.with_momentum = opt, schedulers, with_momentum
        self.lr, self.last, self.momenta, self.warnings, self.fails = [], [], [], [], None
        self.note()

    def note(self):
        self.lr.append([float(g["lr"]) for g in self.opt.param_groups])
        self.last.append([[float(v) for v in s.get_last_lr()] for s in self.schedulers])
        if self.with_momentum:
            self.momenta.append([float(momentum(g)) for g in self.opt.param_groups])

    def round(self, number, case):
        """One `opt.step()` and the steps of the schedulers; False when torch raised."""
        if case.get("order", "optimizer first") == "optimizer first":
            self.opt.step()
        active = case["active"][number] if "active" in case else range(len(self.schedulers))
        with caught() as found:
            try:
                for index in active:
                    scheduler = self.schedulers[index]
                    if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
                        scheduler.step(case["metrics"][number])
                    elif "epochs" in case:
                        scheduler.step(case["epochs"][number])
                    else:
                        scheduler.step()
            except Exception as e:  # what torch raises is the datum
                self.fails = {"round": number + 1, "type": type(e).__name__, "text": str(e)}
        self.warnings += [[number + 1, NAME_OF[text]] for _, text in found]
        if case.get("order") == "scheduler first":
            self.opt.step()
        if self.fails is None:
            self.note()
        return self.fails is None

    def json(self):
        row = {"lr": [hex_list(v) for v in self.lr]}
        if any(last != lr for lasts, lr in zip(self.last, self.lr) for last in lasts):
            row["last_lr"] = [[hex_list(v) for v in lasts] for lasts in self.last]
        if self.with_momentum:
            row["momentum"] = [hex_list(v) for v in self.momenta]
        if self.warnings:
            row["warnings"] = self.warnings
        if self.fails:
            row["fails"] = self.fails
        return row


def state_json(scheduler):
    return pairs(copy.deepcopy(scheduler.state_dict()))


def loaded(case, saved_optimizer, saved_state, saved, rounds):
    """The state goes into a scheduler that was built with other options, over an optimizer that was loaded too."""
    other = case["other"]
    opt = case["optimizer"].build()
    scheduler = other.build(opt)
    opt.load_state_dict(copy.deepcopy(saved_optimizer))
    before = [float(g["lr"]) for g in opt.param_groups]
    scheduler.load_state_dict(copy.deepcopy(saved_state))
    assert before == [float(g["lr"]) for g in opt.param_groups], "load_state_dict touched the optimizer"
    row = {"other": other.json()}
    if pairs(scheduler.state_dict()) != pairs(saved_state):
        row["state"] = pairs(scheduler.state_dict())
    record = Record(opt, [scheduler], case.get("momentum", False))
    for number in range(saved, rounds):
        if not record.round(number, case):
            break
    row.update(record.json())
    return row


def rebuilt(case, saved_optimizer, last_epoch, saved, rounds):
    """A second scheduler with the same options and `last_epoch`, over an optimizer that was loaded."""
    opt = case["optimizer"].build()
    opt.load_state_dict(copy.deepcopy(saved_optimizer))
    row = {"last_epoch": encode(last_epoch)}
    try:
        scheduler = case["schedulers"][0].build(opt, last_epoch=last_epoch)
    except Exception as e:
        row["fails"] = {"round": 0, "type": type(e).__name__, "text": str(e)}
        return row
    record = Record(opt, [scheduler], case.get("momentum", False))
    for number in range(saved, rounds):
        if not record.round(number, case):
            break
    row.update(record.json())
    return row


def run(case):
    opt = case["optimizer"].build()
    for group, changes in zip(opt.param_groups, case.get("edited", [])):
        group.update(changes)
    with caught() as at_start:
        schedulers = [s.build(opt) for s in case["schedulers"]]
    rounds, saved = case["rounds"], case.get("saved", min(SAVED, case["rounds"] // 2))
    row = {"name": case["name"], "optimizer": case["optimizer"].json()}
    if "edited" in case:
        row["edited"] = [pairs(changes) for changes in case["edited"]]
    row["schedulers"] = [s.json() for s in case["schedulers"]]
    for key in ("metrics", "epochs"):
        if key in case:
            row[key] = [encode(v) for v in case[key]]
    for key in ("active", "order"):
        if key in case:
            row[key] = case[key]
    row["rounds"] = rounds
    record = Record(opt, schedulers, case.get("momentum", False))
    record.warnings = [[0, NAME_OF[text]] for _, text in at_start]
    details = case.get("details", False)
    groups = [pairs({k: v for k, v in g.items() if k != "params"}) for g in opt.param_groups]
    if case.get("momentum"):
        row["groups"] = groups
    if details:
        row["state_at_start"] = [state_json(s) for s in schedulers]
    for number in range(rounds):
        if not record.round(number, case):
            break
        if details and number + 1 == saved:
            saved_optimizer = copy.deepcopy(opt.state_dict())
            saved_states = [copy.deepcopy(s.state_dict()) for s in schedulers]
    row.update(record.json())
    if details:
        row["saved"] = saved
        row["states"] = [pairs(s) for s in saved_states]
        if "other" in case:
            row["loaded"] = loaded(case, saved_optimizer, saved_states[0], saved, rounds)
        name = case["schedulers"][0].name
        if len(schedulers) == 1 and name not in ("ChainedScheduler", "SequentialLR", "ReduceLROnPlateau"):
            row["rebuilt"] = rebuilt(case, saved_optimizer, saved_states[0]["last_epoch"], saved, rounds)
    return row


# ---------------------------------------------------------------------------------------------------------
# Every class with several options: name, scheduler, other options to load into, what else the case says


def case(name, optimizer, schedulers, rounds=ROUNDS, **more):
    schedulers = schedulers if isinstance(schedulers, list) else [schedulers]
    return {"name": name, "optimizer": optimizer, "schedulers": schedulers, "rounds": rounds, **more}


def classes():
    def full(name, scheduler, other, optimizer=SGD, rounds=ROUNDS, **more):
        return case(name, optimizer, scheduler, rounds, other=other, details=True, **more)

    halves, power = Function("power", 0.9), Function("power", 0.8)
    yield full("LambdaLR_one", S("LambdaLR", lr_lambda=halves), S("LambdaLR", lr_lambda=halves))
    yield full("LambdaLR_list", S("LambdaLR", lr_lambda=[halves, Function("inverse", 0.3)]), S("LambdaLR", lr_lambda=[halves, power]))
    yield full("LambdaLR_integer", S("LambdaLR", lr_lambda=Function("floor_divide", 3)), S("LambdaLR", lr_lambda=power))
    yield full("LambdaLR_object", S("LambdaLR", lr_lambda=[Callable_("power", 0.7), power]), S("LambdaLR", lr_lambda=[Callable_("power", 0.3), power]))
    yield full("MultiplicativeLR_one", S("MultiplicativeLR", lr_lambda=Function("constant", 0.95)), S("MultiplicativeLR", lr_lambda=Function("constant", 0.95)))
    yield full("MultiplicativeLR_list", S("MultiplicativeLR", lr_lambda=[Function("inverse", 0.1), Function("constant", 0.8)]), S("MultiplicativeLR", lr_lambda=[power, power]))
    yield full("MultiplicativeLR_object", S("MultiplicativeLR", lr_lambda=[Callable_("inverse", 0.2), power]), S("MultiplicativeLR", lr_lambda=[Callable_("inverse", 0.9), power]))
    other = S("StepLR", step_size=1, gamma=0.005)
    yield full("StepLR_3", S("StepLR", step_size=3), other)
    yield full("StepLR_1", S("StepLR", step_size=1, gamma=0.9), other)
    yield full("StepLR_rising", S("StepLR", step_size=4, gamma=1.5), other)
    yield full("StepLR_longer_than_the_run", S("StepLR", step_size=30, gamma=0.5), other)
    other = S("MultiStepLR", milestones=[1, 4, 6], gamma=0.01)
    yield full("MultiStepLR", S("MultiStepLR", milestones=[2, 5, 9]), other)
    yield full("MultiStepLR_repeated", S("MultiStepLR", milestones=[4, 2, 2, 11, 4, 4], gamma=0.5), other)
    yield full("MultiStepLR_zero_and_far", S("MultiStepLR", milestones=[0, 30], gamma=0.5), other)
    yield full("MultiStepLR_empty", S("MultiStepLR", milestones=[]), other)
    other = S("ConstantLR", factor=0.9, total_iters=2)
    yield full("ConstantLR_defaults", S("ConstantLR"), other)
    yield full("ConstantLR", S("ConstantLR", factor=0.3, total_iters=11), other)
    yield full("ConstantLR_1", S("ConstantLR", factor=1, total_iters=3), other)
    yield full("ConstantLR_no_iterations", S("ConstantLR", factor=0.5, total_iters=0), other)
    yield full("ConstantLR_zero", S("ConstantLR", factor=0.0, total_iters=9), other, saved=4)
    other = S("LinearLR", start_factor=0.9, end_factor=0.1, total_iters=2)
    yield full("LinearLR_defaults", S("LinearLR"), other)
    yield full("LinearLR_down", S("LinearLR", start_factor=1.0, end_factor=0.1, total_iters=12), other)
    yield full("LinearLR_up", S("LinearLR", start_factor=0.1, end_factor=0.7, total_iters=4), other)
    yield full("LinearLR_to_zero", S("LinearLR", start_factor=1.0, end_factor=0.0, total_iters=6), other)
    other = S("ExponentialLR", gamma=0.01)
    for gamma in (0.9, 0.1, 1.1, 0.0):
        yield full(f"ExponentialLR_{gamma}", S("ExponentialLR", gamma=gamma), other)
    other = S("PolynomialLR", total_iters=2, power=3.0)
    yield full("PolynomialLR_defaults", S("PolynomialLR"), other)
    yield full("PolynomialLR_2", S("PolynomialLR", total_iters=12, power=2.0), other)
    yield full("PolynomialLR_half", S("PolynomialLR", total_iters=30, power=0.5), other)
    yield full("PolynomialLR_0.9", S("PolynomialLR", total_iters=6, power=0.9), other)
    other = S("CosineAnnealingLR", T_max=5, eta_min=5e-11)
    yield full("CosineAnnealingLR_10", S("CosineAnnealingLR", T_max=10, eta_min=1e-10), other)
    yield full("CosineAnnealingLR_3", S("CosineAnnealingLR", T_max=3), other)
    yield full("CosineAnnealingLR_above", S("CosineAnnealingLR", T_max=7, eta_min=0.1), other)
    yield full("CosineAnnealingLR_1", S("CosineAnnealingLR", T_max=1, eta_min=0.01), other)
    other = S("CosineAnnealingWarmRestarts", T_0=100)
    yield full("CosineAnnealingWarmRestarts_4", S("CosineAnnealingWarmRestarts", T_0=4), other)
    yield full("CosineAnnealingWarmRestarts_2_2", S("CosineAnnealingWarmRestarts", T_0=2, T_mult=2, eta_min=0.001), other)
    yield full("CosineAnnealingWarmRestarts_1_3", S("CosineAnnealingWarmRestarts", T_0=1, T_mult=3), other)
    other = S("SWALR", swa_lr=5.0, anneal_epochs=10, anneal_strategy="linear")
    yield full("SWALR_defaults", S("SWALR", swa_lr=0.01), other)
    yield full("SWALR_linear", S("SWALR", swa_lr=[0.2, 0.02], anneal_epochs=6, anneal_strategy="linear"), other)
    yield full("SWALR_0", S("SWALR", swa_lr=0.3, anneal_epochs=0), other)
    yield full("SWALR_1", S("SWALR", swa_lr=0.3, anneal_epochs=1), other)
    other = S("CyclicLR", base_lr=0.3, max_lr=0.9, step_size_up=11, gamma=0.5)
    for mode in ("triangular", "triangular2", "exp_range"):
        options = {"base_lr": 0.1, "max_lr": [0.5, 0.7], "step_size_up": 2, "step_size_down": 3, "mode": mode, "gamma": 0.9}
        yield full(f"CyclicLR_{mode}", S("CyclicLR", **options), other, MOMENTUM, momentum=True)
        yield full(f"CyclicLR_{mode}_Adam", S("CyclicLR", **options, base_momentum=0.7, max_momentum=0.95), other, ADAM, momentum=True)
    still = S("CyclicLR", base_lr=0.3, max_lr=0.9, cycle_momentum=False)
    yield full("CyclicLR_no_momentum", S("CyclicLR", base_lr=[0.01, 0.02], max_lr=0.2, step_size_up=6, cycle_momentum=False), still, MOMENTUM, momentum=True)
    yield full("CyclicLR_scale_fn_cycle", S("CyclicLR", base_lr=0.1, max_lr=0.5, step_size_up=3, scale_fn=Function("inverse", 0.5), scale_mode="cycle"), S("CyclicLR", base_lr=0.2, max_lr=0.3, scale_fn=Function("inverse", 0.5)), MOMENTUM, momentum=True)
    yield full("CyclicLR_scale_fn_iterations", S("CyclicLR", base_lr=0.1, max_lr=0.5, step_size_up=3, scale_fn=Callable_("power", 0.9), scale_mode="iterations"), S("CyclicLR", base_lr=0.2, max_lr=0.3, scale_fn=Callable_("power", 0.1)), MOMENTUM, momentum=True)
    yield full("CyclicLR_defaults", S("CyclicLR", base_lr=0.1, max_lr=0.5), other, MOMENTUM, momentum=True)
    other = S("OneCycleLR", max_lr=0.9, total_steps=40, anneal_strategy="linear")
    yield full("OneCycleLR_20", S("OneCycleLR", max_lr=1.0, total_steps=20), other, MOMENTUM, momentum=True)
    yield full("OneCycleLR_epochs", S("OneCycleLR", max_lr=[0.2, 1.0], epochs=3, steps_per_epoch=4, pct_start=0.4), other, MOMENTUM, momentum=True)
    yield full("OneCycleLR_linear_Adam", S("OneCycleLR", max_lr=0.5, total_steps=15, anneal_strategy="linear", div_factor=10, final_div_factor=100.0, base_momentum=0.8, max_momentum=[0.9, 0.99]), other, ADAM, momentum=True)
    yield full("OneCycleLR_three_phase", S("OneCycleLR", max_lr=0.5, total_steps=25, three_phase=True), other, MOMENTUM, momentum=True)
    yield full("OneCycleLR_no_momentum", S("OneCycleLR", max_lr=0.5, total_steps=20, pct_start=0.15, cycle_momentum=False), S("OneCycleLR", max_lr=0.9, total_steps=40, cycle_momentum=False), MOMENTUM, momentum=True)
    noisy = [1.0, 0.9, 0.91, 0.92, 0.93, 0.5, float("nan"), 0.5, 0.5, 0.499, 0.4, float("inf"), 0.41, 0.42, 0.3, 0.31, 0.32, 0.33, 0.34, -0.35]
    other = S("ReduceLROnPlateau", mode="max", factor=0.5, patience=10)
    yield full("ReduceLROnPlateau_defaults", S("ReduceLROnPlateau"), other, metrics=[1.0] * 30, rounds=30)
    yield full("ReduceLROnPlateau_patience_0", S("ReduceLROnPlateau", patience=0, factor=0.5), other, metrics=noisy)
    yield full("ReduceLROnPlateau_cooldown", S("ReduceLROnPlateau", patience=1, factor=0.5, cooldown=2, threshold=0.01), other, metrics=noisy)
    yield full("ReduceLROnPlateau_max_rel", S("ReduceLROnPlateau", mode="max", patience=1, factor=0.3, threshold=0.1), other, metrics=noisy)
    yield full("ReduceLROnPlateau_max_abs", S("ReduceLROnPlateau", mode="max", patience=2, threshold_mode="abs", threshold=0.05), other, metrics=noisy)
    yield full("ReduceLROnPlateau_min_abs", S("ReduceLROnPlateau", patience=2, threshold_mode="abs", threshold=0.05), other, metrics=noisy)
    yield full("ReduceLROnPlateau_min_lr", S("ReduceLROnPlateau", patience=0, min_lr=[0.01, 0.2]), other, metrics=noisy)
    yield full("ReduceLROnPlateau_eps", S("ReduceLROnPlateau", patience=0, factor=0.5, eps=0.02), other, metrics=noisy)
    yield full("ReduceLROnPlateau_negative", S("ReduceLROnPlateau", patience=1, factor=0.5, threshold=0.1), other, metrics=[-1.0 - 0.05 * i for i in range(20)])


def closed_forms():
    """`step(epoch)`: the closed form where the class has one, the chain where it has none."""
    kinds = [
        S("LambdaLR", lr_lambda=Function("power", 0.9)),
        S("MultiplicativeLR", lr_lambda=Function("constant", 0.9)),
        S("StepLR", step_size=3),
        S("MultiStepLR", milestones=[2, 5, 5, 9]),
        S("ConstantLR", factor=1 / 3, total_iters=4),
        S("LinearLR", start_factor=1 / 3, end_factor=0.7, total_iters=4),
        S("ExponentialLR", gamma=0.9),
        S("PolynomialLR", power=0.9),
        S("CosineAnnealingLR", T_max=5, eta_min=1e-10),
        S("CosineAnnealingWarmRestarts", T_0=4, T_mult=2, eta_min=0.01),
    ]
    for s in kinds:
        yield case(f"{s.name}_closed_form", SGD, s, 20, epochs=list(range(20)))
        yield case(f"{s.name}_epochs_in_no_order", SGD, s, 9, epochs=[2, 2, 2, 7, 0, None, None, 11, None])
    for s in (S("CyclicLR", base_lr=0.1, max_lr=0.5, step_size_up=3), S("OneCycleLR", max_lr=1.0, total_steps=15)):
        yield case(f"{s.name}_epochs_in_no_order", MOMENTUM, s, 9, epochs=[2, 2, 2, 7, 0, None, None, 11, None], momentum=True)


def compositions():
    """SequentialLR and ChainedScheduler beyond the upstream names."""

    def constant():
        return S("ConstantLR", factor=0.1, total_iters=2)

    def sequential(milestones, *inner, **more):
        return S("SequentialLR", inner, milestones=milestones, **more)

    def chained(*inner):
        return S("ChainedScheduler", inner)

    exponential = S("ExponentialLR", gamma=0.5)
    later, slow = S("ConstantLR", factor=0.7, total_iters=9), S("ExponentialLR", gamma=0.9)
    step, cosine = S("StepLR", step_size=2, gamma=0.5), S("CosineAnnealingLR", T_max=5)
    linear, polynomial = S("LinearLR", start_factor=0.1, total_iters=5), S("PolynomialLR", total_iters=6, power=2.0)
    rows = [
        ("Sequential_constant_exponential", sequential([3], constant(), exponential), sequential([2], later, slow)),
        ("Sequential_warmup_cosine", sequential([5], linear, cosine), sequential([9], S("LinearLR"), S("CosineAnnealingLR", T_max=9))),
        ("Sequential_three", sequential([4, 9], linear, step, polynomial), sequential([1, 2], linear, step, polynomial)),
        ("Sequential_milestone_0", sequential([0], constant(), exponential), sequential([3], constant(), exponential)),
        ("Sequential_equal_milestones", sequential([4, 4], constant(), step, exponential), sequential([1, 2], constant(), step, exponential)),
        ("Sequential_one", sequential([], exponential), sequential([], S("ExponentialLR", gamma=0.9))),
        ("Sequential_lambda_multistep", sequential([4], S("LambdaLR", lr_lambda=Function("power", 0.9)), S("MultiStepLR", milestones=[2, 4, 8])), sequential([9], S("LambdaLR", lr_lambda=Function("power", 0.9)), S("MultiStepLR", milestones=[3]))),
        ("Sequential_warm_restarts", sequential([3], constant(), S("CosineAnnealingWarmRestarts", T_0=3, T_mult=2)), sequential([9], constant(), S("CosineAnnealingWarmRestarts", T_0=5))),
        ("Sequential_nested", sequential([6], sequential([2], constant(), step), exponential), sequential([3], sequential([1], constant(), step), exponential)),
        ("Sequential_of_chained_first", sequential([6], chained(linear, step), exponential), sequential([5], chained(linear, step), exponential)),
        ("Chained_constant_exponential", chained(constant(), exponential), chained(later, slow)),
        ("Chained_order", chained(exponential, constant()), chained(slow, later)),
        ("Chained_three", chained(linear, step, cosine), chained(linear, step, cosine)),
        ("Chained_nested", chained(chained(constant(), step), S("ExponentialLR", gamma=0.9)), chained(chained(later, S("StepLR", step_size=9)), slow)),
        ("Chained_of_sequential", chained(sequential([3], constant(), exponential), S("LinearLR", total_iters=7)), chained(sequential([5], constant(), exponential), S("LinearLR", total_iters=3))),
    ]
    for name, scheduler, other in rows:
        yield case(name, SGD, scheduler, other=other, details=True)
    # A chained scheduler has no `step(0)`: as a later part of a sequence torch fails at its milestone.
    yield case("Sequential_of_chained_second", SGD, sequential([3], exponential, chained(linear, step)), 8)
    # The order of `step` calls: the warning comes once, at the first step of the scheduler.
    yield case("order_scheduler_first", SGD, S("StepLR", step_size=2), 4, order="scheduler first")
    yield case("order_scheduler_first_two", SGD, [S("StepLR", step_size=2), S("ExponentialLR", gamma=0.9)], 4, order="scheduler first")
    yield case("order_scheduler_first_warm_restarts", SGD, S("CosineAnnealingWarmRestarts", T_0=2), 4, order="scheduler first")
    yield case("order_scheduler_first_plateau", SGD, S("ReduceLROnPlateau", patience=0), 4, order="scheduler first", metrics=[1.0] * 4)
    yield case("order_scheduler_first_sequential", SGD, sequential([2], constant(), exponential), 4, order="scheduler first")
    # `initial_lr` that stands in the group already is kept, and counts.
    edited = [{"initial_lr": 0.3}, {"initial_lr": 0.7}]
    for s in (step, exponential, S("LambdaLR", lr_lambda=Function("power", 0.9)), cosine, linear, constant()):
        yield case(f"initial_lr_stands_{s.name}", SGD, s, 6, edited=edited)
    second = [exponential, S("LambdaLR", lr_lambda=Function("power", 0.9))]
    yield case("second_scheduler_starts_from_the_first_lr", SGD, [S("OneCycleLR", max_lr=1.0, total_steps=12, cycle_momentum=False), *second], 6)


# ---------------------------------------------------------------------------------------------------------
# The cases of the upstream suite, by its names: two groups, lr 0.05 and 0.5.


def upstream():
    c01, e8, st2 = S("ConstantLR", factor=0.1, total_iters=3), S("ExponentialLR", gamma=0.8), S("StepLR", step_size=2, gamma=0.1)
    e9, st3 = S("ExponentialLR", gamma=0.9), S("StepLR", step_size=3, gamma=0.1)
    multi = S("MultiStepLR", milestones=[2, 5, 9], gamma=0.1)
    lin4 = S("LinearLR", start_factor=0.4, total_iters=4)
    cos = S("CosineAnnealingLR", T_max=10, eta_min=1e-10)

    for name, s in [
        ("step_lr", st3), ("multi_step_lr", multi), ("exp_lr", e9), ("cos_anneal_lr", cos),
        ("constantlr", S("ConstantLR", factor=0.5, total_iters=5)), ("linearlr", S("LinearLR", start_factor=0.5, total_iters=4)),
        ("poly_lr", S("PolynomialLR", power=0.9, total_iters=5)),
        ("lambda_lr", S("LambdaLR", lr_lambda=[Function("power", 0.9), Function("power", 0.8)])),
        ("multiplicative_lr", S("MultiplicativeLR", lr_lambda=[Function("constant", 0.9), Function("constant", 0.8)])),
    ]:  # fmt: skip
        lr = O(lrs=(0.05, 0.4)) if name in ("lambda_lr", "multiplicative_lr") else SGD
        yield case(name, lr, s, 10)
        yield case(f"{name}_is_constant_for_constant_epoch", lr, s, 10, epochs=[2] * 10)

    half = O(lrs=(0.5, 0.5))
    falling, slower = [10 - i * 0.0167 for i in range(20)], [10 - i * 0.0165 for i in range(22)]
    up, rising = [1.5 * 1.025**i for i in range(20)], [1.5 * 1.005**i for i in range(20)]
    flat_then, stairs = [-0.8] * 2 + [-0.234] * 20, [1.0] * 7 + [0.6] + [0.5] * 12

    def plateau(**options):
        return S("ReduceLROnPlateau", **options)

    rel = {"mode": "max", "threshold_mode": "rel", "threshold": 0.1}
    p1 = plateau(threshold_mode="abs", mode="min", threshold=0.01, patience=5, cooldown=5)
    p2 = plateau(threshold_mode="abs", mode="min", threshold=0.1, patience=5, cooldown=0)
    p3 = plateau(mode="max", patience=5, cooldown=5, threshold_mode="abs")
    p4 = plateau(**rel, patience=3)
    for number, s, metrics in [
        (1, p1, falling), (2, p2, slower), (3, p3, flat_then), (4, p4, up),
        (5, plateau(**rel, patience=5, cooldown=5), rising),
        (6, plateau(mode="min", threshold_mode="rel", threshold=0.1), [1.5 * 0.85**i for i in range(20)]),
        (7, plateau(mode="min", threshold_mode="rel", threshold=0.1, patience=5, cooldown=5), stairs),
        (8, plateau(**rel, min_lr=[0.4, 0.3], patience=5, cooldown=5), rising),
    ]:  # fmt: skip
        yield case(f"reduce_lr_on_plateau{number}", half, s, len(metrics), metrics=metrics)
    state = plateau(mode="min", factor=0.1, patience=2)
    scores = [1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 5.0, 3.0, 2.0, 1.0] * 2
    yield case("reduce_lr_on_plateau_state_dict", SGD, state, 20, metrics=scores, saved=10, details=True, other=plateau(mode="max", factor=0.5, patience=10))

    for name, rounds, milestones, inner in [
        ("sequentiallr1", 19, [3], [e8, S("StepLR", gamma=0.1, step_size=4)]),
        ("sequentiallr2", 13, [3], [c01, e9]),
        ("sequentiallr3", 12, [3, 6], [c01, e8, st2]),
        ("sequentiallr5", 10, [5], [S("ChainedScheduler", [S("LinearLR", start_factor=0.1, total_iters=5), S("ConstantLR", factor=0.1, total_iters=5)]), S("ConstantLR", factor=0.5, total_iters=5)]),
        ("sequentiallr_no_warnings", 10, [5], [S("LinearLR", start_factor=0.5, end_factor=0.1, total_iters=5), e9]),
    ]:
        yield case(name, SGD, S("SequentialLR", inner, milestones=milestones), rounds)
    yield case("sequentiallr4", O(lrs=(0.1,)), S("SequentialLR", [S("ConstantLR", factor=1), S("ConstantLR", factor=0.1)], milestones=[10]), 12)

    lin3, m4 = S("LinearLR", start_factor=0.4, total_iters=3), S("MultiStepLR", milestones=[4, 8, 10], gamma=0.1)
    for name, inner, rounds in [
        ("chained_lr1", [st3], 10), ("chained_lr2", [lin3], 10), ("chained_lr3", [lin3, m4], 10),
        ("chained_lr4", [e9, S("ConstantLR", factor=0.2, total_iters=4), st3], 9),
        ("chained_lr5", [S("PolynomialLR", power=0.9, total_iters=5), S("ConstantLR", factor=0.1)], 10),
    ]:  # fmt: skip
        yield case(name, SGD, S("ChainedScheduler", inner), rounds)

    for name, pair in [
        ("step_and_multistep_lr", [st3, multi]), ("step_and_exp_lr", [st3, e9]), ("exp_and_multistep_lr", [multi, e9]),
        ("exp_and_linearlr", [S("LinearLR", start_factor=0.4, end_factor=0.9, total_iters=4), e9]),
        ("step_and_constantlr", [st3, S("ConstantLR", factor=0.4, total_iters=4)]),
        ("linearlr_and_multistep_lr", [multi, lin4]), ("cosanneal_and_step_lr", [cos, st3]),
        ("cosanneal_and_multistep_lr", [cos, multi]), ("cosanneal_and_linearlr", [lin4, cos]),
        ("cosanneal_and_exp_lr", [cos, S("ExponentialLR", gamma=0.1)]),
    ]:  # fmt: skip
        yield case(f"compound_{name}", SGD, pair, 10)
    twentieth = O(lrs=(0.05, 0.05))
    for number, optimizer, pair, metrics, rounds in [
        (1, half, [p1, st3], falling, 10), (2, half, [p2, S("MultiStepLR", gamma=0.1, milestones=[3, 8, 12])], slower, 22),
        (3, half, [p3, S("ExponentialLR", gamma=0.1)], flat_then, 22), (4, twentieth, [p4, cos], up, 10), (5, half, [p2, lin4], slower, 22),
    ]:  # fmt: skip
        yield case(f"compound_reduce_lr_on_plateau{number}", optimizer, pair, rounds, metrics=metrics)

    zero_momentum = O(momentum=0.0)
    one = {"base_lr": 1, "max_lr": 5, "step_size_up": 4, "cycle_momentum": True, "base_momentum": 1, "max_momentum": 5}
    two = {"base_lr": [1, 3], "max_lr": [5, 7], "base_momentum": [1, 3], "max_momentum": [5, 7], "cycle_momentum": True}
    for name, rounds, options in [
        ("triangular_mode_one_lr", 10, {**one, "mode": "triangular"}),
        ("triangular2_mode_one_lr", 21, {**one, "mode": "triangular2"}),
        ("exp_range_mode_one_lr", 12, {**one, "mode": "exp_range", "gamma": 0.9}),
        ("triangular_mode_one_lr_no_momentum", 10, {"base_lr": 1, "max_lr": 5, "step_size_up": 4, "cycle_momentum": False, "mode": "triangular"}),
        ("triangular_mode", 10, {"base_lr": [1, 2], "max_lr": [5, 6], "step_size_up": 4, "cycle_momentum": True, "base_momentum": [1, 2], "max_momentum": [5, 6], "mode": "triangular"}),
        ("triangular2_mode", 21, {**two, "step_size_up": 4, "mode": "triangular2"}),
        ("exp_range_mode", 12, {"base_lr": [1, 5], "max_lr": [5, 12], "step_size_up": 4, "cycle_momentum": True, "base_momentum": [1, 5], "max_momentum": [5, 12], "mode": "exp_range", "gamma": 0.9}),
        ("triangular_mode_step_size_up_down", 10, {**one, "step_size_down": 6, "mode": "triangular"}),
        ("triangular2_mode_step_size_up_down", 23, {**two, "step_size_up": 2, "step_size_down": 6, "mode": "triangular2"}),
        ("exp_range_mode_step_size_up_down", 12, {**one, "step_size_up": 2, "step_size_down": 6, "mode": "exp_range", "gamma": 0.9}),
    ]:
        yield case(f"cycle_lr_{name}", zero_momentum, S("CyclicLR", **options), rounds, momentum=True)
    momentumless = S("CyclicLR", base_lr=1, max_lr=5, step_size_up=4, cycle_momentum=False, mode="triangular")
    yield case("cycle_lr_with_momentumless_optimizer", ADAM, momentumless, 10, momentum=True)
    yield case("cycle_lr_cycle_momentum_with_beta1_optimizer", ADAM, S("CyclicLR", base_lr=1, max_lr=5, cycle_momentum=True), 3, momentum=True)
    yield case("cycle_lr_scale_fn_restored_from_state_dict", ADAM, S("CyclicLR", base_lr=1, max_lr=5, cycle_momentum=False, mode="triangular2"), 4, details=True, other=S("CyclicLR", base_lr=1, max_lr=5, cycle_momentum=False), momentum=True)
    cycle = {"max_lr": 25, "final_div_factor": 2, "base_momentum": 1, "max_momentum": 22, "total_steps": 10}
    linear = S("OneCycleLR", **cycle, anneal_strategy="linear")
    three = S("OneCycleLR", **{**cycle, "final_div_factor": 4}, div_factor=25, anneal_strategy="linear", pct_start=0.4, three_phase=True)
    yield case("onecycle_lr_linear_annealing", zero_momentum, linear, 11, momentum=True)
    yield case("onecycle_lr_linear_annealing_three_phases", zero_momentum, three, 11, momentum=True)
    yield case("onecycle_lr_cosine_annealing", zero_momentum, S("OneCycleLR", **cycle), 11, momentum=True)
    yield case("cycle_lr_with_adam", ADAM, linear, 9, momentum=True)
    yield case("cosine_then_cyclic", O(lrs=(0.5,)), [S("CosineAnnealingLR", T_max=20, eta_min=0.1), S("CyclicLR", base_lr=0.1, max_lr=0.3, step_size_up=1, step_size_down=3)], 40, active=[[0] if i <= 20 else [1] for i in range(40)], momentum=True)

    for t_mult in (1, 2, 4):
        restarts = S("CosineAnnealingWarmRestarts", T_0=10, T_mult=t_mult, eta_min=1e-10)
        yield case(f"CosineAnnealingWarmRestarts_lr1_T_mult_{t_mult}", SGD, restarts, 99)
        tenths = [round(e.item(), 1) for e in torch.arange(0, 30, 0.1)]
        yield case(f"CosineAnnealingWarmRestarts_lr2_T_mult_{t_mult}", SGD, restarts, len(tenths), epochs=tenths)
    for t_mult, epochs in [
        (1, [0, 1, 2, 3, 4, 5, 12, 27, 3, 4, 5, 6, 13]),
        (2, [0, 1, 2, 3, 4, 5, 25, 32, 33, 34, 80, 81, 3]),
        (3, [0, 0.1, 0.2, 0.3, 1.3, 2.3, 17.5, 18.5, 19.5, 29.5, 30.5, 31.5, 50]),
    ]:
        restarts = S("CosineAnnealingWarmRestarts", T_0=10, T_mult=t_mult, eta_min=1e-10)
        yield case(f"CosineAnnealingWarmRestarts_lr3_T_mult_{t_mult}", SGD, restarts, len(epochs), epochs=epochs, saved=9, details=True, other=S("CosineAnnealingWarmRestarts", T_0=7))

    shrink = S("MultiplicativeLR", lr_lambda=Function("constant", 0.9))
    for name, first, swa, rounds in [
        ("no_anneal", [], S("SWALR", anneal_epochs=1, swa_lr=0.01), 10),
        ("cosine_anneal_after_multiplicative", [shrink], S("SWALR", anneal_epochs=5, swa_lr=0.01), 15),
        ("linear_anneal_after_multiplicative", [shrink], S("SWALR", anneal_epochs=4, anneal_strategy="linear", swa_lr=[0.01, 0.02]), 15),
    ]:
        active = [[len(first)] if i >= 5 else list(range(len(first))) for i in range(rounds)]
        yield case(f"swalr_{name}", SGD, [*first, swa], rounds, active=active)


def spec():
    """The sequences quoted in the description of behaviour: one group, lr 1."""
    for s, rounds, more in [
        (S("StepLR", step_size=2, gamma=0.5), 6, {}), (S("MultiStepLR", milestones=[2, 2, 4], gamma=0.5), 4, {}),
        (S("ConstantLR", factor=0.5, total_iters=3), 4, {}), (S("LinearLR", start_factor=0.25, end_factor=0.75, total_iters=3), 4, {}),
        (S("PolynomialLR", total_iters=4, power=2), 5, {}), (S("CosineAnnealingLR", T_max=3), 7, {}),
        (S("CosineAnnealingWarmRestarts", T_0=2, T_mult=2), 7, {}),
        (S("CyclicLR", base_lr=0.1, max_lr=0.5, step_size_up=2, step_size_down=3, mode="triangular2", cycle_momentum=False), 10, {}),
        (S("OneCycleLR", max_lr=1, total_steps=10, cycle_momentum=False), 11, {}),
        (S("SequentialLR", [S("ConstantLR", factor=0.1, total_iters=2), S("ExponentialLR", gamma=0.5)], milestones=[3]), 6, {}),
        (S("ChainedScheduler", [S("ConstantLR", factor=0.1, total_iters=2), S("ExponentialLR", gamma=0.5)]), 3, {}),
        (S("ReduceLROnPlateau", patience=1, cooldown=1, factor=0.5), 11, {"metrics": [1.0] * 6 + [float("nan")] + [0.5] * 4}),
    ]:  # fmt: skip
        yield case(f"quoted_{s.name}", ONE, s, rounds, **more)


def main():
    out = folder_to_write_to(__doc__)
    warnings.simplefilter("ignore")  # `caught` still sees those that belong to the data
    sections = {}
    for make in (classes, closed_forms, compositions, upstream, spec):
        sections[make.__name__] = [run(c) for c in make()]
    names = [row["name"] for rows in sections.values() for row in rows]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"cases named twice: {twice}"
    write(out, "schedulers.json.gz", {"texts": TEXTS}, sections)


if __name__ == "__main__":
    main()
