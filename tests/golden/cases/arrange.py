"""Section `arrange`: diagonals, triangles, rolls, pads, joins by name, products."""

import torch
import torch.nn.functional as F

from .core import F32, b, case, cases, i, section, t, w
from .families import in_place

section("arrange")

x = w(2, 3, 4, layout="transposed")
y = w(2, 3, layout="transposed")
square = w(3, 3, layout="transposed")
empty = t([]).reshaped((0, 3), "")


# Diagonals and triangles

cases(
    "diag", torch.diag, ("vector", w(3), 0), ("vector_below", w(2), -1), ("matrix", y, 1), ("integers", i([1, 2]), 2)
)
cases(
    "diagonal",
    torch.diagonal,
    ("matrix", y, 0, 0, 1),
    ("offset", x, 1, -1, 0),
    ("below", x, -1, 1, 2),
    ("outside", y, 5, 0, 1),
)
cases("diag_embed", torch.diag_embed, ("rows", y, 0, -2, -1), ("offset", y, 1, 0, 2), ("below", w(3), -1, -2, -1))
cases("diagflat", torch.diagflat, ("matrix", y, 0), ("offset", w(2), -1))
cases("trace", torch.trace, ("square", square), ("wide", y), ("integers", i([[1, 2], [3, 4]])))
for name in ("triu", "tril"):
    cases(
        name,
        getattr(torch, name),
        ("square", square, 0),
        ("above", x, 1),
        ("below", y, -1),
        ("f32", w(4, 3, dtype=F32), 0),
        ("integers", i([[1, 2], [3, 4]]), 0),
        ("bool", b([[True, True], [True, True]]), 0),
    )
    in_place(f"{name}_", square, 0)
    cases(
        f"{name}_indices",
        lambda r, c, o, name=name: getattr(torch, f"{name}_indices")(r, c, o),
        ("square", [], 3, 3, 0),
        ("wide", [], 2, 4, 1),
        ("tall", [], 4, 2, -1),
    )
in_place("fill_diagonal_", square, 1.5)
case("fill_diagonal_", "tall", w(4, 2), 0.5)

# Order of elements

cases(
    "roll",
    lambda x, s, d: torch.roll(x, s, d),
    ("one", x, [1], [1]),
    ("two", x, [-1, 5], [0, -1]),
    ("flat", y, [2], []),
    ("empty", empty, [1], [0]),
)
cases("flip", lambda x, d: torch.flip(x, d), ("one", x, [-1]), ("two", y, [0, 1]), ("integers", i([1, 2, 3]), [0]))
cases("fliplr", torch.fliplr, ("matrix", y))
cases("flipud", torch.flipud, ("matrix", y))
cases(
    "rot90",
    lambda x, k, d: torch.rot90(x, k, d),
    ("once", y, 1, [0, 1]),
    ("twice", x, 2, [1, 2]),
    ("back", y, -1, [0, 1]),
    ("full", y, 4, [0, 1]),
)
cases(
    "repeat_interleave",
    lambda x, n, d: torch.repeat_interleave(x, n, d),
    ("flat", y, 2, None),
    ("rows", y, 3, 0),
    ("none", y, 0, -1),
)
cases(
    "repeat_interleave_each",
    lambda x, n, d: torch.repeat_interleave(x, n, d),
    ("flat", [w(3), i([2, 0, 1])], None),
    ("columns", [y, i([1, 0, 2])], -1),
    ("one", [y, i([2])], 0),
)
cases(
    "unfold",
    lambda x, d, n, s: x.unfold(d, n, s),
    ("overlap", x, -1, 3, 1),
    ("gaps", w(7), 0, 2, 3),
    ("middle", x, 1, 2, 1),
)
modes = {"constant": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}
cases(
    "pad",
    lambda x, p, mode, v: F.pad(x, p, modes[mode], *([v] if mode == "constant" else [])),
    ("constant", y, [1, 2], "constant", 0.5),
    ("two_dims", x, [1, 0, 2, 1], "constant", 0.0),
    ("crop", y, [-1, 1], "constant", 0.0),
    ("reflect", w(2, 3, 4), [2, 1], "reflect", 0.0),
    ("reflect_two", w(1, 2, 3, 4), [1, 2, 1, 0], "reflect", 0.0),
    ("replicate", w(2, 3, 4), [2, 1], "replicate", 0.0),
    ("replicate_two", w(1, 2, 3, 4, dtype=F32), [1, 2, 1, 0], "replicate", 0.0),
    ("circular", w(2, 3, 4), [2, 1], "circular", 0.0),
    ("circular_two", w(1, 2, 3, 4), [1, 2, 1, 0], "circular", 0.0),
    ("integers", i([1, 2]), [1, 1], "constant", 7.0),
)

# Several tensors

three = [w(2), w(3, seed=1), w(2, seed=2)]
cases(
    "meshgrid",
    lambda *a: torch.meshgrid(*a[:-1], indexing=a[-1]),
    ("ij", three, "ij"),
    ("xy", three, "xy"),
    ("one", w(2), "xy"),
)
cases("cartesian_prod", torch.cartesian_prod, ("two", three[:2]), ("one", w(2)), ("integers", [i([1, 2]), i([3, 4])]))
cases("block_diag", torch.block_diag, ("mixed", [y, w(2, seed=1), w(seed=2)]))
cases("broadcast_tensors", torch.broadcast_tensors, ("three", [y, w(3, seed=1), w(2, 1, seed=2)]))
for name in ("hstack", "vstack", "dstack", "column_stack"):
    cases(
        name,
        lambda *a, name=name: getattr(torch, name)(a),
        ("vectors", [w(3), w(3, seed=1)]),
        ("matrices", [y, w(2, 3, seed=1)]),
        ("scalars", [w(), w(seed=1)]),
    )

# Shapes

cases("movedim", lambda x, a, c: torch.movedim(x, a, c), ("one", x, [0], [-1]), ("two", x, [0, 2], [1, 0]))
cases("unflatten", lambda x, d, s: x.unflatten(d, s), ("middle", x, -1, [2, 2]), ("inferred", y, 1, [3, -1]))
cases("ravel", torch.ravel, ("strided", y), ("scalar", w()))
cases("broadcast_to", lambda x, s: torch.broadcast_to(x, s), ("column", w(2, 1), [3, 2, 4]))
cases("mt", lambda x: x.mT, ("matrix", y), ("batches", x))
for n in (1, 2, 3):
    cases(f"atleast_{n}d", getattr(torch, f"atleast_{n}d"), ("scalar", w()), ("vector", w(2)), ("matrix", y))
cases("tensor_split", torch.tensor_split, ("uneven", w(7), 3, 0), ("more", w(2, 2), 3, -1))
cases(
    "tensor_split_at",
    lambda x, at, d: torch.tensor_split(x, at, d),
    ("three", w(7), [2, 5], 0),
    ("negative", w(2, 4), [1, -1], 1),
    ("beyond", w(3), [1, 9], 0),
)
cases(
    "logspace",
    lambda a, e, n, base, d: torch.logspace(a, e, n, base, dtype={"f64": torch.float64, "f32": F32}[d]),
    ("ten", [], -1.0, 2.0, 4, 10.0, "f64"),
    ("two_f32", [], 0.0, 3.0, 7, 2.0, "f32"),
    ("one", [], 1.0, 2.0, 1, 10.0, "f64"),
)
cases(
    "vander",
    lambda x, n, inc: torch.vander(x, n, increasing=inc),
    ("down", w(3, grad=False), 3, False),
    ("up", w(3, seed=1, grad=False), 4, True),
    ("integers", i([1, 2, 3]), 3, True),
)

# Products

cases(
    "einsum",
    lambda *a: torch.einsum(a[-1], *a[:-1]),
    ("matmul", [y, w(3, 4, seed=1)], "ij,jk->ik"),
    ("implicit", [y, w(3, 4, seed=1)], "ij,jk"),
    ("trace", square, "ii"),
    ("diagonal", square, "ii->i"),
    ("batches", [w(2, 2, 3), w(2, 3, 2, seed=1)], "bij,bjk->bik"),
    ("ellipsis", [w(2, 2, 3), w(3, 2, seed=1)], "...ij,jk->...ik"),
    ("three", [w(2), w(2, 3, seed=1), w(3, seed=2)], "i,ij,j->"),
    ("sum", y, "ij->j"),
    ("outer", [w(2), w(3, seed=1)], "i,j->ji"),
    ("bilinear", [w(2, 3), w(4, 3, 2, seed=1), w(2, 2, seed=2)], "bn,anm,bm->ba"),
    ("f32", [w(2, 3, dtype=F32), w(2, 3, seed=1, dtype=F32)], "ij,ij->i"),
)
cases(
    "tensordot",
    lambda a, c, d, e: torch.tensordot(a, c, (d, e)),
    ("one", [x, w(4, 2, seed=1)], [2], [0]),
    ("two", [x, w(4, 3, seed=1)], [1, 2], [1, 0]),
    ("none", [w(2), w(3, seed=1)], [], []),
)
cases(
    "tensordot_last",
    lambda a, c, n: torch.tensordot(a, c, n),
    ("two", [x, w(3, 4, 2, seed=1)], 2),
    ("one", [y, w(3, seed=1)], 1),
)
cases(
    "inner",
    torch.inner,
    ("vectors", [w(3), w(3, seed=1)]),
    ("matrices", [y, w(4, 3, seed=1)]),
    ("scalar", [y, w(seed=1)]),
)
cases(
    "addmm",
    lambda x, a, c, beta, alpha: torch.addmm(x, a, c, beta=beta, alpha=alpha),
    ("both", [w(4), y, w(3, 4, seed=1)], 0.5, 2.0),
    ("no_input", [t([float("nan")]), y, w(3, 4, seed=1)], 0.0, 1.0),
)
cases(
    "addmv",
    lambda x, a, c, beta, alpha: torch.addmv(x, a, c, beta=beta, alpha=alpha),
    ("both", [w(2, seed=2), y, w(3, seed=1)], 0.5, 2.0),
)
cases(
    "addbmm",
    lambda x, a, c, beta, alpha: torch.addbmm(x, a, c, beta=beta, alpha=alpha),
    ("both", [w(2, 2, seed=2), w(2, 2, 3), w(2, 3, 2, seed=1)], 0.5, 2.0),
)
cases(
    "baddbmm",
    lambda x, a, c, beta, alpha: torch.baddbmm(x, a, c, beta=beta, alpha=alpha),
    ("both", [w(2, 2, seed=2), w(2, 2, 3), w(2, 3, 2, seed=1)], 0.5, 2.0),
    ("f32", [w(2, 2, 2, seed=2, dtype=F32), w(2, 2, 3, dtype=F32), w(2, 3, 2, seed=1, dtype=F32)], 1.0, 1.0),
)
cases(
    "addr",
    lambda x, a, c, beta, alpha: torch.addr(x, a, c, beta=beta, alpha=alpha),
    ("both", [y, w(2, seed=2), w(3, seed=1)], 0.5, 2.0),
)
cases(
    "cross",
    lambda a, c, d: torch.linalg.cross(a, c, dim=d),
    ("rows", [y, w(2, 3, seed=1)], 1),
    ("broadcast", [w(3, 1), w(3, 4, seed=1)], 0),
    ("vectors", [w(3), w(3, seed=1)], -1),
)
cases(
    "vecdot",
    lambda a, c, d: torch.linalg.vecdot(a, c, dim=d),
    ("rows", [y, w(3, seed=1)], -1),
    ("columns", [y, w(2, 3, seed=1)], 0),
)
cases("kron", torch.kron, ("matrices", [w(2, 3), w(2, 2, seed=1)]), ("dims", [w(2), w(2, 2, seed=1)]))
cases("matrix_power", torch.matrix_power, ("zero", square, 0), ("one", square, 1), ("five", w(2, 2, 2), 5))
cases(
    "multi_dot",
    lambda *a: torch.linalg.multi_dot(a),
    ("three", [y, w(3, 4, seed=1), w(4, 2, seed=2)]),
    ("vectors", [w(2), y, w(3, seed=1)]),
    ("two", [y, w(3, 2, seed=1)]),
)
cases(
    "bilinear",
    F.bilinear,
    ("bias", [w(2, 3), w(2, 2, seed=1), w(4, 3, 2, seed=2), w(4, seed=3)]),
    ("plain", [w(2, 3), w(2, 2, seed=1), w(4, 3, 2, seed=2)]),
)
