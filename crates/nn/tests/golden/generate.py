#!/usr/bin/env python3
"""Writes the golden data of this crate's tests: what torch 2.8.0 itself computes.

    pip install torch==2.8.0
    python crates/nn/tests/golden/generate.py     # rewrites losses.json.gz and init.json.gz beside it

Every float is a C99 hex string (`float.hex()`), so a file holds the exact bits.

losses.json.gz one case per line: name, whether the point is smooth (finite differences make sense there), inputs,
              the loss, and the gradients of sum(loss * [1, 1.25, 1.5, ..]) with respect to the inputs that are
              marked "learned"
init.json.gz  one case per line: name, seed, dtype, shape, and the bits of the tensor as hex integers; for shapes
              of many elements their fold h = h * 31 + bits (mod 2^64) instead
"""

import gzip
import json
import math
import pathlib
import re
import struct

import torch
import torch.nn.functional as F

torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
SHORT = {torch.float32: "f32", torch.float64: "f64", torch.int64: "i64"}
INF, NAN = math.inf, math.nan


def hexadecimal(value):
    """`float.hex()` without the zeros that end the digits."""
    return re.sub(r"\.?0+p", "p", value.hex()) if math.isfinite(value) and value != 0 else value.hex()


def numbers(tensor):
    values = tensor.detach().reshape(-1).tolist()
    return values if tensor.dtype == torch.int64 else [hexadecimal(v) for v in values]


def described(tensor):
    return {"dtype": SHORT[tensor.dtype], "shape": list(tensor.shape), "values": numbers(tensor)}


class Draw:
    """Numbers on a grid of 1/64, so that f32 and f64 start from the same ones."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.generator = torch.Generator().manual_seed(2026)

    def __call__(self, *shape, low=-2.0, high=2.0, learned=True):
        span = int((high - low) * 64)
        grid = torch.randint(1, span, shape, generator=self.generator).to(self.dtype)
        return (low + grid / 64).requires_grad_(learned)

    def given(self, values, learned=True):
        return torch.tensor(values, dtype=self.dtype).requires_grad_(learned)

    def classes(self, count, *shape):
        return torch.randint(0, count, shape, generator=self.generator)

    def marks(self, *shape):
        return (torch.randint(0, 2, shape, generator=self.generator) * 2 - 1).to(self.dtype)


def pairs(d):
    """Losses of a prediction and a target of one shape."""
    x, t = d(3, 4), d(3, 4)
    named = {"mse_loss": F.mse_loss, "l1_loss": F.l1_loss, "smooth_l1_loss": F.smooth_l1_loss, "huber_loss": F.huber_loss}
    for name, loss in named.items():
        for reduction in ["mean", "sum", "none"]:
            yield f"{name}/{reduction}", True, (x, t), lambda x, t: loss(x, t, reduction=reduction)
        yield f"{name}/mean", True, (d(), d()), loss
        yield f"{name}/none", False, (d(0, 2), d(0, 2)), lambda x, t: loss(x, t, reduction="none")
        yield f"{name}/mean", False, (d(0, 2), d(0, 2)), loss
        special = d.given([0.0, 1.0, -1.0, 1.5, -0.5, INF, -INF, NAN, 0.5])
        yield f"{name}/none", False, (special, d.given([0.0] * 9)), lambda x, t: loss(x, t, reduction="none")
    for beta in [0.0, 0.5, 0.75]:
        call = lambda x, t: F.smooth_l1_loss(x, t, beta=beta, reduction="none")
        yield f"smooth_l1_loss/beta {beta}", True, (x, t), call
        special = d.given([0.0, beta, -beta, 4.0, NAN])
        yield f"smooth_l1_loss/beta {beta}", False, (special, d.given([0.0] * 5)), call
    for delta in [0.5, 1.75]:
        call = lambda x, t: F.huber_loss(x, t, delta=delta, reduction="none")
        yield f"huber_loss/delta {delta}", True, (x, t), call
        yield f"huber_loss/delta {delta}", False, (d.given([0.0, delta, -delta, INF]), d.given([0.0] * 4)), call


def binary(d):
    p, t = d(3, 4, low=0.0, high=1.0), d(3, 4, low=0.0, high=1.0)
    w, row = d(3, 4, low=0.0, learned=False), d(4, low=0.5, learned=False)
    for reduction in ["mean", "sum", "none"]:
        yield f"binary_cross_entropy/{reduction}", True, (p, t), lambda p, t: F.binary_cross_entropy(
            p, t, reduction=reduction
        )
    weighted = lambda p, t, w: F.binary_cross_entropy(p, t, weight=w)
    yield "binary_cross_entropy/weight", True, (p, t, w), weighted
    yield "binary_cross_entropy/weight", True, (p, t, row), weighted
    ends = d.given([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1e-13, 1e-30, 0.5])
    targets = d.given([0.0, 1.0, 0.25, 0.0, 1.0, 0.25, 0.5, 1.0, 0.5])
    yield "binary_cross_entropy/none", False, (ends, targets), lambda p, t: F.binary_cross_entropy(
        p, t, reduction="none"
    )
    yield "binary_cross_entropy/mean", False, (d(0), d(0)), F.binary_cross_entropy

    x = d(3, 4, low=-5.0, high=5.0)
    name = "binary_cross_entropy_with_logits"
    for reduction in ["mean", "sum", "none"]:
        yield f"{name}/{reduction}", True, (x, t), lambda x, t: F.binary_cross_entropy_with_logits(
            x, t, reduction=reduction
        )
    yield f"{name}/weight", True, (x, t, row), lambda x, t, w: F.binary_cross_entropy_with_logits(x, t, weight=w)
    yield f"{name}/pos_weight", True, (x, t, row), lambda x, t, w: F.binary_cross_entropy_with_logits(
        x, t, pos_weight=w
    )
    yield f"{name}/both", True, (x, t, w, row), lambda x, t, w, r: F.binary_cross_entropy_with_logits(
        x, t, weight=w, pos_weight=r, reduction="sum"
    )
    far = d.given([0.0, 800.0, -800.0, 800.0, INF, -INF, NAN])
    yield f"{name}/none", False, (far, d.given([0.5, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])), lambda x, t: (
        F.binary_cross_entropy_with_logits(x, t, reduction="none")
    )


def classes(d):
    shapes = [((5, 4), (5,)), ((4,), ()), ((2, 4, 3), (2, 3)), ((2, 4, 2, 2), (2, 2, 2))]
    weight = d(4, low=0.5, learned=False)
    for shape, rows in shapes:
        x, t = d(*shape), d.classes(4, *rows)
        for name, loss in [("cross_entropy", F.cross_entropy), ("nll_loss", F.nll_loss)]:
            for reduction in ["mean", "sum", "none"]:
                yield f"{name}/{reduction}", True, (x, t), lambda x, t: loss(x, t, reduction=reduction)
                yield f"{name}/weight {reduction}", True, (x, t, weight), lambda x, t, w: loss(
                    x, t, weight=w, reduction=reduction
                )
        for reduction in ["mean", "sum", "none"]:
            yield f"cross_entropy/smoothing {reduction}", True, (x, t), lambda x, t: F.cross_entropy(
                x, t, label_smoothing=0.2, reduction=reduction
            )
            yield f"cross_entropy/weight smoothing {reduction}", True, (x, t, weight), lambda x, t, w: F.cross_entropy(
                x, t, weight=w, label_smoothing=0.2, reduction=reduction
            )
        p = d(*shape, low=0.0, high=1.0)
        for reduction in ["mean", "sum", "none"]:
            yield f"cross_entropy/{reduction}", True, (x, p), lambda x, t: F.cross_entropy(x, t, reduction=reduction)
            yield f"cross_entropy/weight smoothing {reduction}", True, (x, p, weight), lambda x, t, w: F.cross_entropy(
                x, t, weight=w, label_smoothing=0.2, reduction=reduction
            )
    x, t = d(5, 4), torch.tensor([3, 1, 0, 1, 2])
    for name, loss in [("cross_entropy", F.cross_entropy), ("nll_loss", F.nll_loss)]:
        for reduction in ["mean", "sum", "none"]:
            yield f"{name}/ignore 1 {reduction}", True, (x, t, weight), lambda x, t, w: loss(
                x, t, weight=w, ignore_index=1, reduction=reduction
            )
        yield f"{name}/ignore 1", True, (x, t), lambda x, t: loss(x, t, ignore_index=1)
        all_ignored = torch.tensor([1, 1])
        yield f"{name}/ignore 1", False, (d(2, 4), all_ignored), lambda x, t: loss(x, t, ignore_index=1)
        yield f"{name}/mean", False, (d(0, 4), torch.zeros(0, dtype=torch.int64)), loss
        yield f"{name}/weight mean", False, (d(0, 4), torch.zeros(0, dtype=torch.int64), weight), lambda x, t, w: loss(
            x, t, weight=w
        )
    for reduction in ["mean", "sum", "none"]:
        t = torch.tensor([3, -100, 0, -100, 2])
        yield f"cross_entropy/weight smoothing {reduction}", True, (x, t, weight), lambda x, t, w: F.cross_entropy(
            x, t, weight=w, label_smoothing=0.2, reduction=reduction
        )
        yield f"cross_entropy/smoothing {reduction}", True, (x, t), lambda x, t: F.cross_entropy(
            x, t, label_smoothing=0.2, reduction=reduction
        )
    far = d.given([[1000.0, 0.0, -1000.0], [-INF, 0.0, 1.0]])
    yield "cross_entropy/none", False, (far, torch.tensor([1, 1])), lambda x, t: F.cross_entropy(x, t, reduction="none")


def likelihoods(d):
    x, p = d(3, 4, low=-4.0, high=0.0), d(3, 4, low=0.0, high=1.0)
    for reduction in ["mean", "sum", "none", "batchmean"]:
        yield f"kl_div/{reduction}", True, (x, p), lambda x, t: F.kl_div(x, t, reduction=reduction)
        yield f"kl_div/log_target {reduction}", True, (x, d(3, 4, low=-4.0, high=0.0)), lambda x, t: F.kl_div(
            x, t, reduction=reduction, log_target=True
        )
    yield "kl_div/none", False, (d.given([-1.0, -INF, -2.0, -1.0]), d.given([0.0, 0.5, 1.0, NAN])), lambda x, t: F.kl_div(
        x, t, reduction="none"
    )

    m, t = d(3, 4), d(3, 4)
    for shape in [(3, 4), (3,), (3, 1)]:
        v = d(*shape, low=0.25)
        for reduction in ["mean", "sum", "none"]:
            yield f"gaussian_nll_loss/{reduction}", True, (m, t, v), lambda m, t, v: F.gaussian_nll_loss(
                m, t, v, reduction=reduction
            )
    yield "gaussian_nll_loss/full", False, (m, t, v), lambda m, t, v: F.gaussian_nll_loss(m, t, v, full=True, eps=0.5)
    small = d.given([0.0, 1e-9, 1e-6, 1.0])
    yield "gaussian_nll_loss/none", False, (d(4), d(4), small), lambda m, t, v: F.gaussian_nll_loss(
        m, t, v, reduction="none"
    )

    counts = d.given([[0.0, 1.0, 2.0], [3.0, 7.0, 0.5]], learned=False)
    log_rate, rate = d(2, 3), d(2, 3, low=0.25)
    for reduction in ["mean", "sum", "none"]:
        yield f"poisson_nll_loss/{reduction}", True, (log_rate, counts), lambda x, t: F.poisson_nll_loss(
            x, t, reduction=reduction
        )
        yield f"poisson_nll_loss/full {reduction}", True, (log_rate, counts), lambda x, t: F.poisson_nll_loss(
            x, t, full=True, reduction=reduction
        )
        yield f"poisson_nll_loss/rate {reduction}", True, (rate, counts), lambda x, t: F.poisson_nll_loss(
            x, t, log_input=False, eps=1e-3, reduction=reduction
        )


def margins(d):
    x, marks = d(3, 4), d.marks(3, 4)
    for reduction in ["mean", "sum", "none"]:
        yield f"hinge_embedding_loss/{reduction}", True, (x, marks), lambda x, t: F.hinge_embedding_loss(
            x, t, reduction=reduction
        )
        yield f"soft_margin_loss/{reduction}", True, (x, marks), lambda x, t: F.soft_margin_loss(
            x, t, reduction=reduction
        )
    yield "hinge_embedding_loss/margin 0.3", True, (x, marks), lambda x, t: F.hinge_embedding_loss(x, t, margin=0.3)
    yield "hinge_embedding_loss/none", False, (d.given([1.0, 1.0, 2.0, NAN, INF, 0.5]), d.given(
        [1.0, -1.0, -1.0, -1.0, -1.0, 0.0], learned=False
    )), lambda x, t: F.hinge_embedding_loss(x, t, reduction="none")

    for rows in [(5,), ()]:
        a, b, marks = d(*rows, 3), d(*rows, 3), d.marks(*rows)
        for reduction in ["mean", "sum", "none"]:
            yield f"cosine_embedding_loss/{reduction}", True, (a, b, marks), lambda a, b, t: F.cosine_embedding_loss(
                a, b, t, reduction=reduction
            )
        yield "cosine_embedding_loss/margin 0.3", True, (a, b, marks), lambda a, b, t: F.cosine_embedding_loss(
            a, b, t, margin=0.3
        )
    zero = d.given([[0.0, 0.0], [1.0, 0.0]])
    yield "cosine_embedding_loss/none", False, (zero, d(2, 2), d.given([1.0, -1.0], learned=False)), lambda a, b, t: (
        F.cosine_embedding_loss(a, b, t, reduction="none")
    )

    a, b, marks = d(3, 4), d(3, 4), d.marks(3, 4)
    for reduction in ["mean", "sum", "none"]:
        yield f"margin_ranking_loss/{reduction}", True, (a, b, marks), lambda a, b, t: F.margin_ranking_loss(
            a, b, t, reduction=reduction
        )
    yield "margin_ranking_loss/margin 0.3", True, (a, b, marks), lambda a, b, t: F.margin_ranking_loss(
        a, b, t, margin=0.3
    )
    same = d.given([1.0, 2.0])
    yield "margin_ranking_loss/none", False, (same, d.given([1.0, 2.0]), d.given([1.0, -1.0], learned=False)), (
        lambda a, b, t: F.margin_ranking_loss(a, b, t, reduction="none")
    )

    for shape in [(4, 3), (3,)]:
        three = d(*shape), d(*shape), d(*shape)
        for reduction in ["mean", "sum", "none"]:
            yield f"triplet_margin_loss/{reduction}", True, three, lambda a, p, n: F.triplet_margin_loss(
                a, p, n, reduction=reduction
            )
        for p in [1.0, 3.0, 1.5, INF]:
            yield f"triplet_margin_loss/p {p}", True, three, lambda a, b, n: F.triplet_margin_loss(
                a, b, n, p=p, margin=2.5, eps=1e-3
            )
        yield "triplet_margin_loss/swap", True, three, lambda a, p, n: F.triplet_margin_loss(
            a, p, n, swap=True, margin=3.0, reduction="none"
        )


def loss_case(name, smooth, inputs, function):
    output = function(*inputs)
    cotangent = 1 + torch.arange(output.numel(), dtype=output.dtype).reshape(output.shape) / 4
    learned = [x for x in inputs if x.requires_grad]
    gradients = torch.autograd.grad((output * cotangent).sum(), learned)
    described_inputs = [{**described(x), "learned": x.requires_grad} for x in inputs]
    return {
        "name": name,
        "smooth": smooth,
        "inputs": described_inputs,
        "loss": described(output),
        "gradients": [described(g) for g in gradients],
    }


def losses():
    for dtype in [torch.float64, torch.float32]:
        draw = Draw(dtype)
        for family in [pairs, binary, classes, likelihoods, margins]:
            for name, smooth, inputs, function in family(draw):
                # Single precision adds little to what the other reductions have shown.
                if dtype == torch.float64 or not smooth or not name.endswith(("sum", "none")):
                    yield loss_case(name, smooth, inputs, function)


def bits(tensor):
    form = "<f" if tensor.dtype == torch.float32 else "<d"
    values = [int.from_bytes(struct.pack(form, v), "little") for v in tensor.reshape(-1).tolist()]
    if len(values) <= 12:
        return {"bits": [f"{v:x}" for v in values]}
    folded = 0
    for value in values:
        folded = (folded * 31 + value) % 2**64
    return {"fold": f"{folded:x}"}


def inits():
    init = torch.nn.init
    drawn = {
        "uniform": lambda w: init.uniform_(w, -0.3, 0.7),
        "normal": lambda w: init.normal_(w, 0.5, 0.25),
        "xavier_uniform": init.xavier_uniform_,
        "xavier_uniform tanh": lambda w: init.xavier_uniform_(w, gain=init.calculate_gain("tanh")),
        "xavier_normal": init.xavier_normal_,
        "xavier_normal selu": lambda w: init.xavier_normal_(w, gain=init.calculate_gain("selu")),
        "kaiming_uniform 0": init.kaiming_uniform_,
        "kaiming_uniform 0.3": lambda w: init.kaiming_uniform_(w, a=0.3),
        "kaiming_uniform out relu": lambda w: init.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu"),
        "kaiming_normal 0": init.kaiming_normal_,
        "kaiming_normal out tanh": lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="tanh"),
        "constant": lambda w: init.constant_(w, 0.1),
        "ones": init.ones_,
        "zeros": init.zeros_,
        "eye": init.eye_,
        "dirac 1": init.dirac_,
        "dirac 2": lambda w: init.dirac_(w, groups=2),
    }
    shapes = [(2, 3), (5, 7), (64, 33), (4, 2, 3), (4, 3, 2, 3), (2, 2, 2, 2, 3)]
    for name, function in drawn.items():
        for shape in shapes:
            if (name == "eye") != (len(shape) == 2) and name.split()[0] in ["eye", "dirac"]:
                continue
            for dtype in [torch.float32, torch.float64]:
                torch.manual_seed(7)
                tensor = function(torch.empty(shape, dtype=dtype))
                yield {"name": name, "seed": 7, "dtype": SHORT[dtype], "shape": list(shape), **bits(tensor)}


def truncated():
    for mean, std, a, b in [(0.0, 1.0, -2.0, 2.0), (0.1, 0.02, 0.09, 0.2), (0.0, 1.0, -6.0, 0.5)]:
        for dtype in [torch.float32, torch.float64]:
            torch.manual_seed(7)
            tensor = torch.nn.init.trunc_normal_(torch.empty(40, dtype=dtype), mean, std, a, b)
            arguments = [hexadecimal(v) for v in (mean, std, a, b)]
            yield {"name": "trunc_normal", "seed": 7, "arguments": arguments, **described(tensor)}


def write(name, cases):
    lines = ",\n".join(json.dumps(case) for case in cases)
    text = f'{{"torch": "{torch.__version__.split("+")[0]}", "cases": [\n{lines}\n]}}\n'
    (HERE / name).write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


if __name__ == "__main__":
    write("losses.json.gz", losses())
    write("init.json.gz", [*inits(), *truncated()])
