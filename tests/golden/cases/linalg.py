"""Section `linalg`: decompositions and what is made of them, in combinations free of choices of sign."""

import torch

from . import core
from .core import F32, F64, INF, case, define, section, t, w

section("linalg")

L = torch.linalg


def cases(name, function, *rows):
    core.cases(f"linalg.{name}", function, *rows)


def well(*shape, seed=0, dtype=F64, layout="", diagonal=3.0):
    """A square matrix whose diagonal is heavy enough to be far from singular."""
    x = w(*shape, low=-1.0, high=1.0, seed=seed, dtype=dtype)
    x.plain = x.plain + diagonal * torch.eye(shape[-1], dtype=dtype)
    return x.reshaped(shape, layout)


def definite(*shape, seed=0, dtype=F64, layout=""):
    """A symmetric positive definite matrix with well separated eigenvalues."""
    n = shape[-1]
    x = w(*shape, low=-0.5, high=0.5, seed=seed, dtype=dtype)
    spread = torch.diag(2.0 + 1.5 * torch.arange(n, dtype=dtype))
    x.plain = ((x.plain + x.plain.mT) / 2 + spread).double().mul(1000).round().div(1000).to(dtype)
    return x.reshaped(shape, layout)


a, many, f32 = well(3, 3, layout="transposed"), well(2, 2, 2), well(3, 3, dtype=F32)
positive = definite(3, 3, layout="transposed")
wide, tall = w(2, 4, layout="transposed"), w(4, 2, seed=1)
singular = t([[1.0, 2.0], [2.0, 4.0]])

cases("cholesky", L.cholesky, ("plain", positive), ("batches", definite(2, 2, 2)), ("f32", definite(3, 3, dtype=F32)))


cases(
    "cholesky_solve",
    lambda b, factor, u: torch.cholesky_solve(b, torch.triu(factor) if u else torch.tril(factor), upper=u),
    ("lower", [w(3, 2), well(3, 3)], False),
    ("upper", [w(3, 2), well(3, 3)], True),
)
cases("cholesky_inverse", lambda factor: torch.cholesky_inverse(torch.tril(factor)), ("lower", well(3, 3)))
cases(
    "solve",
    L.solve,
    ("matrix", [a, w(3, 2, seed=1)]),
    ("vector", [a, w(3, seed=1)]),
    ("batches", [many, w(2, 2, 3, seed=1)]),
    ("broadcast", [well(2, 2), w(3, 2, 2, seed=1)]),
    ("f32", [f32, w(3, 2, seed=1, dtype=F32)]),
)
cases(
    "solve_triangular",
    lambda a, b, u, left, unit: L.solve_triangular(a, b, upper=u, left=left, unitriangular=unit),
    ("lower", [a, w(3, 2, seed=1)], False, True, False),
    ("upper", [a, w(3, 2, seed=1)], True, True, False),
    ("right", [a, w(2, 3, seed=1)], True, False, False),
    ("unit", [well(3, 3), w(3, 2, seed=1)], False, True, True),
    ("batches", [many, w(2, 2, 1, seed=1)], False, True, False),
)
cases("inv", L.inv, ("plain", a), ("batches", many), ("f32", f32))
cases(
    "det",
    L.det,
    ("plain", a),
    ("batches", many),
    ("singular", singular),
    ("empty", w(0, 0)),
    ("f32", f32),
    ("negative", t([[0.0, 2.0], [3.0, 1.0]])),
)
cases(
    "slogdet",
    lambda x: tuple(L.slogdet(x)),
    ("plain", a),
    ("batches", many),
    ("negative", t([[0.0, 2.0], [3.0, 1.0]])),
)
case("linalg.slogdet", "singular", t([[1.0, 2.0], [2.0, 4.0]], grad=False))
cases("logdet", torch.logdet, ("plain", a), ("negative", t([[0.0, 2.0], [3.0, 1.0]], grad=False)))


def eigh(x):
    values, vectors = L.eigh(x)
    return values, (vectors * values.unsqueeze(-2)) @ vectors.mT, vectors.abs()


def svd(x, full):
    u, s, vh = L.svd(x, full_matrices=full)
    k = s.shape[-1]
    return (
        (u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :],
        s,
        u[..., :k].abs(),
        vh[..., :k, :].abs(),
        u @ u.mT,
        vh @ vh.mT,
    )


def qr(x):
    q, r = L.qr(x)
    return q @ r, q.abs(), r.abs()


cases("eigh", eigh, ("plain", positive), ("batches", definite(2, 2, 2)), ("f32", definite(3, 3, dtype=F32)))
cases("eigvalsh", L.eigvalsh, ("plain", positive), ("batches", definite(2, 2, 2)))
cases(
    "svd",
    svd,
    ("square", a, False),
    ("wide", wide, False),
    ("tall", tall, False),
    ("batches", many, False),
    ("f32", well(3, 3, dtype=F32), False),
)
case("linalg.svd", "full", w(2, 4, grad=False), True)
cases("svdvals", L.svdvals, ("square", a), ("wide", wide))
cases("qr", qr, ("square", a), ("tall", tall), ("batches", many), ("f32", f32))
cases(
    "lstsq", lambda a, b: L.lstsq(a, b).solution, ("tall", [tall, w(4, 2, seed=2)]), ("square", [a, w(3, 1, seed=1)])
)
cases(
    "matrix_exp",
    L.matrix_exp,
    ("plain", w(3, 3, low=-1.0, high=1.0, layout="transposed")),
    ("large", well(2, 2, diagonal=5.0)),
    ("batches", many),
    ("zero", t([[0.0, 0.0], [0.0, 0.0]])),
    ("nilpotent", t([[0.0, 1.0], [0.0, 0.0]])),
    ("f32", f32),
)
cases("pinv", L.pinv, ("tall", tall), ("wide", wide), ("square", a))
case("linalg.pinv", "singular", t([[1.0, 2.0], [2.0, 4.0]], grad=False))
cases(
    "matrix_rank",
    L.matrix_rank,
    ("full", a),
    ("singular", singular),
    ("zero", t([[0.0, 0.0], [0.0, 0.0]])),
    ("batches", many),
)
kinds = {
    "fro": "fro",
    "nuc": "nuc",
    "one": 1,
    "inf": INF,
    "two": 2,
    "minus_one": -1,
    "minus_inf": -INF,
    "minus_two": -2,
}
define("linalg.matrix_norm", lambda x, kind: L.matrix_norm(x, kinds[kind]))
for kind in ("fro", "nuc", "one", "inf", "two"):
    case("linalg.matrix_norm", kind, wide, kind)
    case("linalg.matrix_norm", f"{kind}_batches", w(2, 2, 3), kind)
case("linalg.matrix_norm", "fro_zero", t([[0.0, 0.0]]), "fro")
cases("cond", L.cond, ("square", a), ("f32", f32))
cases("matrix_power", L.matrix_power, ("negative", a, -2), ("three", many, 3))
