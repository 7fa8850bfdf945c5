"""Section `elementwise`: activations, special functions, remainders, logic on bits, in-place methods."""

import torch
import torch.nn.functional as F

from .core import section
from .families import F32, INF, NAN, PAIRS, b, binary, binary_method, case, define, i, in_place, plain, t, unary, w

section("elementwise")

# Special functions

plain("asinh", "sinc", "erfinv", low=-0.9, high=0.9, integers=(0, 1))
plain("atanh", low=-0.9, high=0.9, integers=(0,), points=(0.0, 1.0, -1.0, 1.5, NAN, INF))
plain("acosh", low=1.2, high=3.0, integers=(1, 2), points=(1.0, 0.5, NAN, INF))
case("asinh", "range", t([1e-9, -1e4, 1e10, -3.0]))
case("erfinv", "ends", t([1.0, -1.0, 1.5, 0.999, -0.99999, 1e-10]))
case("sinc", "range", t([1e-9, 1.0, 2.5, -7.3]))
plain("lgamma", "digamma", low=0.3, high=4.0, integers=(1, 2, 5))
case("lgamma", "negative", t([-0.5, -1.5, -1.0, -7.3, 30.0, 1e5]))
case("digamma", "negative", t([-0.5, -1.5, -7.3, 30.0, 1e5]))
case("digamma", "poles", t([-1.0, -2.0]), second=False)
for order in (0, 1, 2, 3):
    name = "polygamma"
    if order == 0:
        define(name, lambda x, n: torch.polygamma(n, x))
    case(name, f"order_{order}", w(2, 3, low=0.3, high=4.0, layout="transposed"), order)
    case(name, f"f32_order_{order}", w(3, low=0.3, high=4.0, dtype=F32), order)
case("polygamma", "points", t([0.0, INF, NAN, 20.0]), 1)
case("polygamma", "negative", t([-0.5, -2.3]), 1, second=False)
plain("frac", points=(0.0, -0.0, 0.5, 1.5, -0.5, -2.5, NAN, INF), integers=None)
define("logit", lambda x, eps: torch.logit(x, eps))
inside = dict(low=0.1, high=0.9)
case("logit", "strided", w(2, 3, layout="transposed", **inside), None)
case("logit", "f32", w(5, dtype=F32, **inside), None)
case("logit", "ends", t([0.0, 1.0, 0.5, -0.1, 1.1, NAN]), None)
case("logit", "eps", t([0.0, 1.0, 0.5, 0.1, 0.9, 0.05, 0.95]), 0.1)
case("logit", "integers", i([0, 1]), None)
unary("i0", torch.i0)
case("i0", "range", t([-7.9, 8.0, 8.1, 30.0, -100.0]))
unary("ndtr", torch.special.ndtr)
unary("log_ndtr", torch.special.log_ndtr)
case("ndtr", "tails", t([-10.0, -30.0, 10.0]))
case("log_ndtr", "tails", t([-1.0, -1.5, -10.0, -30.0, 10.0]))
unary(
    "entr", torch.special.entr, low=0.1, high=2.0, points=(0.0, -0.0, -1.0, 1.0, NAN, INF, -INF), integers=(0, 1, 3)
)
define("mvlgamma", lambda x, p: torch.mvlgamma(x, p))
case("mvlgamma", "two", w(2, 3, low=1.0, high=4.0, layout="transposed"), 2)
case("mvlgamma", "f32", w(3, low=1.5, high=4.0, dtype=F32), 3)
plain("deg2rad", "rad2deg")
plain("sgn", integers=(-2, 0, 3))
plain("positive")
plain("signbit")
unary("isposinf", torch.isposinf)
unary("isneginf", torch.isneginf)
define("nan_to_num", lambda x, *a: torch.nan_to_num(x, *a))
case("nan_to_num", "default", t([NAN, INF, -INF, 1.5]), 0.0, None, None)
case("nan_to_num", "given", t([NAN, INF, -INF, 1.5]), 1.0, 2.0, -3.0)
case("nan_to_num", "f32", t([NAN, INF, -INF, 1.5], F32), 0.0, None, None)
case("nan_to_num", "integers", i([1, -2]), 0.0, None, None)
define("round_decimals", lambda x, d: torch.round(x, decimals=d))
case("round_decimals", "two", t([1.234, -1.235, 2.345, NAN, INF]), 2)
case("round_decimals", "negative", t([1234.5, -1250.0, 150.0]), -2)
case("round_decimals", "f32", t([1.25, 0.35], F32), 1)

# Activations

edges = "relu6, hardtanh, hardsigmoid"
knots = (0.0, -0.0, 6.0, 3.0, -3.0, 1.0, -1.0, 7.0, NAN, INF, -INF)
unary("relu6", F.relu6, low=-3.0, high=9.0, points=knots, d3=edges)
unary("hardtanh", F.hardtanh, -1.0, 1.0, points=knots, d3=edges, integers=None)
case("hardtanh", "other_bounds", w(6, low=-3.0, high=3.0), -0.5, 2.0)
unary("hardsigmoid", F.hardsigmoid, low=-4.0, high=4.0, points=knots, d3=edges, integers=None)
unary("hardswish", F.hardswish, low=-4.0, high=4.0, points=knots, integers=None)
unary("leaky_relu", F.leaky_relu, 0.1, d3="leaky_relu(.1)", integers=None)
unary("elu", F.elu, 1.0, d3="elu", integers=None)
case("elu", "alpha", w(5), 0.5)
unary("celu", F.celu, 1.5, integers=None)
for name in ("selu", "silu", "mish", "softsign", "tanhshrink"):
    unary(name, getattr(F, name), integers=None)
unary("gelu", F.gelu, integers=None)
unary("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), integers=None)
for name in ("silu", "mish", "gelu", "gelu_tanh"):
    case(name, "tails", t([-40.0, -10.0, 10.0, 40.0]))
unary("softshrink", F.softshrink, 0.5, points=(0.5, -0.5, 0.0, 1.0, NAN, INF), integers=None, signed_zero=False)
unary("hardshrink", F.hardshrink, 0.5, points=(0.5, -0.5, 0.0, 1.0, NAN, INF), integers=None)
unary("threshold", lambda x, a, v: F.threshold(x, a, v), 0.5, -2.0, points=(0.5, 0.0, 1.0, NAN, INF), integers=None)
define("prelu", F.prelu)
case("prelu", "one", [w(2, 3), w(1, seed=1)])
case("prelu", "channels", [w(2, 3, 2, layout="transposed"), w(3, seed=1)])
case("prelu", "points", [t([0.0, -0.0, NAN, INF, -INF]), t([0.25])], second=False)
case("prelu", "kink", [t([0.0, -0.0, 1.0, -1.0]), t([0.25])])
define("glu", F.glu)
case("glu", "last", w(2, 4, layout="transposed"), -1)
case("glu", "first", w(4, 3, dtype=F32), 0)
define("softmin", F.softmin)
case("softmin", "last", w(2, 3, layout="transposed"), -1)

# Two tensors

binary_method("hypot", points=PAIRS, integers=False, d3="atan2(0,0), hypot(0,0)")
rows = ((0.0, 0.0), (0.0, 1.0), (0.0, NAN), (1.0, 0.0), (1.0, NAN), (NAN, 1.0), (0.0, INF), (2.0, -1.0))
row = "xlogy(x,y) at (0,0)"
binary("xlogy", torch.xlogy, low2=0.2, high2=3.0, points=rows, number=1.5, d3=row, integers=False)
case("xlogy", "integers", [i([0, 2, 3]), i([0, 1, 4])])
binary(
    "xlog1py",
    torch.special.xlog1py,
    low2=-0.7,
    high2=3.0,
    number=1.5,
    integers=False,
    points=((0.0, -1.0), (0.0, 0.0), (1.0, -1.0), (0.0, NAN), (NAN, 1.0)),
)
signs = (
    (7.0, 3.0),
    (-7.0, 3.0),
    (7.0, -3.0),
    (-7.0, -3.0),
    (6.0, 3.0),
    (1.0, 0.0),
    (INF, 2.0),
    (2.0, INF),
    (NAN, 1.0),
)
zero_free = [i([7, -7, 7, -7, 6]), i([3, 3, -3, -3, 3])]
for name in ("fmod", "remainder", "floor_divide"):
    d3 = "fmod, round, floor, sign" if name == "fmod" else None
    binary_method(name, low=-5.0, high=5.0, low2=0.7, high2=2.0, points=signs, number=1.5, integers=False, d3=d3)
    case(name, "integers", zero_free)
    case(name, "integer_number", i([7, -7, 6]), 3)
    case(name, "negative_number", w(4, low=-5.0, high=5.0), -1.5)
binary_method("logaddexp", "logaddexp2", points=PAIRS + ((-INF, -INF), (1000.0, 0.0), (-INF, 1.0)), integers=False)
binary_method("copysign", points=((1.0, -0.0), (0.0, -1.0), (-2.0, 0.0), (NAN, -1.0), (2.0, -INF)), number=-1.0)
define("heaviside", torch.heaviside)
case("heaviside", "points", [t([-1.0, 0.0, -0.0, 2.0, NAN], grad=False), t([0.5], grad=False)])
case("heaviside", "integers", [i([-1, 0, 2]), i([5])])
binary("float_power", torch.float_power, low=0.3, high=2.0, number=2, integers=False)
case("float_power", "integers", [i([1, 2, 3]), i([2, -1, 0])])
define("lerp", lambda x, end, *w: x.lerp(end, *w))
case("lerp", "number", [w(2, 3, layout="transposed"), w(3, seed=1)], 0.3)
case("lerp", "number_above_half", [w(2, 3, dtype=F32), w(3, seed=1, dtype=F32)], 0.75)
case("lerp", "tensor", [w(2, 3), w(2, 3, seed=1), w(3, seed=2, low=0.0, high=1.0)])
for name, low in (("addcmul", -2.0), ("addcdiv", 0.5)):
    define(name, lambda x, a, c, v, name=name: getattr(torch, name)(x, a, c, value=v))
    case(name, "broadcast", [w(2, 3), w(3, seed=1), w(2, 1, seed=2, low=low)], 0.5)
    case(
        name,
        "f32",
        [w(2, 3, dtype=F32, layout="transposed"), w(2, 3, seed=1, dtype=F32), w(2, 3, seed=2, dtype=F32, low=low)],
        1.0,
    )
for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    define(name, getattr(torch, name))
    case(name, "integers", [i([[12, -7, 0], [5, 6, -1]]), i([10, 3, 9])])
    case(name, "bool", [b([True, True, False]), b([True, False, False])])
define("bitwise_not", torch.bitwise_not)
case("bitwise_not", "integers", i([0, 5, -8]))
case("bitwise_not", "bool", b([True, False]))

# In place

square = w(2, 3, layout="transposed")
for name in ("floor_", "ceil_", "round_", "trunc_", "frac_", "square_", "sin_", "cos_", "tan_", "erf_", "expm1_"):
    in_place(name, square)
in_place("rsqrt_", w(3, low=0.5))
in_place("log1p_", w(3, low=-0.5))
in_place("leaky_relu_", square, 0.1, function=F.leaky_relu_)
in_place("elu_", square, 0.5, function=F.elu_)
in_place("clamp_min_", square, -0.5)
in_place("clamp_max_", square, 0.5)
in_place("nan_to_num_", t([NAN, INF, 1.0]), 0.5, None, None)
in_place("lerp_", [square, w(3, seed=1)], 0.3)
in_place(
    "addcmul_", [square, w(3, seed=1), w(2, 1, seed=2)], 0.5, function=lambda x, a, c, v: x.addcmul_(a, c, value=v)
)
in_place(
    "addcdiv_",
    [square, w(3, seed=1), w(2, 1, seed=2, low=0.5)],
    0.5,
    function=lambda x, a, c, v: x.addcdiv_(a, c, value=v),
)
in_place("fmod_", [square, w(3, low=0.5)])
in_place("remainder_", [square, w(3, low=0.5)])
in_place("copysign_", [square, w(3)])
