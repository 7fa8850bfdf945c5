"""Writes print.txt: tensors and their `repr` in torch 2.8.0, the oracle for tensor/format.rs.

    python crates/tape/tests/golden/print.py > crates/tape/tests/golden/print.txt

One record per case:

    == <dtype> [<sizes>] <none | leaf | grad_fn name>
    <values: hex bits of float64, decimal int64, 0/1 bool, each with `*count` where repeated;
     or `ramp <start> <step>`: start + step * i in float64>
    <repr, any number of lines>
"""

import struct
from itertools import groupby

import torch

assert torch.__version__.startswith("2.8.0"), torch.__version__

INF, NAN = float("inf"), float("nan")
F32, F64, I64, BOOL = torch.float32, torch.float64, torch.int64, torch.bool


def emit(tensor, ramp=None):
    if tensor.grad_fn is not None:
        autograd = type(tensor.grad_fn).__name__
    else:
        autograd = "leaf" if tensor.requires_grad else "none"
    dtype = str(tensor.dtype).removeprefix("torch.")
    flat = tensor.detach().reshape(-1).tolist()
    if ramp is not None:
        values = f"ramp {ramp[0]!r} {ramp[1]!r}"
    else:
        texts = (struct.pack(">d", v).hex() if tensor.is_floating_point() else str(int(v)) for v in flat)
        runs = ((text, len(list(run))) for text, run in groupby(texts))
        values = " ".join(text if count == 1 else f"{text}*{count}" for text, count in runs)
    print(f"== {dtype} {list(tensor.shape)} {autograd}\n{values}\n{tensor!r}")


def case(values, dtype=F32, shape=None, requires_grad=False, op=None):
    tensor = torch.tensor(values, dtype=dtype)
    if shape is not None:
        tensor = tensor.reshape(shape)
    tensor.requires_grad_(requires_grad)
    emit(op(tensor) if op else tensor)


def ramp(start, step, dtype, shape, requires_grad=False, op=None):
    count = torch.Size(shape).numel()
    values = [start + step * i for i in range(count)]
    tensor = torch.tensor(values, dtype=dtype).reshape(shape).requires_grad_(requires_grad)
    emit(op(tensor) if op else tensor, (start, step))


# Integers in floats, fixed point, scientific; ties round to even.
case([1.0, 2.0])
case([1.0, 2.0], F64)
case([1.5, -2.25, 3.0])
case([0.1, 0.2, 0.3], F64)
case([1.0, 1000.0])
case([1.0, 1001.0])
case([0.5, 500.0])
case([0.5, 501.0])
case([1e8], F64)
case([1e8 + 1], F64)
case([1.5e8 + 0.5], F64)
case([1e-4], F64)
case([0.99e-4], F64)
case([1e-4])
case([0.03125, 0.09375, 0.15625], F64)
case([100000.5, 200000.5, 32.03125], F64)
case([1e-300, 1e300], F64)
case([1e-45, 3.4e38])
case([5e-324], F64)
case([1.7976931348623157e308, -1.0], F64)
case([1.00005e10, 1.00015e10], F64)
case([12345.678, 99999.99999])
case([9.99999, 0.99999])
case([0.99995, 0.00015])
case([16777217.0, 3.0])
# Zeros, infinities and NaN count neither for notation nor for width.
case([0.0])
case([0.0, -0.0], F64)
case([0.0] * 40)
case([-0.0] * 40)
case([0.0, 0.0, INF, NAN])
case([INF, -INF, NAN])
case([1.0, INF, -INF, NAN])
case([1.5, INF, -INF, NAN], F64)
case([1e-9, INF, -INF, NAN, 0.0])
case([-1.0, 0.0, NAN])
case([0.0, 1e-5, -1.0])
case([1e10, 0.0, -0.0])
case([[0.0, NAN], [INF, 1e5]])
# No dimensions, one element, nothing.
case(3.0)
case(3.14159, F64)
case(-0.0)
case(NAN)
case(1e-7)
case(7, I64)
case(True, BOOL)
case(2.5, F32, requires_grad=True)
case([[[1.25]]])
for dtype in (F32, F64, I64, BOOL):
    case([], dtype)
    case([], dtype, (0, 3))
case([], F32, (2, 0, 4))
case([], F64, (0, 1), requires_grad=True)
case([], F32, (0, 2), requires_grad=True, op=lambda t: t * 2)
# Integers and truth values.
case([1, -20, 300], I64)
case([[1, 2], [3, -4]], I64)
case([-(2**63), 2**63 - 1], I64)
case([True, False], BOOL)
case([[True], [True]], BOOL)
case([[False, True], [True, True]], BOOL)
# Autograd suffixes, and where they start a new line.
case([1.0, 2.0], F64, requires_grad=True)
case([1.0, 2.0], requires_grad=True)
case([1.0, 2.0], requires_grad=True, op=lambda t: t + 1)
case([1.0, 2.0], F64, requires_grad=True, op=lambda t: t * 2)
case([1.0, 2.0], F64, requires_grad=True, op=lambda t: t.sum())
case([[1.0, 2.0]], requires_grad=True, op=lambda t: t.t())
case([[1.0, 2.0]], requires_grad=True, op=lambda t: torch.log_softmax(t, 1))
for count in range(3, 9):
    case([0.5] * count, F64, requires_grad=True, op=lambda t: t.exp())
for count in range(4, 8):
    case([[0.25] * count] * 2, F64, requires_grad=True)
case([-1.5e-7, 2.0, 1.0] * 2, F64, requires_grad=True, op=lambda t: t.tanh())
# Lines, brackets and indentation.
ramp(0.5, 1.0, F32, (30,))
ramp(-3.0, 1.0, F64, (25,))
ramp(0.001, 37.0, F64, (11,))
ramp(0, 1, I64, (100,))
ramp(0, 123456789012, I64, (10,))
ramp(0.5, 0.25, F32, (2, 3))
ramp(0.5, 0.25, F64, (3, 2, 2))
ramp(-7, 1, I64, (2, 2, 2, 2))
ramp(0.5, 1.5, F32, (2, 1, 1, 1, 3))
ramp(1.0, 1.0, F32, (2, 30))
ramp(1.0, 0.0, F64, (1, 1, 1, 1, 1, 1, 1, 14))
ramp(1.0, 0.0, F64, (1,) * 50 + (6,))
# Threshold and summary.
ramp(0.0, 1.0, F32, (1000,))
ramp(0.0, 1.0, F32, (1001,))
ramp(0.5, 1.0, F64, (1001,), requires_grad=True)
ramp(0, 1, I64, (5000,))
ramp(0.0, 1.0, F64, (40, 30))
ramp(0.25, 1.0, F32, (7, 200))
ramp(0.25, 1.0, F32, (6, 200))
ramp(0.25, 1.0, F32, (200, 6))
ramp(0, 1, I64, (7, 7, 7, 7))
ramp(0.0, 1e-3, F64, (8, 3, 60), requires_grad=True)
ramp(0, 1, I64, (2, 501))
ramp(0, 1, I64, (1001, 1))
ramp(0, 1, I64, (1, 1001))
ramp(1.0, 0.0, F32, (11, 2, 50))
# 1e9 lies hidden in the middle: what is not shown decides nothing.
hidden = [1.0] * 500 + [1e9] + [1.0] * 501
case(hidden, F64)
ramp(1000.0, 0.125, F32, (12, 100), requires_grad=True, op=lambda t: t * 1)
