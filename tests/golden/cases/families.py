"""The cases that functions of one and of two tensors have in common."""

from .core import BOOL, F32, F64, I64, INF, NAN, b, case, define, i, t, w

SPECIAL = (0.0, -0.0, NAN, INF, -INF)


def unary(name, function, *args, low=-2.0, high=2.0, points=SPECIAL, integers=(-2, 0, 3), d3=None, signed_zero=True):
    """Dense, strided, without dimensions and empty; single precision; integers; the points given."""
    define(name, function)
    case(name, "strided", w(2, 3, low=low, high=high, layout="transposed"), *args)
    case(name, "f32", w(7, low=low, high=high, seed=1, dtype=F32, layout="sliced"), *args)
    case(name, "scalar", w(low=low, high=high, seed=2), *args)
    case(name, "empty", t([]).reshaped((0, 3), ""), *args)
    if points:
        case(name, "points", t(list(points)), *args, d3=d3, signed_zero=signed_zero)
    if integers:
        case(name, "integers", i(list(integers)), *args)


def plain(*names, **ranges):
    """Unary methods of torch.Tensor with the same name."""
    for name in names:
        unary(name, lambda x, *rest, name=name: getattr(x, name)(*rest), **ranges)


def binary(
    name, function, *args, low=-2.0, high=2.0, low2=None, high2=None, points=(), integers=True, number=None, d3=None
):
    """Broadcasting, both layouts, promotion, integers, empty; the pairs given; a number on the right."""
    low2, high2 = low if low2 is None else low2, high if high2 is None else high2
    define(name, function)
    left = w(2, 3, low=low, high=high, layout="transposed")
    case(name, "broadcast", [left, w(3, low=low2, high=high2, seed=3)], *args)
    column = w(2, 1, low=low, high=high, seed=4, dtype=F32)
    case(name, "f32", [column, w(1, 3, low=low2, high=high2, seed=5, dtype=F32, layout="sliced")], *args)
    case(name, "promoted", [w(3, low=low, high=high, seed=6, dtype=F32), w(low=low2, high=high2, seed=7)], *args)
    case(name, "empty", [t([]).reshaped((0, 3), ""), w(1, 3, low=low2, high=high2, seed=8)], *args)
    if points:
        first, second = zip(*points)
        case(name, "points", [t(list(first)), t(list(second))], *args, d3=d3)
    if integers:
        case(name, "integers", [i([7, -7, 3, 0, 2]), i([2, 2, 3, 4, 1])], *args)
        case(name, "mixed", [i([3, 1]), w(2, low=max(low2, 0.5), high=high2, seed=9, dtype=F32)], *args)
    if number is not None:
        case(name, "number", [w(4, low=low, high=high, seed=10)], number, *args)
        case(name, "number_f32", [w(3, low=low, high=high, seed=11, dtype=F32)], number, *args)


def binary_method(*names, **ranges):
    for name in names:
        binary(name, lambda x, *rest, name=name: getattr(x, name)(*rest), **ranges)


def in_place(name, inputs, *args, label="", function=None):
    """An in-place method on a copy of the first input, so that gradients pass through it."""
    method = function or (lambda x, *rest: getattr(x, name)(*rest))
    define(name, lambda x, *rest: method(x.clone(), *rest))
    case(name, label or "copy", inputs, *args)


PAIRS = ((0.0, 0.0), (1.0, 1.0), (NAN, 1.0), (1.0, NAN), (NAN, NAN), (INF, INF), (INF, -INF), (-0.0, 0.0), (1.0, 0.0))

__all__ = [
    "BOOL",
    "F32",
    "F64",
    "I64",
    "INF",
    "NAN",
    "PAIRS",
    "SPECIAL",
    "b",
    "binary",
    "binary_method",
    "case",
    "define",
    "i",
    "in_place",
    "plain",
    "t",
    "unary",
    "w",
]
