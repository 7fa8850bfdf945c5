#!/usr/bin/env python3
"""Writes clip_grad.json.gz beside it: what torch.nn.utils of torch 2.8.0 makes of gradients, on a CPU with AVX2.

    pip install torch==2.8.0
    python crates/nn/tests/golden/clip_grad.py

One case per line. A gradient is null (there is none), a tensor ("dtype", "shape", "values"), or noise:

seed, dtype, shape   the numbers of `noise` below, which the test computes as well, in row-major order
view                 what is done to them then: "t" (transposed), "columns" (every row but its last element),
                     "step" (every other row), "permuted" (dimensions 1, 2, 0), "cut" (permuted, without ends)

Then "function" with its arguments, and what came of it: "total" as a hex float, "error" as text, and of each
gradient the "fold" of its bits in row-major order, h = h * 31 + bits (mod 2^64), with all NaN taken for the same.
"""

import gzip
import json
import math
import struct

import torch
from generate import HERE, SHORT, described, hexadecimal
from torch.nn import utils

torch.set_num_threads(1)
INF, NAN = math.inf, math.nan
F32, F64 = torch.float32, torch.float64
ORDERS = [2.0, 1.0, 3.0, 0.5, -1.5, 0.0, INF, -INF]
VIEWS = {
    None: lambda x: x,
    "t": lambda x: x.t(),
    "columns": lambda x: x[:, :-1],
    "step": lambda x: x[::2],
    "permuted": lambda x: x.permute(1, 2, 0),
    "cut": lambda x: x.permute(1, 2, 0)[1:, :-1],
}


def noise(seed, count, dtype):
    """Signed numbers of 16 magnitudes, every bit of the significand in use."""
    state, values = seed, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        bits = 24 if dtype == F32 else 53
        significand = (state >> (64 - bits)) - 2 ** (bits - 1)
        values.append(math.ldexp(significand, ((state >> 4) & 15) - bits - 6))
    return values


def gradient(spec):
    if spec is None:
        return None
    if isinstance(spec, torch.Tensor):
        return spec.clone()
    seed, dtype, shape, view = spec
    return VIEWS[view](torch.tensor(noise(seed, math.prod(shape), dtype), dtype=dtype).reshape(shape))


def specified(spec):
    if spec is None:
        return None
    if isinstance(spec, torch.Tensor):
        return described(spec)
    seed, dtype, shape, view = spec
    return {"seed": seed, "dtype": SHORT[dtype], "shape": list(shape), "view": view}


def fold(tensor):
    h = 0
    for value in tensor.contiguous().reshape(-1).tolist():
        packed = struct.pack("<f" if tensor.dtype == F32 else "<d", NAN if math.isnan(value) else value)
        h = (h * 31 + int.from_bytes(packed, "little")) % 2**64
    return f"{h:016x}"


def parameters(specs):
    made = []
    for spec in specs:
        grad = gradient(spec)
        made.append(torch.zeros(3) if grad is None else torch.zeros(grad.shape, dtype=grad.dtype))
        made[-1].grad = grad
    return made


def outcome(params):
    return {"folds": [None if p.grad is None else fold(p.grad) for p in params]}


def clip_norm(specs, max_norm, norm_type=2.0, error_if_nonfinite=False):
    params, result = parameters(specs), {}
    try:
        total = utils.clip_grad_norm_(params, max_norm, norm_type, error_if_nonfinite)
        result = {"total": hexadecimal(total.item()), "total_dtype": SHORT[total.dtype]}
    except RuntimeError as error:
        result = {"error": str(error)}
    return {
        "function": "clip_grad_norm_",
        "gradients": [specified(spec) for spec in specs],
        "max_norm": hexadecimal(float(max_norm)),
        "norm_type": hexadecimal(norm_type),
        "error_if_nonfinite": error_if_nonfinite,
        **result,
        **outcome(params),
    }


def clip_value(specs, value):
    params = parameters(specs)
    utils.clip_grad_value_(params, value)
    return {
        "function": "clip_grad_value_",
        "gradients": [specified(spec) for spec in specs],
        "clip_value": hexadecimal(float(value)),
        **outcome(params),
    }


def lengths():
    for dtype in [F32, F64]:
        for count in range(1, 41):
            for trial in range(4):
                yield clip_norm([(97 * count + trial, dtype, (count,), None)], 0.01 * (trial + 1))
        for count in [64, 100, 1000, 4097, 5000]:
            for order in ORDERS:
                yield clip_norm([(count, dtype, (count,), None)], 0.3, order)


def orders():
    for dtype in [F32, F64]:
        for order in ORDERS:
            for seed in range(4):
                shapes = [(1,), (7,), (), (8,), (3, 11), (10, 10)][seed // 2 :]
                specs = [(1000 * seed + i, dtype, shape, None) for i, shape in enumerate(shapes)]
                yield clip_norm([None, *specs, None], 0.05 * (seed + 1), order)
                yield clip_norm(specs[:1], 0.05 * (seed + 1), order)


def layouts():
    for dtype in [F32, F64]:
        for order in ORDERS:
            for seed, (shape, view) in enumerate([
                ((7, 9), "t"),
                ((7, 9), "columns"),
                ((7, 9), "step"),
                ((3, 4, 5), "permuted"),
                ((3, 4, 5), "cut"),
            ]):
                yield clip_norm([(seed + 50, dtype, shape, view), (seed + 60, dtype, (9,), None)], 0.2, order)
        yield clip_value([(70, dtype, (3, 4, 5), "cut"), (71, dtype, (7, 9), "t")], 2.0**-9)


def mixed():
    for order in [2.0, 1.0, 3.0]:
        for seed in range(6):
            dtypes = [[F32, F64], [F64, F32], [F32, F64, F32, F32, F64], [F64, F32, F64, F64, F64, F32]][seed % 4]
            specs = [(200 + 10 * seed + i, dtype, (5 + i,), None) for i, dtype in enumerate(dtypes)]
            yield clip_norm(specs, 0.1, order)
    yield clip_value(specs, 0.01)


def special():
    for dtype in [F32, F64]:
        given = lambda *values: torch.tensor(values, dtype=dtype)
        for order in ORDERS:
            for values in [(NAN, 1.0), (INF, 1.0, -2.0), (-INF, INF), (0.0, -0.0), (0.0,), (NAN,), (3.0, 4.0)]:
                for strict in [False, True]:
                    yield clip_norm([given(*values), given(1.0, 2.0)], 1.0, order, strict)
                yield clip_norm([given(*values)], 1.0, order)
        for max_norm in [5.0, 0.0, -1.0, INF, NAN, 1e-30, 4.9999999]:
            yield clip_norm([given(3.0, 4.0)], max_norm)
        yield clip_norm([given(1e30, -1e30)], 1.0)
        yield clip_norm([given(1e-30, -1e-30)], 1.0)
        for order in [2.0, 1.0, 0.0, 3.0]:
            yield clip_norm([torch.zeros(0, 3, dtype=dtype), given(1.0, 2.0, 3.0)], 1.0, order)
        for value in [0.5, 0.0, -0.0, -1.0, INF, -INF, NAN, 0.1]:
            yield clip_value([given(0.25, -3.0, 3.0, NAN, INF, -INF, 0.0, -0.0, 0.1, -0.1)], value)
            yield clip_value([torch.zeros(0, dtype=dtype), None, given(0.0), given(-0.0)], value)
        yield clip_value([(80, dtype, (1000,), None)], 2.0**-8)
    yield clip_norm([None, None], 1.0)
    yield clip_norm([], 1.0, 1.0, True)


def cases():
    for family in [lengths, orders, layouts, mixed, special]:
        yield from family()


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(line) for line in cases())
    text = f'{{"torch": "{torch.__version__.split("+")[0]}", "cases": [\n{lines}\n]}}\n'
    (HERE / "clip_grad.json.gz").write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
