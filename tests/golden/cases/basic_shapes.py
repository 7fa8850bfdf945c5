"""Section `basic`: views, joins, indexing, matrix products, creation."""

import torch
import torch.nn.functional as F

from .core import F32, F64, I64, b, case, define, i, section, t, w, cases

section("basic")


x, y = w(2, 3, 4, layout="transposed"), w(2, 3)
cases("reshape", lambda x, s: x.reshape(s), ("strided", x, [4, -1]), ("scalar", w(1), []), ("empty", t([]), [0, 3]))
cases("view", lambda x, s: x.view(s), ("dense", w(2, 6), [3, -1]), ("integers", i([1, 2]), [2, 1]))
cases("flatten", torch.flatten, ("middle", x, 1, -1), ("all", y, 0, -1), ("scalar", w(), 0, -1))
cases("squeeze", torch.squeeze, ("two", w(1, 3, 1)), ("none", y), ("scalar", w(1, 1)))
cases(
    "squeeze_dim",
    lambda x, d: x.squeeze(tuple(d)),
    ("one", w(1, 3, 1), [-1]),
    ("two", w(1, 3, 1), [0, 2]),
    ("larger", w(2, 3), [0]),
)
cases("unsqueeze", torch.unsqueeze, ("front", x, 0), ("end", x, -1), ("scalar", w(), 0))
cases("transpose", torch.transpose, ("strided", x, 0, -1), ("integers", i([[1, 2, 3]]), 0, 1))
cases("t", torch.t, ("matrix", y), ("vector", w(3)))
cases("permute", lambda x, d: x.permute(d), ("strided", x, [2, 0, 1]), ("negative", y, [-1, 0]))
cases("select", torch.select, ("middle", x, 1, 2), ("negative", x, -1, -1), ("vector", w(3), 0, 1))
cases("narrow", torch.narrow, ("middle", x, 1, 1, 2), ("negative", x, -1, 2, 1), ("nothing", y, 0, 1, 0))
cases("expand", lambda x, s: x.expand(s), ("column", w(2, 1), [3, -1, 4]), ("scalar", w(), [2, 2]))
cases("expand_as", lambda x, other: x.expand_as(other), ("column", [w(2, 1), w(3, 2, 4, grad=False)]))
cases(
    "slice",
    lambda x, d, a, e, s: x[(slice(None),) * (d % x.dim()) + (slice(a, e, s),)],
    ("step", w(7), 0, 1, 6, 2),
    ("clipped", w(2, 5), 1, -3, 100, 1),
    ("negative_dim", x, -2, 1, -1, 1),
)

cases(
    "cat",
    lambda *a: torch.cat(a[:-1], a[-1]),
    ("rows", [y, w(1, 3, seed=1)], 0),
    ("columns", [w(2, 3, layout="transposed"), w(2, 1, seed=1)], -1),
    ("legacy_empty", [w(2, 3), t([])], 1),
    ("promoted", [i([1, 2]), w(2, dtype=F32), w(1, seed=1)], 0),
)
cases(
    "stack",
    lambda *a: torch.stack(a[:-1], a[-1]),
    ("front", [y, w(2, 3, seed=1)], 0),
    ("end", [w(2, seed=2), w(2, seed=1)], -1),
    ("scalars", [w(), w(seed=1)], 0),
)
cases("split", torch.split, ("uneven", w(5, 2), 2, 0), ("negative", x, 3, -1))
cases("split_sizes", torch.split, ("three", w(5, 2), [1, 0, 4], 0), ("negative", x, [3, 1], -1))
cases("chunk", torch.chunk, ("uneven", w(7), 3, 0), ("fewer", w(2, 4), 5, 1))
cases("unbind", torch.unbind, ("strided", x, 1), ("negative", y, -1))
cases("repeat", lambda x, s: x.repeat(s), ("more_dims", y, [2, 1, 2]), ("zero", w(3), [0]), ("scalar", w(), [3]))
cases("tile", lambda x, s: x.tile(s), ("fewer", x, [2]), ("more", w(2), [2, 3]))

index = i([[0, 1, 1], [1, 0, 1]])
cases(
    "gather",
    lambda x, n, d: x.gather(d, n),
    ("rows", [w(2, 3, layout="transposed"), index], 0),
    ("columns", [w(2, 4), index], -1),
    ("integers", [i([5, 6, 7]), i([2, 2, 0])], 0),
    ("scalar", [w(), i(0)], 0),
)
cases(
    "scatter_add",
    lambda x, n, s, d: x.scatter_add(d, n, s),
    ("rows", [y, index, w(2, 3, seed=1)], 0),
    ("smaller_index", [w(3, 4), i([[0, 2], [1, 1]]), w(2, 2, seed=1)], 1),
)
cases(
    "index_select",
    lambda x, n, d: x.index_select(d, n),
    ("repeated", [x, i([2, 0, 2])], 1),
    ("nothing", [y, i([])], -1),
    ("f32", [w(3, 2, dtype=F32), i([1])], 0),
)
cases(
    "index_add",
    lambda x, n, s, d: x.index_add(d, n, s),
    ("repeated", [y, i([1, 1, 0]), w(3, 3, seed=1)], 0),
    ("columns", [w(2, 3, layout="transposed"), i([2]), w(2, 1, seed=1)], -1),
)
cases("take", torch.take, ("negative", [w(2, 3, layout="transposed"), i([[0, -1], [4, 0]])]))


def entries(x, items, tensors):
    """The index as Python writes it: numbers, [start, end], "...", "new" and {"tensor": k}."""
    kinds = {"...": Ellipsis, "new": None}

    def entry(e):
        if isinstance(e, dict):
            return tensors[e["tensor"]]
        return slice(*e) if isinstance(e, list) else kinds.get(e, e)

    return tuple(entry(e) for e in items)


def index(x, *rest):
    return x[entries(x, rest[-1], rest[:-1])]


def put(x, values, *rest):
    target = x.clone()
    target.index_put_(entries(x, rest[-2], rest[:-2]), values, accumulate=rest[-1])
    return target


first = {"tensor": 0}
second = {"tensor": 1}
define("i", index)
case("i", "basic", x, [1, [None, 2], "new", -1])
case("i", "ellipsis", x, ["...", 0])
case("i", "one_tensor", [x, i([2, 0, -1])], [[None, None], first])
case("i", "two_tensors", [x, i([[0], [1]]), i([2, 0])], [first, second])
case("i", "apart", [x, i([0, 1]), i([3, 0])], [first, [1, None], second])
case("i", "mask", [y, b([[True, False, True], [False, False, True]])], [first])
case("i", "mask_of_rows", [w(3, 2), b([True, False, True])], [first])
define("index_put_", put)
case("index_put_", "set", [w(4), w(2, seed=1), i([2, 0])], [first], False)
case("index_put_", "accumulate", [w(3, 2), w(2, seed=1), i([1, 1, 0])], [first], True)
case("index_put_", "mask", [y, w(seed=1), b([[True, False, True], [False, False, True]])], [first], False)

cases(
    "matmul",
    torch.matmul,
    ("matrices", [w(2, 3, layout="transposed"), w(3, 4, seed=1)]),
    ("batches", [w(2, 1, 2, 3), w(3, 3, 2, seed=1, layout="transposed")]),
    ("vectors", [w(3), w(3, seed=1)]),
    ("matrix_vector", [w(2, 3), w(3, seed=1)]),
    ("vector_batches", [w(3), w(2, 3, 2, seed=1)]),
    ("f32", [w(5, 7, dtype=F32), w(7, 3, seed=1, dtype=F32)]),
    ("empty", [w(2, 0), w(0, 3)]),
    ("integers", [i([[1, 2], [3, 4]]), i([[5], [6]])]),
)
cases("mm", torch.mm, ("strided", [w(2, 3, layout="sliced"), w(3, 4, seed=1, layout="transposed")]))
cases("mv", torch.mv, ("strided", [w(2, 3, layout="transposed"), w(3, seed=1, layout="sliced")]))
cases("bmm", torch.bmm, ("strided", [w(2, 2, 3, layout="transposed"), w(2, 3, 2, seed=1)]))
cases("dot", torch.dot, ("plain", [w(3, layout="sliced"), w(3, seed=1)]), ("empty", [t([]), t([])]))
cases("outer", torch.outer, ("plain", [w(3, layout="sliced"), w(2, seed=1)]))
cases(
    "linear",
    F.linear,
    ("bias", [w(2, 3, layout="transposed"), w(4, 3, seed=1), w(4, seed=2)]),
    ("plain", [w(3), w(2, 3, seed=1)]),
    ("batches", [w(2, 2, 3), w(2, 3, seed=1), w(2, seed=2)]),
    ("f32", [w(2, 3, dtype=F32), w(4, 3, seed=1, dtype=F32), w(4, seed=2, dtype=F32)]),
)

DTYPE = {"f64": F64, "f32": F32, "i64": I64, "bool": torch.bool}
for name in ("zeros", "ones"):
    cases(
        name,
        lambda s, d, name=name: getattr(torch, name)(s, dtype=DTYPE[d]),
        ("f32", [], [2, 3], "f32"),
        ("bool", [], [2], "bool"),
        ("scalar", [], [], "i64"),
    )
    cases(f"{name}_like", lambda x, name=name: getattr(torch, f"{name}_like")(x), ("strided", x), ("int", i([1, 2])))
cases(
    "full", lambda s, v, d: torch.full(s, v, dtype=DTYPE[d]), ("f32", [], [2], 0.1, "f32"), ("int", [], [2], 3, "i64")
)
cases("full_like", torch.full_like, ("f32", w(2, dtype=F32), 0.1), ("integers", i([1, 2]), 7))
cases("eye", lambda n, d: torch.eye(n, dtype=DTYPE[d]), ("three", [], 3, "f64"), ("none", [], 0, "i64"))
cases(
    "arange",
    lambda a, e, s: torch.arange(a, e, s, dtype=F64 if isinstance(a, float) else I64),
    ("integers", [], 5, -4, -3),
    ("floats", [], 0.0, 1.0, 0.3),
    ("nothing", [], 2, 2, 1),
)
cases(
    "linspace",
    lambda a, e, n, d: torch.linspace(a, e, n, dtype=DTYPE[d]),
    ("f64", [], -1.0, 2.0, 6, "f64"),
    ("f32", [], 0.0, 0.7, 5, "f32"),
    ("one", [], 3.0, 4.0, 1, "f64"),
    ("none", [], 3.0, 4.0, 0, "f64"),
)
