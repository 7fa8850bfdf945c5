"""Section `losses`: the losses of torch.nn.functional with their reductions."""

import torch.nn.functional as F

from .core import F32, case, define, i, section, t, w, optional

section("losses")

x, y = w(2, 3, layout="transposed"), w(2, 3, seed=1)
single = [w(2, 3, dtype=F32), w(2, 3, seed=1, dtype=F32)]
KNEES = "smooth_l1, huber, l1"


def loss(name, function, inputs, *args, label="plain"):
    """All reductions; the reduction is the last argument."""
    name = f"functional.{name}"
    define(name, lambda *a: function(*a[:-1], reduction=a[-1]))
    for reduction in ("mean", "sum", "none"):
        case(name, f"{label}_{reduction}", inputs, *args, reduction)


def more(name, label, inputs, *args, **options):
    case(f"functional.{name}", label, inputs, *args, **options)


loss("huber_loss", lambda a, c, d, reduction: F.huber_loss(a, c, reduction, d), [x, y], 0.75)
loss(
    "smooth_l1_loss",
    lambda a, c, beta, reduction: F.smooth_l1_loss(a, c, reduction=reduction, beta=beta),
    [x, y],
    0.75,
)
knees = [t([-1.0, 0.0, 1.0, 2.0, -3.0, 0.5]), t([0.0] * 6)]
for name in ("huber_loss", "smooth_l1_loss"):
    more(name, "knees", knees, 1.0, "none", d3=KNEES)
    more(name, "f32", single, 1.0, "mean")
more("smooth_l1_loss", "beta_zero", knees, 0.0, "none")
loss("l1_loss", lambda a, c, reduction: F.l1_loss(a, c, reduction=reduction), [x, y])
more("l1_loss", "knee", knees, "none", d3=KNEES)
loss("mse_loss", lambda a, c, reduction: F.mse_loss(a, c, reduction=reduction), [x, y])
probabilities = [w(2, 3, low=0.1, high=0.9, layout="transposed"), w(2, 3, low=0.0, high=1.0, seed=1)]
loss(
    "binary_cross_entropy",
    lambda a, c, *r, reduction: F.binary_cross_entropy(a, c, optional(r, 0), reduction=reduction),
    probabilities,
)
more(
    "binary_cross_entropy",
    "ends",
    [t([0.0, 1.0, 0.0, 1.0]), t([0.0, 1.0, 1.0, 0.0], grad=False)],
    "none",
    second=False,
)
more("binary_cross_entropy", "weight", [*probabilities, w(3, low=0.5, grad=False)], "mean")
loss(
    "binary_cross_entropy_with_logits",
    lambda a, c, *r, reduction: F.binary_cross_entropy_with_logits(
        a, c, optional(r, 0), pos_weight=optional(r, 1), reduction=reduction
    ),
    [x, w(2, 3, low=0.0, high=1.0, seed=1, grad=False)],
)
more(
    "binary_cross_entropy_with_logits",
    "weight",
    [x, w(2, 3, low=0.0, high=1.0, seed=1), w(3, low=0.5, grad=False)],
    "mean",
)
more(
    "binary_cross_entropy_with_logits",
    "pos_weight",
    [x, w(2, 3, low=0.0, high=1.0, seed=1), w(3, low=0.5, grad=False), w(3, low=0.5, seed=4, grad=False)],
    "mean",
)
more(
    "binary_cross_entropy_with_logits",
    "tails",
    [t([-800.0, 800.0, -800.0, 800.0]), t([0.0, 1.0, 1.0, 0.0], grad=False)],
    "none",
)
loss(
    "kl_div",
    lambda a, c, log, reduction: F.kl_div(a, c, reduction=reduction, log_target=log),
    [w(2, 3, low=-3.0, high=-0.1), w(2, 3, low=0.1, high=0.9, seed=1)],
    False,
)
more("kl_div", "log_target", [w(2, 3, low=-3.0, high=-0.1), w(2, 3, low=-3.0, high=-0.1, seed=1)], True, "mean")
more("kl_div", "zero_target", [t([-1.0, -2.0]), t([0.0, 0.5])], False, "sum")

logits, classes = w(3, 4, layout="transposed"), i([3, 0, 1])


def nll(a, c, *r, reduction, function=F.nll_loss):
    o = r[-1]
    return function(a, c, weight=optional(r[:-1], 0), reduction=reduction, **o)


loss("nll_loss", nll, [logits, classes], {})
more("nll_loss", "weight", [logits, classes, w(4, low=0.5, grad=False)], {}, "mean")
more("nll_loss", "ignore", [logits, i([3, -100, 1])], {}, "mean")
more("nll_loss", "ignore_index", [logits, classes], {"ignore_index": 1}, "sum")
more("nll_loss", "pictures", [w(2, 3, 2, 2), i([[[0, 1], [2, 0]], [[1, 1], [2, 2]]])], {}, "mean")
loss(
    "cross_entropy",
    lambda *a, reduction: nll(*a, reduction=reduction, function=F.cross_entropy),
    [logits, classes],
    {},
)
more("cross_entropy", "weight", [logits, classes, w(4, low=0.5, grad=False)], {}, "mean")
more("cross_entropy", "ignore", [logits, i([3, -100, 1])], {}, "mean")
more("cross_entropy", "smoothing", [logits, classes], {"label_smoothing": 0.1}, "mean")
more("cross_entropy", "all", [logits, i([3, -100, 1]), w(4, low=0.5, grad=False)], {"label_smoothing": 0.2}, "mean")
more("cross_entropy", "all_ignored", [logits, i([-100, -100, -100])], {}, "mean")
more("cross_entropy", "probabilities", [logits, w(3, 4, low=0.1, high=0.5)], {"label_smoothing": 0.1}, "mean")
more("cross_entropy", "probabilities_sum", [logits, w(3, 4, low=0.1, high=0.5), w(4, low=0.5, grad=False)], {}, "sum")
more(
    "cross_entropy",
    "pictures",
    [w(2, 3, 2, 2), i([[[0, 1], [2, 0]], [[1, 1], [2, 2]]])],
    {"label_smoothing": 0.1},
    "none",
)
more("cross_entropy", "f32", [w(3, 4, dtype=F32), classes], {}, "mean")
loss(
    "gaussian_nll_loss",
    lambda a, c, v, full, eps, reduction: F.gaussian_nll_loss(a, c, v, full, eps, reduction),
    [x, y, w(2, 3, low=0.2, high=2.0, seed=2)],
    False,
    1e-6,
)
more("gaussian_nll_loss", "full", [x, y, w(2, 1, low=0.2, high=2.0, seed=2)], True, 1e-6, "mean")
more("gaussian_nll_loss", "small_variance", [t([1.0, 2.0]), t([0.0, 1.0]), t([0.0, 1e-9])], False, 1e-3, "mean")
loss(
    "poisson_nll_loss",
    lambda a, c, log, full, eps, reduction: F.poisson_nll_loss(a, c, log, full, eps=eps, reduction=reduction),
    [x, w(2, 3, low=0.0, high=5.0, seed=1)],
    True,
    False,
    1e-8,
)
more("poisson_nll_loss", "full", [x, w(2, 3, low=0.0, high=5.0, seed=1, grad=False)], True, True, 1e-8, "mean")
more(
    "poisson_nll_loss",
    "not_log",
    [w(2, 3, low=0.1, high=3.0), w(2, 3, low=0.0, high=5.0, seed=1, grad=False)],
    False,
    False,
    1e-8,
    "mean",
)
signs = t([1.0, -1.0], grad=False)
loss(
    "cosine_embedding_loss",
    lambda a, c, s, m, reduction: F.cosine_embedding_loss(a, c, s, m, reduction=reduction),
    [x, y, signs],
    0.2,
)
loss(
    "margin_ranking_loss",
    lambda a, c, s, m, reduction: F.margin_ranking_loss(a, c, s, m, reduction=reduction),
    [x, y, w(2, 3, seed=4, grad=False)],
    0.5,
)
more("margin_ranking_loss", "knee", [t([1.0, 2.0]), t([1.0, 1.0]), t([1.0, -1.0], grad=False)], 0.0, "none")
loss(
    "triplet_margin_loss",
    lambda a, p, n, m, order, eps, swap, reduction: F.triplet_margin_loss(
        a, p, n, m, order, eps, swap, reduction=reduction
    ),
    [x, y, w(2, 3, seed=2)],
    1.0,
    2.0,
    1e-6,
    False,
)
more("triplet_margin_loss", "swap", [x, y, w(2, 3, seed=2)], 1.0, 2.0, 1e-6, True, "mean")
more("triplet_margin_loss", "one_norm", [x, y, w(2, 3, seed=2)], 2.0, 1.0, 1e-6, False, "mean")
loss(
    "hinge_embedding_loss",
    lambda a, s, m, reduction: F.hinge_embedding_loss(a, s, m, reduction=reduction),
    [x, t([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]], grad=False)],
    1.0,
)
more("hinge_embedding_loss", "knee", [t([1.0, 0.5, 2.0]), t([-1.0, -1.0, -1.0], grad=False)], 1.0, "none")
loss(
    "soft_margin_loss",
    lambda a, s, reduction: F.soft_margin_loss(a, s, reduction=reduction),
    [x, t([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]], grad=False)],
)
more("soft_margin_loss", "tails", [t([-500.0, 500.0]), t([1.0, 1.0], grad=False)], "none")
