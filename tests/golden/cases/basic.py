"""Section `basic`: arithmetic, elementary functions, comparisons, reductions, extrema."""

import torch
import torch.nn.functional as F

from .core import section
from .families import (
    BOOL,
    F32,
    F64,
    I64,
    INF,
    NAN,
    PAIRS,
    b,
    binary,
    binary_method,
    case,
    define,
    i,
    in_place,
    plain,
    t,
    unary,
    w,
)

section("basic")

# Elementary functions

plain("exp", "exp2", "expm1", "sigmoid", "erf", "erfc", "tanh", "sinh", "cosh", "atan", "sin", "cos", "tan")
plain("log2", "log10", "rsqrt", low=0.2, high=3.0, integers=(1, 2, 4))
plain("log1p", low=-0.7, high=3.0, integers=(0, 1, 4))
plain("asin", "acos", low=-0.9, high=0.9, integers=(-1, 0, 1), points=(0.0, 1.0, -1.0, 1.5, NAN, INF))
plain("neg", "square", "reciprocal")
unary("logsigmoid", F.logsigmoid, integers=None)
plain("relu", d3="relu")
plain("abs", d3="abs")
plain("sqrt", low=0.2, high=3.0, integers=(0, 1, 4), points=(0.0, -0.0, -1.0, INF, NAN), d3="sqrt")
plain("log", low=0.2, high=3.0, integers=(1, 2, 4), points=(0.0, -0.0, -1.0, INF, NAN), d3="log")
plain("round", "floor", "sign", points=(0.0, -0.0, 0.5, 1.5, -0.5, -2.5, NAN, INF), d3="fmod, round, floor, sign")
plain("ceil", "trunc", points=(0.0, -0.0, 0.5, 1.5, -0.5, -2.5, NAN, INF))
unary("softplus", F.softplus, 1.0, 20.0, integers=None)
case("softplus", "beta", w(5, low=-3.0, high=3.0), 2.0, 4.0)
case("softplus", "threshold", t([19.5, 20.0, 20.0000001, 20.5, 25.0, -40.0]), 1.0, 20.0, d3="softplus")
case("erfc", "tails", t([5.0, 10.0, 26.0, -5.0]))
case("expm1", "near_zero", t([1e-20, -1e-10, 1e-300]))
case("log1p", "near_zero", t([1e-20, -1e-10, 1e-300]))
case("sigmoid", "tails", t([-800.0, -40.0, 40.0, 800.0]))
case("logsigmoid", "tails", t([-800.0, -40.0, 40.0, 800.0]))
case("tanh", "tails", t([-20.0, 20.0, 400.0]))

# Arithmetic

binary_method("add", "sub", "mul", points=PAIRS, number=1.5)
binary_method("div", points=PAIRS, low2=0.5, high2=2.0, number=1.5)
case("add", "bool_and_number", b([True, False]), 2)
case("mul", "integer_and_float", i([1, 2]), 0.5)
case("div", "integers_by_a_number", i([7, -7, 0]), 2)
case("add", "scalars", [w(), w(seed=1)])
define("rsub", lambda x, n: n - x)
case("rsub", "number", w(2, 3, layout="transposed"), 1.5)
case("rsub", "integers", i([1, -2]), 3)
binary("pow", lambda x, y: x.pow(y), low=0.3, high=2.0, low2=-2.0, high2=2.0, number=2.5, integers=False)
case(
    "pow",
    "tensors",
    [t([0.0, 0.0, 0.0, 0.0, -2.0, -2.0, 2.0, NAN]), t([0.0, 2.0, 0.5, -1.0, 2.0, 3.0, 0.0, 0.0])],
    d3="pow(a,b) tensors",
)
for power in (0, 1, 2, 3, 0.5, 1.5, -1, -0.5):
    case("pow", f"points_{power}", t([0.0, -0.0, -1.0, 2.0, NAN, INF]), float(power), d3="x**0, x**1, x**2, x**.5")
case("pow", "integers", [i([2, -3, 0, 5])], 3)
case("pow", "integer_tensors", [i([2, -3, 0, 5]), i([3, 2, 0, 1])])
case("pow", "integer_exponents", [w(4), i([2, 0, 1, 3])])
define("rpow", lambda x, n: n**x)
case("rpow", "number", w(2, 3, layout="transposed"), 1.5)
case("rpow", "zero", t([0.0, 1.0, 2.5]), 0.0)
case("rpow", "integers", i([0, 1, 5]), 2)
binary_method("atan2", points=PAIRS, integers=False, d3="atan2(0,0), hypot(0,0)")
binary_method("maximum", "minimum", points=PAIRS, d3="maximum/minimum (binary)")
binary_method("fmax", "fmin", points=PAIRS, d3="fmax")
binary_method("eq", "ne", "lt", "le", "gt", "ge", points=PAIRS, number=0.5)
binary_method("logical_and", "logical_or", "logical_xor", points=PAIRS)
unary("logical_not", torch.logical_not)
unary("isnan", torch.isnan)
unary("isinf", torch.isinf)
unary("isfinite", torch.isfinite)
define("isclose", torch.isclose)
define("allclose", torch.allclose)
define("equal", torch.equal)
close = [t([1.0, 1.0, INF, NAN, -INF, 0.0]), t([1.0 + 1e-9, 1.1, INF, NAN, INF, 1e-9])]
case("isclose", "points", close, 1e-5, 1e-8)
case("isclose", "integers", [i([1, 100]), i([2, 101])], 0.05, 0.0)
case("allclose", "broadcast", [w(2, 3), w(3)], 1e-5, 1e-8)
case("allclose", "near", [t([1.0, 2.0]), t([1.0 + 1e-9, 2.0])], 1e-5, 1e-8)
case("equal", "same", [i([1, 2]), i([1, 2])])
case("equal", "nan", [t([NAN]), t([NAN])])
case("equal", "shapes", [w(2), w(2, 1)])

# Bounds

define("clamp", lambda x, *rest: x.clamp(*rest))
knots = [-2.0, -1.0, 0.0, 1.0, 2.0, NAN, INF, -INF]
case("clamp", "numbers", t(knots), -1.0, 1.0, d3="clamp(lo,hi), clamp(min)")
case("clamp", "only_min", t(knots), -1.0, None, d3="clamp(lo,hi), clamp(min)")
case("clamp", "only_max", t(knots), None, 1.0, d3="clamp(lo,hi), clamp(min)")
case("clamp", "min_above_max", t(knots), 1.0, -1.0)
case("clamp", "integers", i([-3, 0, 3]), -1, 1)
case("clamp", "f32_strided", w(2, 3, dtype=F32, layout="transposed"), -1.0, 0.5)
TENSOR_BOUNDS = "clamp with tensor bounds"
case(
    "clamp",
    "tensors",
    [t([-2.0, -1.0, 0.0, 1.0, 2.0, 0.5]), t([-1.0, -1.0, -1.0, -1.0, -1.0, 2.0]), t([1.0, 1.0, 1.0, 1.0, 1.0, 1.0])],
    d3=TENSOR_BOUNDS,
)
case("clamp", "tensors_broadcast", [w(2, 3), w(3, low=-1.5, high=-0.5), w(2, 1, low=0.5, high=1.0)], d3=TENSOR_BOUNDS)
binary_method(
    "clamp_min", "clamp_max", points=((1.0, 1.0), (0.0, 1.0), (2.0, 1.0), (INF, 1.0)), number=0.25, d3=TENSOR_BOUNDS
)
case("clamp_min", "number_points", t(knots), -1.0, d3="clamp(lo,hi), clamp(min)")
case("clamp_max", "number_points", t(knots), 1.0, d3="clamp(lo,hi), clamp(min)")

# Selection

define("where_", torch.where)
case("where_", "tensors", [b([[True, False, True]]), w(2, 3, layout="transposed"), w(3, seed=1)])
case("where_", "promoted", [b([True, False]), w(2, dtype=F32), w(2, seed=1)])
case("where_", "integers", [b([True, False]), i([1, 2]), i([3, 4])])
define("where_sqrt", lambda x: torch.where(x > 0, x.sqrt(), 0 * x))
define("where_reciprocal", lambda x: torch.where(x == 0, 0 * x, 1 / x))
case("where_sqrt", "leak", t([-1.0, 0.0, 1.0, 4.0]), d3="where(cond, f, g)")
case("where_reciprocal", "leak", t([-1.0, 0.0, 2.0]), d3="where(cond, f, g)")
define("masked_fill", lambda x, mask, value: x.masked_fill(mask, value))
case("masked_fill", "number", [w(2, 3, layout="transposed"), b([True, False, True])], 0.5)
case("masked_fill", "tensor", [w(2, 3), b([[True, False, True], [False, False, True]]), w(seed=2)])
case("masked_fill", "integers", [i([1, 2, 3]), b([True, False, False])], 9)
define("masked_select", torch.masked_select)
case("masked_select", "broadcast", [w(2, 3, layout="transposed"), b([True, False, True])])
case("masked_select", "none", [w(3), b([False, False, False])])

# Reductions

for name in ("sum", "mean", "max", "min"):
    define(name, lambda x, name=name: getattr(x, name)())
    case(name, "strided", w(2, 3, layout="transposed"))
    case(name, "f32", w(40, dtype=F32, layout="sliced"))
    case(name, "scalar", w())
for name in ("sum", "mean"):
    case(name, "empty", t([]))
    case(name, "points", t([1.0, INF, 2.0]))
    define(f"{name}_dim", lambda x, dims, keepdim, name=name: getattr(x, name)(dims, keepdim))
    case(f"{name}_dim", "negative", w(2, 3, 4, layout="transposed"), [-1, 0], True)
    case(f"{name}_dim", "one", w(2, 3, 4, dtype=F32), [1], False)
    case(f"{name}_dim", "empty", t([]).reshaped((0, 3), ""), [0], False)
    case(f"{name}_dim", "all", w(2, 3), [0, 1], False)
case("sum", "integers", i([[1, 2], [3, 4]]))
case("sum", "bool", b([True, False, True]))
case("sum_dim", "bool", b([[True, False], [True, True]]), [0], False)
for name in ("max", "min"):
    ties = "max(), min(), amax, amin"
    case(name, "ties", t([3.0, 1.0, 3.0, 1.0]), d3=ties)
    case(name, "nan", t([1.0, NAN, 3.0, NAN]), d3="max() with NaN")
    case(name, "integers", i([3, -1, 3]))
    arg, extremum = f"a{name}", f"{name}_dim"
    define(arg, lambda x, dims, keepdim, arg=arg: getattr(x, arg)(dims, keepdim))
    case(arg, "ties", t([[3.0, 1.0, 3.0], [1.0, 1.0, 2.0]]), [1], False, d3=ties)
    case(arg, "ties_full", t([[3.0, 1.0, 3.0], [1.0, 1.0, 2.0]]), [0, 1], True, d3=ties)
    case(arg, "nan", t([[1.0, NAN], [NAN, 2.0], [1.0, 2.0]]), [-1], False, d3="max() with NaN")
    case(arg, "strided", w(2, 3, 2, layout="transposed"), [-1, 0], True)
    case(arg, "f32", w(4, 3, dtype=F32), [0], False)
    define(extremum, lambda x, dim, keepdim, name=name: tuple(getattr(x, name)(dim, keepdim)))
    case(extremum, "ties", t([[3.0, 1.0, 3.0], [1.0, 1.0, 2.0]]), 1, False, d3="max(dim)/min(dim)")
    case(extremum, "nan", t([[1.0, NAN, NAN], [4.0, 2.0, 3.0]]), -1, True, d3="max(dim)/min(dim)")
    case(extremum, "strided", w(2, 3, 2, layout="transposed"), 0, False)
    case(extremum, "scalar", w(), -1, False)
    case(extremum, "integers", i([[3, 1], [1, 3]]), 0, False)
    define(f"arg{name}", lambda x, name=name: getattr(x, f"arg{name}")())
    define(f"arg{name}_dim", lambda x, dim, keepdim, name=name: getattr(x, f"arg{name}")(dim, keepdim))
    case(f"arg{name}", "ties", t([[1.0, 3.0], [3.0, 1.0]]))
    case(f"arg{name}", "nan", t([1.0, NAN, 3.0, NAN]))
    case(f"arg{name}_dim", "ties", t([[1.0, 3.0, 3.0], [3.0, 1.0, 1.0]]), -1, True)
    case(f"arg{name}_dim", "strided", w(2, 3, layout="transposed"), 0, False)
for name in ("any", "all"):
    define(name, lambda x, name=name: getattr(x, name)())
    define(f"{name}_dim", lambda x, dims, keepdim, name=name: getattr(torch, name)(x, dims, keepdim))
    case(name, "bool", b([[True, False], [True, True]]))
    case(name, "nan", t([0.0, NAN]))
    case(name, "empty", t([]))
    case(f"{name}_dim", "one", b([[True, False], [True, True]]), [0], False)
    case(f"{name}_dim", "two", i([[[1, 0], [0, 0]], [[2, 3], [4, 5]]]), [-1, 1], True)
for name in ("softmax", "log_softmax"):
    define(name, lambda x, dim, name=name: getattr(x, name)(dim))
    case(name, "last", w(2, 3, layout="transposed"), -1)
    case(name, "first", w(3, 2, 2), 0)
    case(name, "f32", w(2, 5, dtype=F32, layout="sliced"), 1)
    case(name, "scalar", w(), 0)
    case(name, "large", t([[1000.0, 0.0, -1000.0], [-INF, 0.0, 1.0]]), 1)
    case(name, "all_infinite", t([[-INF, -INF], [INF, 0.0]]), 1)
    case(name, "empty", t([]).reshaped((0, 3), ""), 1)
define("logsumexp", lambda x, dims, keepdim: x.logsumexp(dims, keepdim))
case("logsumexp", "one", w(2, 3, layout="transposed"), [-1], False)
case("logsumexp", "two", w(2, 3, 2), [0, 2], True)
case("logsumexp", "f32", w(2, 5, dtype=F32), [1], False)
case("logsumexp", "large", t([[1000.0, 0.0, -1000.0], [-INF, 0.0, 1.0], [INF, 0.0, 1.0]]), [1], False)
case("logsumexp", "all_infinite", t([[-INF, -INF], [0.0, 1.0]]), [1], False, d3="logsumexp of all -inf")

# Losses of the tensor crate

define("cross_entropy", F.cross_entropy)
case("cross_entropy", "classes", [w(3, 4, layout="transposed"), i([3, 0, 1])])
case("cross_entropy", "f32", [w(3, 4, dtype=F32), i([3, 0, 1])])
case("cross_entropy", "one_row", [w(4), i(2)])
case("cross_entropy", "probabilities", [w(2, 3), w(2, 3, low=0.1, high=0.5)])
define("nll_loss", F.nll_loss)
case("nll_loss", "classes", [w(3, 4, layout="transposed"), i([3, 0, 1])])
case("nll_loss", "one_row", [w(4), i(2)])
define("mse_loss", F.mse_loss)
case("mse_loss", "same", [w(2, 3, layout="transposed"), w(2, 3, seed=1)])
case("mse_loss", "f32", [w(2, 3, dtype=F32), w(2, 3, seed=1, dtype=F32)])
case("mse_loss", "empty", [t([]), t([])])
define("l1_loss", F.l1_loss)
case("l1_loss", "same", [w(2, 3, layout="transposed"), w(2, 3, seed=1)])
case("l1_loss", "knee", [t([0.0, 1.0, -1.0, 2.0]), t([0.0, 0.0, 0.0, 2.0])], d3="smooth_l1, huber, l1")
case("l1_loss", "nan", [t([0.0, NAN]), t([0.0, 0.0])])

# Conversions

define("to_dtype", lambda x, dtype: x.to({"f64": F64, "f32": F32, "i64": I64, "bool": BOOL}[dtype]))
case("to_dtype", "narrower", w(2, 3, layout="transposed"), "f32")
case("to_dtype", "integers", t([1.7, -1.7, 0.0]), "i64")
case("to_dtype", "bool", t([0.0, -0.0, NAN, 2.0]), "bool")
for name in ("double", "float", "long", "bool"):
    define(name, lambda x, name=name: getattr(x, name)())
    case(name, "f32", w(3, dtype=F32))
    case(name, "integers", i([0, 1, -3]))
define("copy", torch.clone)
define("contiguous", lambda x: x.contiguous())
case("copy", "strided", w(2, 3, layout="transposed"))
case("contiguous", "strided", w(2, 3, layout="sliced"))

# In place

for name in ("add_", "sub_", "mul_"):
    in_place(name, [w(2, 3, layout="transposed"), w(3, seed=1)])
    case(name, "number", w(3), 2)
in_place("div_", [w(2, 3), w(3, seed=1, low=0.5)])
in_place("pow_", w(3, low=0.5), 2.5)
for name in ("neg_", "reciprocal_", "exp_", "abs_", "sign_", "tanh_", "sigmoid_", "relu_"):
    in_place(name, w(2, 3, layout="transposed"))
for name in ("log_", "sqrt_"):
    in_place(name, w(2, 3, low=0.5))
in_place("clamp_", w(5), -0.75, None)
in_place("masked_fill_", [w(2, 3), b([True, False, True])], 0.5)
in_place("copy_", [w(2, 3), w(3, seed=1, dtype=F32)])
in_place("fill_", w(2, 3), 1.5)
in_place("zero_", w(2, 3))
