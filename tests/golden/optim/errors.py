#!/usr/bin/env python3
"""Writes errors.json: the exact texts of errors and warnings of torch 2.8.0's optimizers and schedulers.

    pip install torch==2.8.0 numpy
    python errors.py            # rewrites errors.json and VERSIONS
    python errors.py --out DIR  # the same file elsewhere

A row names what was done (`case`, with the options where there are some) and what came of it. README.md
describes the format and every `case`.
"""

import copy
import re
import sys
import warnings

import torch
from torch.optim import lr_scheduler, swa_utils
from torch.optim.optimizer import required as required_option

sys.dont_write_bytecode = True

from encoding import caught, encode, folder_to_write_to, pairs, write  # noqa: E402

NAN, INF = float("nan"), float("inf")
OPTIMIZERS = ["SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "Rprop", "ASGD", "LBFGS"]  # fmt: skip


def outcome(do):
    """What `do()` did: {"raises": {type, text}} or {"accepted": true}, with the warnings it gave."""
    with caught() as found:
        try:
            do()
            row = {"accepted": True}
        except Exception as e:
            text = str(e.args[0]) if isinstance(e, KeyError) else str(e)
            text = re.sub(r"0x[0-9a-f]{6,}", "0x..", text)
            row = {"raises": {"type": type(e).__name__, "text": text}}
    if found:
        row["warns"] = [{"type": kind, "text": text} for kind, text in found]
    return row


def tensor(*shape, **more):
    return torch.zeros(shape or (2,), requires_grad=True, **more)


ONE_TENSOR = object()


def make(optimizer, params=ONE_TENSOR, **options):
    return getattr(torch.optim, optimizer)([tensor()] if params is ONE_TENSOR else params, **options)


# ---------------------------------------------------------------------------------------------------------
# Options of constructors: every value is given as the only option, over one good parameter.

BOTH_LR = [{"lr": -1.0}, {"lr": -1}, {"lr": -0.0}, {"lr": 0.0}, {"lr": NAN}, {"lr": INF}, {"lr": torch.tensor([0.1, 0.2])}, {"lr": torch.tensor([0.1])}, {"lr": torch.tensor(0.1)}, {"lr": torch.tensor(-0.5)}]  # fmt: skip
DECAY = [{"weight_decay": -0.5}, {"weight_decay": -1}, {"weight_decay": NAN}, {"weight_decay": INF}]
EPS = [{"eps": -1e-8}, {"eps": NAN}, {"eps": 0.0}]
BETAS = [
    {"betas": (1.0, 0.999)}, {"betas": (-0.1, 0.999)}, {"betas": (NAN, 0.999)}, {"betas": (0.9, 1.0)}, {"betas": (0.9, -0.5)},
    {"betas": (0.9, NAN)}, {"betas": (1.0, 1.0)}, {"betas": (0.0, 0.0)}, {"betas": (0, 0.999)}, {"betas": (0.9, 0)}, {"betas": (0.9,)},
]  # fmt: skip
ORDER = [{"lr": -1.0, "eps": -1.0, "weight_decay": -1.0}, {"eps": -1.0, "betas": (2.0, 2.0)}]
FUSED = [{"fused": True, "foreach": True}, {"fused": True, "differentiable": True}]

OPTIONS = {
    "SGD": [*BOTH_LR, *DECAY, {"momentum": -0.9}, {"momentum": NAN}, {"momentum": 1.5}, {"dampening": -1.0}, {"nesterov": True}, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, {"nesterov": True, "momentum": 0.9}, {"nesterov": True, "momentum": 0.0}, {"lr": -1.0, "momentum": -1.0, "weight_decay": -1.0}, {"momentum": -1.0, "nesterov": True}, *FUSED],
    "Adam": [*BOTH_LR, *DECAY, *EPS, *BETAS, *ORDER, *FUSED, {"lr": torch.tensor(0.1), "foreach": True}],
    "AdamW": [*BOTH_LR, *DECAY, *EPS, *BETAS, *ORDER, *FUSED, {"lr": torch.tensor(0.1), "foreach": True}, {"decoupled_weight_decay": True}],
    "NAdam": [*BOTH_LR, *DECAY, *EPS, *BETAS, {"momentum_decay": -0.2}, {"momentum_decay": NAN}, *ORDER],
    "RAdam": [*BOTH_LR, *DECAY, *EPS, *BETAS, *ORDER],
    "Adamax": [*BOTH_LR, *DECAY, *EPS, *BETAS, *ORDER],
    "Adagrad": [*BOTH_LR, *DECAY, *EPS, {"lr_decay": -0.5}, {"lr_decay": NAN}, {"initial_accumulator_value": -0.1}, {"initial_accumulator_value": NAN}, {"lr_decay": -1.0, "weight_decay": -1.0, "initial_accumulator_value": -1.0, "eps": -1.0}, *FUSED],
    "Adadelta": [*BOTH_LR, *DECAY, *EPS, {"rho": -0.1}, {"rho": 1.1}, {"rho": 1.0}, {"rho": NAN}, {"rho": 2.0, "eps": -1.0}],
    "RMSprop": [*BOTH_LR, *DECAY, *EPS, {"momentum": -0.1}, {"momentum": NAN}, {"alpha": -0.1}, {"alpha": 1.5}, {"alpha": NAN}, {"eps": -1.0, "momentum": -1.0, "weight_decay": -1.0, "alpha": -1.0}, {"momentum": -1.0, "alpha": -1.0}, {"weight_decay": -1.0, "alpha": -1.0}],
    "Rprop": [*BOTH_LR, {"etas": (0.0, 1.2)}, {"etas": (1.0, 1.2)}, {"etas": (0.5, 1.0)}, {"etas": (1.0, 0.5)}, {"etas": (NAN, 1.2)}, {"etas": (0.5, NAN)}, {"etas": (-0.5, 1.2)}, {"step_sizes": (50.0, 1e-6)}, {"step_sizes": (-1.0, 50.0)}, {"weight_decay": 0.1}],
    "ASGD": [*BOTH_LR, *DECAY, {"lambd": -1.0}, {"alpha": -1.0}, {"t0": -1.0}],
    "LBFGS": [*BOTH_LR, {"max_iter": -1}, {"history_size": -1}, {"tolerance_grad": -1.0}, {"line_search_fn": "wolfe"}],
}  # fmt: skip


def constructor_options():
    for optimizer in OPTIMIZERS:
        for options in OPTIONS[optimizer]:
            row = {"optimizer": optimizer, "case": "options", "options": pairs(options)}
            yield {**row, **outcome(lambda: make(optimizer, **options))}


def constructor_params():
    """What is given as `params`; the same for every optimizer, LBFGS apart, which takes one group."""

    def cases():
        p, q, r = tensor(), tensor(3), tensor(4)
        leafless = p * 2
        kept = q * 2
        kept.retain_grad()
        yield "tensor", p
        yield "parameter", torch.nn.Parameter(torch.zeros(2))
        yield "parameter_f64", torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
        yield "empty_list", []
        yield "empty_generator", (x for x in [])
        yield "group_with_empty_list", [{"params": []}]
        yield "one_tensor_as_group", [{"params": p}]
        yield "generator", (x for x in [p, q])
        yield "set_at_top", {p, q}
        yield "set_in_group", [{"params": {p, q}}]
        yield "generator_in_group", [{"params": (x for x in [p, q])}]
        yield "map_at_top", {"params": [p]}
        yield "number", 3
        yield "none", None
        yield "group_without_params", [{"lr": 0.1}]
        yield "tensor_then_group", [p, {"params": [q]}]
        yield "group_then_tensor", [{"params": [p]}, q]
        yield "float_among_tensors", [p, 2.0]
        yield "string_among_tensors", [p, "q"]
        yield "none_among_tensors", [p, None]
        yield "float_in_group", [{"params": [p, 2.0]}]
        yield "non_leaf", [leafless]
        yield "non_leaf_that_retains_grad", [kept]
        yield "no_grad_required", [torch.zeros(2)]
        yield "integer_tensor", [torch.zeros(2, dtype=torch.int64)]
        yield "duplicate_in_group", [p, q, p]
        yield "duplicate_in_map_group", [{"params": [p, p]}]
        yield "duplicate_across_groups", [{"params": [p]}, {"params": [q, p]}]
        yield "duplicate_within_and_across_groups", [{"params": [p, p]}, {"params": [p]}]
        yield "named", [("p", p), ("q", q)]
        yield "named_first_only", [("p", p), q]
        yield "named_second_only", [p, ("q", q)]
        yield "named_in_group_partly", [{"params": [("p", p), q]}]
        yield "named_group_after_unnamed", [{"params": [p], "lr": 0.01}, {"params": [("q", q)]}]
        yield "unnamed_group_after_named", [{"params": [("p", p)]}, {"params": [q]}]
        yield "named_group_after_unnamed_with_duplicate", [{"params": [p]}, {"params": [("p", p)]}]
        yield "named_same_name_twice", [("p", p), ("p", q)]
        yield "two_groups", [{"params": [p]}, {"params": [q, r], "lr": 0.5}]
        yield "unknown_option_in_group", [{"params": [p], "nonsense": 1}]
        yield "bad_lr_in_group", [{"params": [p], "lr": -1.0}]

    for optimizer in OPTIMIZERS:
        for name, params in cases():
            yield {"optimizer": optimizer, "case": name, **outcome(lambda: make(optimizer, params))}
        row = {"optimizer": optimizer, "case": "empty_list_and_bad_lr"}
        yield {**row, **outcome(lambda: make(optimizer, [], lr=-1.0))}
        row = {"optimizer": optimizer, "case": "unknown_option"}
        yield {**row, **outcome(lambda: make(optimizer, nonsense=1))}


def all_step(opt):
    """One step in which every parameter has a gradient of ones."""
    for group in opt.param_groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p)
    opt.step(lambda: torch.tensor(1.0))


def add_param_group():
    def cases():
        p, q = tensor(), tensor(3)
        yield "list", [p], [q]
        yield "tensor", [p], q
        yield "no_params", [p], {"lr": 0.1}
        yield "params_none", [p], {"params": None}
        yield "params_tensor", [p], {"params": q}
        yield "params_set", [p], {"params": {q}}
        yield "params_float", [p], {"params": [1.5]}
        yield "params_empty", [p], {"params": []}
        yield "non_leaf", [p], {"params": [q * 2]}
        yield "duplicate_in_group", [p], {"params": [q, q]}
        yield "already_there", [p], {"params": [p]}
        yield "already_there_and_new", [p], {"params": [q, p]}
        yield "named_to_unnamed", [p], {"params": [("q", q)]}
        yield "unnamed_to_named", [("p", p)], {"params": [q]}
        yield "named_to_named", [("p", p)], {"params": [("q", q)]}
        yield "partly_named", [("p", p)], {"params": [("q", q), tensor(4)]}
        yield "already_there_named_to_unnamed", [p], {"params": [("p", p)]}
        yield "good", [p], {"params": [q], "lr": 0.5}

    for optimizer in OPTIMIZERS:
        for name, params, group in cases():
            opt = make(optimizer, params)
            row = {"optimizer": optimizer, "case": name, **outcome(lambda: opt.add_param_group(group))}
            row["groups_after"] = len(opt.param_groups)
            if name == "good":
                row["next_step"] = outcome(lambda: all_step(opt))
            yield row


def load_state_dict():
    """A state of one optimizer, edited, loaded into another of its class over [tensor, tensor] in one group."""

    def stepped(optimizer):
        params = [tensor(), tensor(3)]
        opt = make(optimizer, params)
        all_step(opt)
        return opt

    def without(key):
        def edit(d):
            del d[key]

        return edit

    def edit_group(change):
        return lambda d: change(d["param_groups"][0])

    def extra_group(d):
        d["param_groups"].append({**d["param_groups"][0], "params": [2]})

    edits = {
        "unedited": lambda d: None,
        "no_param_groups": without("param_groups"),
        "no_state": without("state"),
        "another_group": extra_group,
        "no_groups": lambda d: d["param_groups"].clear(),
        "one_parameter_too_few": edit_group(lambda g: g["params"].pop()),
        "one_parameter_too_many": edit_group(lambda g: g["params"].append(2)),
        "no_params_in_group": edit_group(lambda g: g.pop("params")),
        "group_without_lr": edit_group(lambda g: g.pop("lr")),
        "group_with_unknown_key": edit_group(lambda g: g.update(nonsense=1)),
        "state_of_unknown_id": lambda d: d["state"].update({99: {"step": 1}}),
        "empty_state": lambda d: d["state"].clear(),
    }
    for optimizer in OPTIMIZERS:
        for name, edit in edits.items():
            opt = make(optimizer, [tensor(), tensor(3)])
            before = copy.deepcopy(opt.state_dict())
            dictionary = copy.deepcopy(stepped(optimizer).state_dict())
            edit(dictionary)
            row = {"optimizer": optimizer, "case": name, **outcome(lambda: opt.load_state_dict(dictionary))}
            if "raises" in row:
                same = str(before) == str(opt.state_dict())
                row["optimizer_unchanged"] = same
            else:
                row["next_step"] = outcome(lambda: all_step(opt))
            yield row


def stepping():
    """Errors and warnings of `step`, of the hooks and of the methods of the base class."""

    def sparse(optimizer):
        p = tensor(3)
        opt = make(optimizer, [p])
        p.grad = torch.zeros(3).to_sparse()
        opt.step()

    for optimizer in OPTIMIZERS[:-1]:
        yield {"optimizer": optimizer, "case": "sparse_gradient", **outcome(lambda: sparse(optimizer))}

    def pre_hook(value):
        opt = make("SGD")
        opt.register_step_pre_hook(lambda *_: value)
        opt.step()

    for name, value in (("none", None), ("number", 1), ("one_tuple", ((),)), ("list", [(), {}])):
        yield {"optimizer": "SGD", "case": f"step_pre_hook_returns_{name}", **outcome(lambda: pre_hook(value))}
    yield {"optimizer": "Optimizer", "case": "base_step", **outcome(lambda: torch.optim.Optimizer([tensor()], {}).step())}
    required = {"lr": required_option}
    yield {"optimizer": "Optimizer", "case": "required_option_missing", **outcome(lambda: torch.optim.Optimizer([tensor()], required))}
    yield {"optimizer": "LBFGS", "case": "step_without_closure", **outcome(lambda: make("LBFGS").step())}
    yield {"optimizer": "LBFGS", "case": "step_with_none", **outcome(lambda: make("LBFGS").step(None))}

    def grown():
        opt = make("LBFGS")
        opt.add_param_group({"params": [tensor()]})
        opt.step(lambda: torch.tensor(1.0))

    yield {"optimizer": "LBFGS", "case": "step_after_add_param_group", **outcome(grown)}


def reprs():
    """`repr` of every optimizer over two groups, the second with its own lr and an extra key."""
    for optimizer in OPTIMIZERS:
        groups = [{"params": [tensor()]}]
        if optimizer != "LBFGS":
            groups.append({"params": [tensor()], "lr": 0.5, "initial_lr": 0.25})
        opt = make(optimizer, groups)
        defaults = pairs(opt.defaults)
        yield {"optimizer": optimizer, "repr": repr(opt), "defaults": defaults, "keys": [list(g) for g in opt.param_groups]}


# ---------------------------------------------------------------------------------------------------------
# Schedulers


def two_groups(optimizer="SGD", **options):
    return make(optimizer, [{"params": [tensor()], "lr": 0.05}, {"params": [tensor()], "lr": 0.5}], **options)


SCHEDULERS = {
    "LambdaLR": {"lr_lambda": lambda e: 1.0}, "MultiplicativeLR": {"lr_lambda": lambda e: 1.0}, "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [3]}, "ConstantLR": {}, "LinearLR": {}, "ExponentialLR": {"gamma": 0.9}, "PolynomialLR": {},
    "CosineAnnealingLR": {"T_max": 5}, "CosineAnnealingWarmRestarts": {"T_0": 5}, "CyclicLR": {"base_lr": 0.1, "max_lr": 0.2},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 10}, "ReduceLROnPlateau": {}, "SWALR": {"swa_lr": 0.1},
}  # fmt: skip
LRS3 = [0.1, 0.2, 0.3]
BAD = {
    "ConstantLR": [{"factor": 1.5}, {"factor": -0.1}, {"factor": NAN}, {"factor": 1.0}, {"factor": 0.0}, {"total_iters": -1}],
    "LinearLR": [{"start_factor": 0.0}, {"start_factor": 1.1}, {"start_factor": -1.0}, {"end_factor": 1.5}, {"end_factor": -0.1}, {"end_factor": 0.0}, {"start_factor": 0.0, "end_factor": 2.0}, {"total_iters": 0}],
    "StepLR": [{"step_size": 0}, {"step_size": -1}, {"gamma": -1.0}],
    "ExponentialLR": [{"gamma": -1.0}],
    "PolynomialLR": [{"total_iters": 0}],
    "CosineAnnealingLR": [{"T_max": 0}, {"T_max": -1}],
    "CosineAnnealingWarmRestarts": [{"T_0": 0}, {"T_0": -3}, {"T_0": 2.5}, {"T_0": 2.0}, {"T_mult": 0}, {"T_mult": 1.5}, {"T_mult": -1}, {"eta_min": "small"}, {"T_0": 0, "T_mult": 0}],
    "CyclicLR": [{"mode": "CATS"}, {"base_lr": LRS3}, {"max_lr": LRS3}, {"base_momentum": LRS3}, {"max_momentum": [0.9]}, {"step_size_up": 0}],
    "OneCycleLR": [{"total_steps": None}, {"total_steps": 0}, {"total_steps": -5}, {"total_steps": 2.5}, {"total_steps": None, "epochs": 3}, {"total_steps": None, "steps_per_epoch": 3}, {"total_steps": None, "epochs": 0, "steps_per_epoch": 3}, {"total_steps": None, "epochs": 3, "steps_per_epoch": -1}, {"total_steps": None, "epochs": 1.5, "steps_per_epoch": 3}, {"total_steps": None, "epochs": 3, "steps_per_epoch": 1.5}, {"pct_start": 1.1}, {"pct_start": -0.1}, {"pct_start": 1}, {"pct_start": 0}, {"pct_start": 0.0}, {"pct_start": 1.0}, {"anneal_strategy": "CATS"}, {"max_lr": LRS3}, {"max_momentum": LRS3}, {"base_momentum": LRS3}, {"pct_start": 0.1}],
    "ReduceLROnPlateau": [{"factor": 1.0}, {"factor": 1.5}, {"factor": NAN}, {"mode": "middle"}, {"threshold_mode": "maybe"}, {"min_lr": LRS3}, {"min_lr": [0.1]}, {"patience": -1}, {"mode": "middle", "threshold_mode": "maybe"}],
    "SWALR": [{"anneal_strategy": "exponential"}, {"anneal_epochs": -1}, {"anneal_epochs": 1.7}, {"anneal_epochs": 0}, {"swa_lr": LRS3}, {"swa_lr": [1.0, 0.1]}],
}  # fmt: skip


def scheduler_class(name):
    return getattr(swa_utils if name == "SWALR" else lr_scheduler, name)


def scheduler_constructors():
    for name, good in SCHEDULERS.items():
        for case, value in (("optimizer_is_a_number", 3), ("optimizer_is_none", None)):
            yield {"scheduler": name, "case": case, **outcome(lambda: scheduler_class(name)(value, **good))}
        if name != "ReduceLROnPlateau":
            row = {"scheduler": name, "case": "last_epoch_without_initial_lr"}
            yield {**row, **outcome(lambda: scheduler_class(name)(two_groups(), **good, last_epoch=4))}

            def second_group_lacks_it():
                opt = two_groups()
                opt.param_groups[0]["initial_lr"] = 0.1
                scheduler_class(name)(opt, **good, last_epoch=4)

            row = {"scheduler": name, "case": "last_epoch_without_initial_lr_of_the_second_group"}
            yield {**row, **outcome(second_group_lacks_it)}
        for options in BAD.get(name, []):
            row = {"scheduler": name, "case": "options", "options": pairs({**good, **options})}
            yield {**row, **outcome(lambda: scheduler_class(name)(two_groups(), **{**good, **options}))}
    for name in ("CyclicLR", "OneCycleLR"):
        for optimizer in OPTIMIZERS:
            for cycle_momentum in (True, False):

                def build():
                    opt = make(optimizer)
                    scheduler_class(name)(opt, **SCHEDULERS[name], cycle_momentum=cycle_momentum)

                row = {"scheduler": name, "case": "cycle_momentum", "optimizer": optimizer, "options": pairs({"cycle_momentum": cycle_momentum})}
                yield {**row, **outcome(build)}
    for name in ("LambdaLR", "MultiplicativeLR"):
        kind = scheduler_class(name)
        one = [lambda e: 1.0]
        yield {"scheduler": name, "case": "one_function_for_two_groups", **outcome(lambda: kind(two_groups(), one))}
        yield {"scheduler": name, "case": "three_functions_for_two_groups", **outcome(lambda: kind(two_groups(), one * 3))}
        yield {"scheduler": name, "case": "number_for_a_function", **outcome(lambda: kind(two_groups(), 0.95))}
        yield {"scheduler": name, "case": "number_in_a_list", **outcome(lambda: kind(two_groups(), [one[0], 0.95]))}


def compositions():
    def exponential(opt):
        return lr_scheduler.ExponentialLR(opt, gamma=0.9)

    def sequential(schedulers, milestones):
        opt = two_groups()
        return lr_scheduler.SequentialLR(opt, [s(opt) for s in schedulers], milestones)

    def of_another(opt):
        return exponential(two_groups("Adam"))

    plateau = lr_scheduler.ReduceLROnPlateau
    rows = {
        "none": lambda: sequential([], []),
        "plateau_first": lambda: sequential([plateau, exponential], [2]),
        "plateau_second": lambda: sequential([exponential, plateau], [2]),
        "another_optimizer": lambda: sequential([exponential, of_another], [2]),
        "too_few_milestones": lambda: sequential([exponential, exponential], []),
        "too_many_milestones": lambda: sequential([exponential, exponential], [1, 2]),
        "not_a_scheduler": lambda: sequential([exponential, lambda opt: 3], [2]),
        "falling_milestones": lambda: sequential([exponential] * 3, [4, 2]),
        "plateau_and_bad_milestones": lambda: sequential([exponential, plateau], []),
    }
    for name, do in rows.items():
        yield {"scheduler": "SequentialLR", "case": name, **outcome(do)}

    def chained(*schedulers):
        opt = two_groups()
        return lr_scheduler.ChainedScheduler([s(opt) for s in schedulers])

    def chained_over_another():
        return lr_scheduler.ChainedScheduler([exponential(two_groups())], optimizer=two_groups("Adam"))

    rows = {
        "none": lambda: chained(),
        "plateau_first": lambda: chained(plateau, exponential),
        "plateau_second": lambda: chained(exponential, plateau),
        "another_optimizer": lambda: chained(exponential, of_another),
        "optimizer_argument_differs": chained_over_another,
        "not_a_scheduler": lambda: chained(exponential, lambda opt: 3),
    }
    for name, do in rows.items():
        yield {"scheduler": "ChainedScheduler", "case": name, **outcome(do)}


def scheduler_steps():
    """Warnings and errors after construction; `calls` is what was done, `o` for opt.step(), `s` for scheduler.step()."""

    def rows():
        for name, good in SCHEDULERS.items():
            argument = (1.0,) if name == "ReduceLROnPlateau" else ()
            for calls in ("ss", "os", "so", "sos"):

                def do():
                    opt = two_groups(momentum=0.9)
                    scheduler = scheduler_class(name)(opt, **good)
                    for call in calls:
                        opt.step() if call == "o" else scheduler.step(*argument)

                yield name, calls, do

    for name, calls, do in rows():
        yield {"scheduler": name, "case": "order_of_steps", "calls": calls, **outcome(do)}
    for name, good in SCHEDULERS.items():
        if name == "ReduceLROnPlateau":
            continue

        def overridden():
            opt = two_groups(momentum=0.9)
            scheduler = scheduler_class(name)(opt, **good)
            opt.step = lambda: None
            opt.step()
            scheduler.step()
            scheduler.step()

        yield {"scheduler": name, "case": "optimizer_step_overridden", "calls": "oss", **outcome(overridden)}

        def resumed():
            opt = two_groups(momentum=0.9)
            for group in opt.param_groups:
                group.update(initial_lr=0.1, max_lr=0.2, min_lr=0.01, max_momentum=0.9, base_momentum=0.8)
            scheduler = scheduler_class(name)(opt, **good, last_epoch=4)
            scheduler.step()

        yield {"scheduler": name, "case": "resumed_with_last_epoch_4", "calls": "s", **outcome(resumed)}

        def asked():
            scheduler_class(name)(two_groups(momentum=0.9), **good).get_lr()

        yield {"scheduler": name, "case": "get_lr_by_the_user", **outcome(asked)}

        def with_epoch(epoch):
            opt = two_groups(momentum=0.9)
            scheduler = scheduler_class(name)(opt, **good)
            opt.step()
            scheduler.step(epoch)

        yield {"scheduler": name, "case": "step_epoch_2", **outcome(lambda: with_epoch(2))}
        yield {"scheduler": name, "case": "step_epoch_minus_1", **outcome(lambda: with_epoch(-1))}

    def plateau(*argument, **options):
        scheduler = lr_scheduler.ReduceLROnPlateau(two_groups(), **options)
        scheduler.step(*argument)

    name = "ReduceLROnPlateau"
    yield {"scheduler": name, "case": "step_without_metrics", **outcome(lambda: plateau())}
    yield {"scheduler": name, "case": "step_with_none", **outcome(lambda: plateau(None))}
    yield {"scheduler": name, "case": "step_with_a_tensor", **outcome(lambda: plateau(torch.tensor(1.0)))}
    yield {"scheduler": name, "case": "step_with_epoch", **outcome(lambda: plateau(1.0, 3))}

    def grown(min_lr):
        opt = two_groups()
        scheduler = lr_scheduler.ReduceLROnPlateau(opt, patience=0, min_lr=min_lr)
        opt.add_param_group({"params": [tensor()], "lr": 0.05})
        scheduler.step(1.0)
        scheduler.step(1.3)

    yield {"scheduler": name, "case": "group_added_with_min_lr_list", **outcome(lambda: grown([1e-5, 1e-4]))}
    yield {"scheduler": name, "case": "group_added_with_min_lr_number", **outcome(lambda: grown(0))}

    def one_cycle():
        opt = two_groups(momentum=0.9)
        scheduler = lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=10)
        for _ in range(11):
            opt.step()
            scheduler.step()

    yield {"scheduler": "OneCycleLR", "case": "eleven_steps_of_ten", **outcome(one_cycle)}


def main():
    out = folder_to_write_to(__doc__)
    warnings.simplefilter("ignore")  # `caught` still sees those that belong to the data
    parts = (
        constructor_options,
        constructor_params,
        add_param_group,
        load_state_dict,
        stepping,
        reprs,
        scheduler_constructors,
        compositions,
        scheduler_steps,
    )
    sections = {make_rows.__name__: list(make_rows()) for make_rows in parts}
    texts = shared_texts(sections)
    write(out, "errors.json", {"texts": texts}, sections)


def shared_texts(sections):
    """Texts of more than 60 characters that occur more than once are replaced by {"shared": index}."""
    places = {}
    for rows in sections.values():
        for row in rows:
            for part in (row, row.get("next_step", {})):
                for event in [part[k] for k in ("raises",) if k in part] + part.get("warns", []):
                    places.setdefault(event["text"], []).append(event)
    texts = [text for text, events in places.items() if len(text) > 60 and len(events) > 1]
    for index, text in enumerate(texts):
        for event in places[text]:
            event["text"] = {"shared": index}
    return texts


if __name__ == "__main__":
    main()
