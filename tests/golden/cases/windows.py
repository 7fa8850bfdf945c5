"""Section `windows`: convolutions, pools, resizing, normalization, embedding, attention."""

import torch.nn.functional as F

from .core import F32, INF, NAN, b, case, cases, define, i, optional, section, t, w

section("windows")


def small(*shape, **options):
    return w(*shape, low=-1.0, high=1.0, **options)


# Convolutions


def convolution(function):
    """With its bias, if there is one, and the options that stand last."""

    def call(*a):
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in a[-1].items()}
        return function(a[0], a[1], optional(a[:-1], 2), **options)

    return call


for n, size, kernel in ((1, (6,), (3,)), (2, (4, 5), (3, 2)), (3, (3, 3, 4), (2, 2, 2))):
    define(f"conv{n}d", convolution(getattr(F, f"conv{n}d")))
    define(f"conv_transpose{n}d", convolution(getattr(F, f"conv_transpose{n}d")))
    x, k = small(2, 2, *size), small(3, 2, *kernel, seed=1)
    turned = small(2, 3, *kernel, seed=1)
    bias = small(3, seed=2)
    for name, weight, extra in ((f"conv{n}d", k, {}), (f"conv_transpose{n}d", turned, {"output_padding": [1] * n})):
        case(name, "plain", [x, weight], {})
        case(name, "bias", [x, weight, bias], {"stride": [2] * n, "padding": [1] * n, **extra})
        if n < 3:
            case(
                name,
                "strided",
                [small(1, 2, *size, layout="transposed"), weight],
                {"dilation": [2] * n, "padding": [2] * n},
            )
            case(
                name,
                "groups",
                [small(1, 4, *size), small(4, 2 if "trans" not in name else 3, *kernel, seed=3)],
                {"groups": 2},
            )
            case(
                name,
                "f32",
                [small(2, 2, *size, dtype=F32), small(*weight.plain.shape, seed=1, dtype=F32)],
                {"padding": [1] * n},
            )
    case(f"conv{n}d", "unbatched", [small(2, *size), k], {})
    case(f"conv{n}d", "same", [x, k, bias], {"padding": "same"})
case(
    "conv2d",
    "uneven",
    [small(1, 2, 5, 4), small(2, 2, 2, 3, seed=1)],
    {"stride": [1, 2], "padding": [0, 1], "dilation": [2, 1]},
)
case("conv2d", "depthwise", [small(1, 3, 4, 4), small(3, 1, 3, 3, seed=1)], {"groups": 3, "padding": [1, 1]})

# Pools

for n, size in ((1, (7,)), (2, (5, 6))):
    x = small(2, 2, *size)
    k = [3, 2][:n]
    most = getattr(F, f"max_pool{n}d")
    cases(
        f"max_pool{n}d",
        lambda x, k, o, f=most: f(x, k, **o),
        ("plain", x, k, {}),
        ("overlap", x, k, {"stride": [1] * n, "padding": [1] * n}),
        ("ceil", x, [2] * n, {"stride": [2] * n, "ceil_mode": True}),
        ("dilated", x, [2] * n, {"stride": [1] * n, "dilation": [2] * n}),
        ("f32", small(1, 2, *size, dtype=F32, layout="sliced"), k, {}),
        ("unbatched", small(2, *size), k, {}),
    )
    cases(
        f"max_pool{n}d_with_indices",
        lambda x, k, o, f=most: f(x, k, return_indices=True, **o),
        ("overlap", x, k, {"stride": [1] * n, "padding": [1] * n}),
    )
    cases(
        f"avg_pool{n}d",
        lambda x, k, o, n=n: getattr(F, f"avg_pool{n}d")(x, k, **o),
        ("plain", x, k, {}),
        ("padded", x, k, {"stride": [2] * n, "padding": [1] * n}),
        ("not_counted", x, k, {"stride": [2] * n, "padding": [1] * n, "count_include_pad": False}),
        ("ceil", x, [2] * n, {"stride": [2] * n, "ceil_mode": True}),
        ("f32", small(1, 2, *size, dtype=F32), k, {}),
    )
    to = [3, 4][:n]
    cases(
        f"adaptive_avg_pool{n}d",
        lambda x, s, n=n: getattr(F, f"adaptive_avg_pool{n}d")(x, s),
        ("uneven", x, to),
        ("one", x, [1] * n),
    )
    cases(
        f"adaptive_max_pool{n}d",
        lambda x, s, n=n: getattr(F, f"adaptive_max_pool{n}d")(x, s),
        ("uneven", x, to),
        ("one", x, [1] * n),
    )
case("max_pool1d", "ties", t([[[1.0, 1.0, 2.0, 2.0]]]), [2], {})
case("max_pool1d", "nan", t([[[1.0, NAN, 2.0, INF]]]), [2], {})

# Resizing


def resize(x, o):
    size = tuple(o["size"]) if "size" in o else None
    scale = tuple(o["scale"]) if "scale" in o else None
    corners = {"align_corners": o["align_corners"]} if "align_corners" in o else {}
    return F.interpolate(x, size=size, scale_factor=scale, mode=o["mode"], **corners)


line, picture = small(1, 2, 5), small(1, 2, 3, 4)
define("interpolate", resize)
for mode in ("nearest", "area"):
    case("interpolate", f"{mode}_size", line, {"size": [8], "mode": mode})
    case("interpolate", f"{mode}_down", picture, {"size": [2, 3], "mode": mode})
    case("interpolate", f"{mode}_scale", picture, {"scale": [2.0, 1.5], "mode": mode})
for corners in (False, True):
    case("interpolate", f"linear_{corners}", line, {"size": [8], "mode": "linear", "align_corners": corners})
    for mode in ("bilinear", "bicubic"):
        case("interpolate", f"{mode}_{corners}", picture, {"size": [5, 7], "mode": mode, "align_corners": corners})
        case(
            "interpolate",
            f"{mode}_scale_{corners}",
            small(1, 1, 3, 4, dtype=F32),
            {"scale": [1.6, 0.6], "mode": mode, "align_corners": corners},
        )
cases(
    "im2col",
    lambda x, k, o: F.unfold(x, k, **o),
    ("plain", small(2, 2, 4, 5), [2, 3], {}),
    ("options", small(1, 2, 5, 4), [2, 2], {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]}),
)
cases(
    "col2im",
    lambda x, s, k, o: F.fold(x, s, k, **o),
    ("plain", small(2, 12, 9), [4, 5], [2, 3], {}),
    ("options", small(1, 8, 6), [5, 4], [2, 2], {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]}),
)
cases("pixel_shuffle", F.pixel_shuffle, ("two", small(1, 8, 2, 3), 2), ("unbatched", small(4, 2, 2), 2))
cases("pixel_unshuffle", F.pixel_unshuffle, ("two", small(1, 2, 4, 6), 2))
define("grid_sample", lambda x, g, mode, pad, corners: F.grid_sample(x, g, mode, pad, corners))
grid = w(1, 2, 3, 2, low=-1.4, high=1.4, seed=1)
for mode in ("bilinear", "nearest"):
    for padding in ("zeros", "border", "reflection"):
        case("grid_sample", f"{mode}_{padding}", [small(1, 2, 3, 4), grid], mode, padding, padding == "border")
case(
    "grid_sample",
    "f32",
    [small(1, 2, 3, 4, dtype=F32), w(1, 2, 3, 2, low=-1.0, seed=1, high=1.0, dtype=F32)],
    "bilinear",
    "zeros",
    True,
)
cases(
    "affine_grid",
    lambda theta, s, corners: F.affine_grid(theta, s, corners),
    ("corners", small(2, 2, 3), [2, 1, 3, 2], True),
    ("centres", small(1, 2, 3), [1, 1, 2, 4], False),
)

# Normalization


def affine(x):
    """Weight and bias for `x` features."""
    return [w(*x, low=0.5, high=1.5, seed=6), small(*x, seed=7)]


cases(
    "layer_norm",
    lambda x, *a: F.layer_norm(x, a[-2], *a[:-2], eps=a[-1]),
    ("affine", [w(2, 3, 4, layout="transposed"), *affine([4])], [4], 1e-5),
    ("plain", w(2, 3, 4), [3, 4], 1e-5),
    ("weight", [w(3, 4), affine([4])[0]], [4], 1e-5),
    ("f32", [w(2, 4, dtype=F32), w(4, dtype=F32, seed=1), w(4, dtype=F32, seed=2)], [4], 1e-5),
    ("equal", t([[2.0, 2.0, 2.0]]), [3], 1e-5),
)
cases(
    "rms_norm",
    lambda x, *a: F.rms_norm(x, a[-2], *a[:-2], eps=a[-1]),
    ("weight", [w(2, 3, 4, layout="transposed"), affine([4])[0]], [4], 1e-6),
    ("plain", w(2, 3), [3], 1e-6),
)
cases(
    "group_norm",
    lambda x, *a: F.group_norm(x, a[-2], *a[:-2], eps=a[-1]),
    ("affine", [w(2, 4, 3), *affine([4])], 2, 1e-5),
    ("plain", w(2, 4, 2, 2), 4, 1e-5),
)
cases(
    "instance_norm",
    lambda x, *a: F.instance_norm(x, weight=optional(a[:-1], 0), bias=optional(a[:-1], 1), eps=a[-1]),
    ("affine", [w(2, 3, 4), *affine([3])], 1e-5),
    ("plain", w(2, 2, 2, 3), 1e-5),
)


def batch_norm(x, *a):
    """The result, and the running statistics after it."""
    mean, variance, weight, bias = (v.clone() for v in a[:4])
    return F.batch_norm(x, mean, variance, weight, bias, *a[4:]), mean, variance


statistics = [t([0.5, -0.25, 0.0], grad=False), t([1.0, 2.0, 0.5], grad=False)]
cases(
    "batch_norm",
    batch_norm,
    ("training", [w(4, 3), *statistics, *affine([3])], True, 0.1, 1e-5),
    ("evaluation", [w(4, 3), *statistics, *affine([3])], False, 0.1, 1e-5),
    ("pictures", [w(2, 3, 2, 2), *statistics, *affine([3])], True, 0.3, 1e-3),
)
define("batch_norm_plain", lambda x, eps: F.batch_norm(x, None, None, training=True, eps=eps))
case("batch_norm_plain", "training", w(4, 3, 2), 1e-5)

# Embedding, dropout, attention

cases(
    "embedding",
    F.embedding,
    ("repeated", [i([[0, 2], [2, 1]]), w(3, 2)]),
    ("scalar", [i(1), w(3, 2)]),
    ("nothing", [i([]), w(3, 2)]),
)
define("dropout", F.dropout)
case("dropout", "evaluation", w(2, 3), 0.5, False)
case("dropout", "never", w(2, 3), 0.0, True)
case("dropout", "always", w(2, 3), 1.0, True)


def attention(q, k, v, *a):
    return F.scaled_dot_product_attention(q, k, v, optional(a[:-1], 0), is_causal=a[-1])


q, k, v = small(2, 2, 3, 4), small(2, 2, 5, 4, seed=1), small(2, 2, 5, 2, seed=2)
cases(
    "scaled_dot_product_attention",
    attention,
    ("plain", [q, k, v], False),
    ("causal", [q, small(2, 2, 3, 4, seed=1), small(2, 2, 3, 2, seed=2)], True),
    ("additive", [q, k, v, w(3, 5, seed=3)], False),
    ("mask", [q, k, v, b([[True, False, True, True, False]] * 3)], False),
)
