"""Section `reductions`: products, scans, norms, statistics, order, search."""

import torch
import torch.nn.functional as F

from .core import F32, INF, NAN, Options, b, case, cases, define, i, section, t, w

section("reductions")

x = w(2, 3, 2, layout="transposed")
y = w(2, 3, layout="transposed")
empty = t([]).reshaped((0, 3), "")


ONCE = Options(second=False)


def D3(row):
    return Options(d3=row)


# Products and scans

cases(
    "prod",
    torch.prod,
    ("strided", y),
    ("f32", w(5, dtype=F32)),
    ("integers", i([2, -3, 4])),
    ("bool", b([True, True])),
    ("empty", t([])),
    ("scalar", w()),
    ("one_zero", t([0.0, 2.0, 3.0]), D3("prod")),
    ("two_zeros", t([0.0, 2.0, 0.0]), D3("prod")),
    ("points", t([2.0, NAN, INF])),
)
cases(
    "prod_dim",
    torch.prod,
    ("middle", x, 1, False),
    ("keep", y, -1, True),
    ("integers", i([[2, 3], [4, 5]]), 0, False),
    ("zeros", t([[0.0, 2.0, 3.0], [0.0, 0.0, 5.0], [1.0, 2.0, 4.0]]), 1, False, D3("prod")),
    ("empty", empty, 0, False),
)
for name in ("cumsum", "cumprod"):
    cases(
        name,
        getattr(torch, name),
        ("middle", x, 1),
        ("last", y, -1),
        ("f32", w(5, dtype=F32, layout="sliced"), 0),
        ("integers", i([3, -2, 4]), 0),
        ("bool", b([True, False, True]), 0),
        ("empty", empty, 0),
        ("scalar", w(), 0),
    )
case("cumsum", "points", t([1.0, INF, -INF, 2.0]), 0)
case("cumprod", "zeros", t([[2.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 3.0]]), 1)
for name in ("cummax", "cummin"):
    cases(
        name,
        lambda x, d, name=name: tuple(getattr(torch, name)(x, d)),
        ("middle", x, 1),
        ("last", y, -1),
        ("ties", t([1.0, 3.0, 3.0, 0.0, 0.0]), 0, D3("median; cummax ties")),
        ("nan", t([1.0, NAN, 3.0, NAN, 0.0]), 0),
        ("integers", i([3, 1, 3, 5, 1]), 0),
        ("f32", w(4, 2, dtype=F32), 0),
        ("scalar", w(), 0),
    )
cases(
    "logcumsumexp",
    torch.logcumsumexp,
    ("middle", x, 1),
    ("last", y, -1),
    ("f32", w(4, dtype=F32), 0),
    ("large", t([1000.0, 0.0, 1000.0, -1000.0]), 0),
    ("infinite", t([-INF, -INF, 1.0, 2.0]), 0, ONCE),
    ("scalar", w(), 0),
)
cases(
    "diff",
    torch.diff,
    ("last", y, 1, -1),
    ("twice", w(5, 2), 2, 0),
    ("integers", i([1, 4, 9]), 1, 0),
    ("bool", b([True, False, False]), 1, 0),
    ("too_often", w(2), 3, 0),
)
cases(
    "trapezoid",
    lambda x, dx, d: torch.trapezoid(x, dx=dx, dim=d),
    ("last", y, 0.5, -1),
    ("f32", w(4, 2, dtype=F32), 1.0, 0),
)
cases(
    "cumulative_trapezoid",
    lambda x, dx, d: torch.cumulative_trapezoid(x, dx=dx, dim=d),
    ("last", y, 0.5, -1),
    ("f32", w(4, 2, dtype=F32), 1.0, 0),
)
holes = t([[1.0, NAN, 3.0], [NAN, NAN, NAN], [4.0, 5.0, 6.0]])
for name in ("nansum", "nanmean"):
    cases(
        name,
        getattr(torch, name),
        ("holes", holes),
        ("plain", y),
        ("f32", t([1.0, NAN], F32)),
        ("only_nan", t([NAN])),
    )
    cases(
        f"{name}_dim",
        getattr(torch, name),
        ("holes", holes, [1], False),
        ("two", x, [0, -1], True),
        ("columns", holes, [0], True),
    )
cases(
    "count_nonzero",
    torch.count_nonzero,
    ("floats", t([[0.0, -0.0, 1.0], [NAN, 2.0, 0.0]])),
    ("bool", b([True, False])),
    ("integers", i([0, 3])),
)
cases(
    "count_nonzero_dim",
    lambda x, d: torch.count_nonzero(x, tuple(d)),
    ("one", t([[0.0, 1.0], [2.0, 3.0]]), [1]),
    ("two", i([[[0, 1], [2, 0]]]), [0, -1]),
)

# Norms and distances

norm = "norm p=2,1,3,inf,.5"
orders = (2.0, 1.0, 3.0, INF, -INF, 0.5, 0.0)
define("norm", lambda x, p: torch.linalg.vector_norm(x, p))
define("norm_dim", lambda x, p, d, k: torch.linalg.vector_norm(x, p, tuple(d), k))
for p in orders:
    case("norm", f"{p}", y, p)
    case("norm_dim", f"{p}", x, p, [1], False)
    case("norm_dim", f"{p}_two_dims_f32", w(2, 3, 2, dtype=F32), p, [0, -1], True)
    if p not in (0.0, -INF):
        case("norm", f"zero_vector_{p}", t([0.0, 0.0]), p, d3=norm)
        case("norm", f"zero_entry_{p}", t([0.0, 3.0, -4.0]), p, d3=norm)
        case("norm_dim", f"zero_row_{p}", t([[0.0, 0.0], [3.0, -4.0]]), p, [1], False, d3=norm)
case("norm", "ties_inf", t([3.0, -3.0, 1.0]), INF, d3=norm)
case("norm", "zero_vector_0", t([0.0, 2.0]), 0.0, d3=norm)
case("norm", "nan", t([1.0, NAN, 2.0]), 2.0)
case("norm", "empty", t([]), 2.0)
cases(
    "normalize",
    lambda x, p, d, eps: F.normalize(x, p, d, eps),
    ("rows", y, 2.0, -1, 1e-12),
    ("one", w(3, 2), 1.0, 0, 1e-12),
    ("zero_row", t([[0.0, 0.0], [3.0, 4.0]]), 2.0, 1, 1e-12),
    ("f32", w(2, 3, dtype=F32), 2.0, 1, 1e-12),
)
cases(
    "dist",
    lambda a, c, p: torch.dist(a, c, p),
    ("two", [y, w(3, seed=1)], 2.0),
    ("one", [y, w(2, 3, seed=1)], 1.0),
    ("same", [t([1.0, 2.0]), t([1.0, 2.0])], 2.0),
    ("three", [y, w(2, 3, seed=1)], 3.0),
)
cases(
    "cosine_similarity",
    F.cosine_similarity,
    ("rows", [y, w(2, 3, seed=1)], 1, 1e-8),
    ("broadcast", [w(2, 1, 3), w(4, 3, seed=1)], -1, 1e-8),
    ("zero", [t([0.0, 0.0]), t([1.0, 2.0])], 0, 1e-8),
)
cases(
    "pairwise_distance",
    F.pairwise_distance,
    ("two", [y, w(2, 3, seed=1)], 2.0, 1e-6, False),
    ("one_keep", [w(2, 3), w(2, 3, seed=1)], 1.0, 1e-6, True),
    ("vectors", [w(3), w(3, seed=1)], 2.0, 1e-6, False),
    ("same", [t([[1.0, 2.0]]), t([[1.0, 2.0]])], 2.0, 0.0, False),
)


def exact_cdist(a, c, p):
    return torch.cdist(a, c, p, compute_mode="donot_use_mm_for_euclid_dist")


cases(
    "cdist",
    exact_cdist,
    ("two", [w(3, 2), w(4, 2, seed=1)], 2.0),
    ("one", [w(3, 2), w(4, 2, seed=1)], 1.0),
    ("inf", [w(3, 2), w(4, 2, seed=1)], INF),
    ("three", [w(3, 2), w(2, 2, seed=1)], 3.0),
    ("batches", [w(2, 3, 2, layout="transposed"), w(1, 2, 2, seed=1)], 2.0),
    ("same", [t([[1.0, 2.0], [0.0, 1.0]]), t([[1.0, 2.0]])], 2.0),
)
cases("pdist", F.pdist, ("two", w(4, 2, layout="transposed"), 2.0), ("one", w(4, 3), 1.0), ("single", w(1, 3), 2.0))

# Statistics

flat = "std at equal values"
for name in ("var", "std"):
    cases(
        name,
        lambda x, c, name=name: getattr(torch, name)(x, correction=c),
        ("strided", y, 1.0),
        ("population", y, 0.0),
        ("f32", w(30, dtype=F32), 1.0),
        ("equal", t([2.0, 2.0, 2.0]), 1.0, D3(flat)),
        ("one", t([2.0]), 1.0, D3(flat)),
        ("nan", t([1.0, NAN]), 1.0),
    )
    cases(
        f"{name}_dim",
        lambda x, d, c, k, name=name: getattr(torch, name)(x, tuple(d), correction=c, keepdim=k),
        ("middle", x, [1], 1.0, False),
        ("two", x, [0, -1], 0.0, True),
        ("equal", t([[2.0, 2.0], [1.0, 2.0]]), [1], 1.0, False, D3(flat)),
        ("one", w(1, 2), [0], 1.0, False),
    )
    cases(
        f"{name}_mean_dim",
        lambda x, d, c, k, name=name: getattr(torch, f"{name}_mean")(x, tuple(d), correction=c, keepdim=k),
        ("middle", x, [1], 1.0, False),
        ("two", w(2, 3, 2, dtype=F32), [0, -1], 0.0, True),
    )
median = "median; cummax ties"
for name in ("median", "nanmedian"):
    cases(
        name,
        getattr(torch, name),
        ("odd", w(5, layout="sliced")),
        ("even", w(2, 3), D3(median)),
        ("nan", t([3.0, NAN, 1.0, 2.0])),
        ("integers", i([3, 1, 2, 2])),
        ("only_nan", t([NAN, NAN])),
    )
    cases(
        f"{name}_dim",
        lambda x, d, k, name=name: tuple(getattr(torch, name)(x, d, k)),
        ("middle", x, 1, False),
        ("last", y, -1, True),
        ("even", w(4, 3), 0, False, D3(median)),
        ("nan", t([[3.0, NAN, 1.0, 2.0], [4.0, 7.0, 5.0, 6.0]]), 1, False),
        ("scalar", w(), 0, False),
    )
for name in ("quantile", "nanquantile"):
    function = getattr(torch, name)
    cases(
        name,
        lambda x, *q, f=function: f(x, *q),
        ("number", y, 0.3),
        ("tensor", [w(5), t([0.0, 0.25, 1.0], grad=False)]),
        ("f32", w(7, dtype=F32), 0.9),
        ("nan", t([1.0, NAN, 3.0, 2.0]), 0.5),
        ("scalar", w(), 0.5),
    )
    cases(
        f"{name}_dim",
        lambda x, *a, f=function: f(x, a[0], dim=a[1], keepdim=a[2]),
        ("number", x, 0.3, 1, False),
        ("keep", y, 0.75, -1, True),
        ("tensor", [w(4, 2), t([0.1, 0.5, 0.9], grad=False)], 0, False),
        ("tensor_keep", [w(4, 2), t([0.1, 0.5], grad=False)], 1, True),
    )
cases(
    "mode_dim",
    lambda x, d, k: x.mode(d, k)[0],
    ("last", t([[1.0, 2.0, 2.0, 1.0, 3.0], [5.0, 4.0, 4.0, 4.0, 5.0]]), -1, False),
    ("first", i([[1, 2], [1, 3], [0, 3]]), 0, True),
)
cases(
    "cov",
    lambda x, c: torch.cov(x, correction=int(c)),
    ("rows", w(3, 5), 1.0),
    ("vector", w(5), 1.0),
    ("population", w(2, 4, layout="transposed"), 0.0),
)
cases("corrcoef", torch.corrcoef, ("rows", w(3, 5)), ("vector", w(5)))

# Order and search

many = t([[3.0, 1.0, 3.0, 2.0], [0.0, -0.0, NAN, -INF]])
cases(
    "sort",
    lambda x, d, r: tuple(torch.sort(x, dim=d, descending=r, stable=True)),
    ("middle", x, 1, False),
    ("down", y, -1, True),
    ("ties_nan", many, 1, False),
    ("ties_nan_down", many, 1, True),
    ("integers", i([3, 1, 3, 2]), 0, True),
    ("scalar", w(), 0, False),
    ("bool", b([True, False, True]), 0, False),
    ("f32", w(5, dtype=F32, layout="sliced"), 0, False),
)
cases(
    "argsort",
    lambda x, d, r: torch.argsort(x, dim=d, descending=r, stable=True),
    ("ties_nan", many, -1, False),
    ("down", y, 0, True),
)
cases("msort", torch.msort, ("rows", w(4, 2)))
cases(
    "topk",
    lambda x, k, d, largest, order: tuple(torch.topk(x, k, d, largest, order)),
    ("largest", y, 2, -1, True, True),
    ("smallest", w(5, 2), 3, 0, False, True),
    ("none", y, 0, 1, True, True),
    ("nan", t([1.0, NAN, 3.0]), 2, 0, True, True),
    ("integers", i([4, 9, 7]), 2, 0, True, True),
)
cases(
    "kthvalue",
    lambda x, k, d, keep: tuple(torch.kthvalue(x, k, d, keep)),
    ("middle", x, 2, 1, False),
    ("keep", y, 1, -1, True),
    ("scalar", w(), 1, 0, False),
)
cases(
    "aminmax",
    lambda x: tuple(torch.aminmax(x)),
    ("strided", y),
    ("ties", t([1.0, 1.0, 3.0, 3.0])),
    ("nan", t([1.0, NAN])),
    ("integers", i([3, 1])),
)
cases(
    "aminmax_dim",
    lambda x, d, k: tuple(torch.aminmax(x, dim=d, keepdim=k)),
    ("middle", x, 1, False),
    ("ties", t([[1.0, 1.0], [3.0, 2.0]]), -1, True),
)
edges = t([1.0, 2.0, 2.0, 5.0], grad=False)
values = t([[0.0, 2.0, 5.0], [6.0, NAN, 1.0]], grad=False)
cases(
    "searchsorted",
    lambda s, v, *a: torch.searchsorted(s, v, right=a[-1]),
    ("left", [edges, values], False),
    ("right", [edges, values], True),
    ("rows", [t([[1.0, 3.0], [2.0, 4.0]], grad=False), t([[0.0, 3.0, 9.0], [2.0, 2.0, 3.0]], grad=False)], False),
    ("integers", [i([1, 3, 5]), i([0, 3, 6])], True),
)
cases(
    "bucketize",
    lambda v, s, right: torch.bucketize(v, s, right=right),
    ("left", [values, edges], False),
    ("right", [values, edges], True),
)
cases(
    "bincount",
    lambda x, *a: torch.bincount(x, *a[:-1], minlength=a[-1]),
    ("plain", i([1, 3, 1, 0]), 0),
    ("longer", i([1]), 4),
    ("empty", i([]), 2),
    ("weights", [i([1, 3, 1]), t([0.5, 1.5, 2.0], grad=False)], 0),
)
cases(
    "histc",
    torch.histc,
    ("given", w(12, grad=False), 4, -1.0, 1.0),
    ("own_range", w(12, grad=False), 3, 0.0, 0.0),
    ("edges", t([0.0, 1.0, 2.0, 3.0], grad=False), 3, 0.0, 3.0),
)
cases(
    "unique",
    torch.unique,
    ("floats", t([[3.0, 1.0], [3.0, -2.0]], grad=False)),
    ("integers", i([5, 5, 2, 9])),
    ("bool", b([True, False, True])),
)
cases(
    "unique_inverse",
    lambda x: torch.unique(x, return_inverse=True, return_counts=True),
    ("floats", t([[3.0, 1.0], [3.0, -2.0]], grad=False)),
    ("integers", i([5, 5, 2, 9])),
)
