"""Section `indexing`: scattering, writing by index, classes."""

import torch
import torch.nn.functional as F

from .core import F32, NAN, b, case, cases, define, i, section, t, w
from .basic_shapes import entries
from .families import in_place

section("indexing")

y = w(2, 3, layout="transposed")
index = i([[0, 1, 1], [1, 0, 1]])
source = w(2, 3, seed=1)


cases(
    "nonzero",
    torch.nonzero,
    ("floats", t([[0.0, -0.0, 1.0], [NAN, 0.0, 2.0]])),
    ("bool", b([True, False, True])),
    ("none", i([0, 0])),
    ("scalar", t(3.0)),
)
cases(
    "isin",
    torch.isin,
    ("floats", [t([[1.0, NAN], [0.0, 2.0]]), t([0.0, 2.0, NAN])]),
    ("integers", [i([1, 2, 3]), i([3, 9])]),
    ("empty", [i([1]), i([])]),
)
cases(
    "scatter",
    lambda x, n, *a: x.scatter(a[-1], n, a[0]),
    ("rows", [w(3, 3), i([[0, 1, 2], [1, 2, 0]]), source], 0),
    ("smaller", [w(2, 4), i([[3, 0], [1, 2]]), w(2, 2, seed=1)], -1),
    ("integers", [i([0, 0, 0]), i([2, 0]), i([5, 6])], 0),
)
define("scatter_number", lambda x, n, d, v: x.scatter(d, n, v))
case("scatter_number", "rows", [y, i([[0, 2], [1, 1]])], 1, 0.5)
in_place("scatter_", [w(3, 3), i([[0, 1, 2], [1, 2, 0]]), source], 0, function=lambda x, n, s, d: x.scatter_(d, n, s))
in_place("scatter_add_", [y, index, source], 0, function=lambda x, n, s, d: x.scatter_add_(d, n, s))
define("scatter_reduce", lambda x, n, s, d, r, include: x.scatter_reduce(d, n, s, r, include_self=include))
for reduce in ("sum", "prod", "mean", "amax", "amin"):
    for include in (True, False):
        case(
            "scatter_reduce", f"{reduce}_{include}", [w(3, 3), i([[0, 1, 1], [1, 1, 0]]), source], 0, reduce, include
        )
case("scatter_reduce", "amax_ties", [t([1.0, 5.0]), i([0, 0, 1]), t([2.0, 2.0, 5.0])], 0, "amax", True)
case("scatter_reduce", "prod_zeros", [t([1.0, 2.0]), i([0, 0, 1]), t([0.0, 3.0, 0.0])], 0, "prod", True)
cases(
    "take_along_dim",
    lambda x, n, d: torch.take_along_dim(x, n, d),
    ("rows", [y, i([[0, 1, 0]])], 0),
    ("flat", [w(2, 3), i([5, 0])], None),
    ("broadcast", [w(1, 3), i([[0, 2], [1, 1]])], 1),
)


def put(x, values, *rest):
    return x.index_put(list(entries(x, rest[-2], rest[:-2])), values, accumulate=rest[-1])


first, second = {"tensor": 0}, {"tensor": 1}
cases(
    "index_put",
    put,
    ("set", [w(4), w(2, seed=1), i([2, 0])], [first], False),
    ("accumulate", [w(3, 2), w(2, seed=1), i([1, 1, 0])], [first], True),
    ("two", [y, w(2, seed=1), i([0, 1]), i([2, 0])], [first, second], False),
    ("mask", [y, w(seed=1), b([[True, False, True], [False, False, True]])], [first], False),
)
rows = i([1, 0])
define("index_fill", lambda x, n, d, v: x.index_fill(d, n, v))
case("index_fill", "number", [y, rows], -1, 0.5)
define("index_fill_tensor", lambda x, n, v, d: x.index_fill(d, n, v))
case("index_fill_tensor", "columns", [y, i([1]), w(seed=4)], 0)
in_place("index_fill_", [y, rows], 1, 0.5, function=lambda x, n, d, v: x.index_fill_(d, n, v))
cases(
    "index_copy",
    lambda x, n, s, d: x.index_copy(d, n, s),
    ("columns", [y, i([2, 0]), w(2, 2, seed=1)], -1),
    ("f32", [w(3, dtype=F32), i([1]), w(1, seed=1, dtype=F32)], 0),
)
in_place("index_copy_", [y, i([2, 0]), w(2, 2, seed=1)], 1, function=lambda x, n, s, d: x.index_copy_(d, n, s))
in_place("index_add_", [y, i([1, 1]), w(2, 3, seed=1)], 0, function=lambda x, n, s, d: x.index_add_(d, n, s))
mask = b([[True, False, True], [False, True, False]])
cases(
    "masked_scatter",
    torch.masked_scatter,
    ("plain", [y, mask, w(5, seed=1)]),
    ("broadcast", [y, b([True, False, True]), w(4, seed=1)]),
)
in_place("masked_scatter_", [y, mask, w(3, seed=1)])
cases(
    "one_hot",
    lambda x, n: F.one_hot(x, -1 if n is None else n),
    ("given", i([[0, 2], [1, 1]]), 4),
    ("found", i([0, 2]), None),
)
