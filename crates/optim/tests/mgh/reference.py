#!/usr/bin/env python3
"""Writes reference.json: the test problems of Moré, Garbow and Hillstrom ("Testing Unconstrained Optimization
Software", ACM TOMS 7, 1981, section 3) computed apart from the tensor code that the tests run.

    pip install torch==2.8.0 numpy==2.4.6 scipy==1.17.1
    python crates/optim/tests/mgh/reference.py

Residuals are written one component at a time, for plain or complex numbers, so that a complex step gives their
derivatives to the last digits. For every problem the file holds

number, n   of the paper; a problem of variable size occurs once per size
start       loss and max|gradient| at the standard start x0
moved       the same at x_j = x0_j + (1 + |x0_j|) w_j with w = (-0.1, 0, 0.1, 0.05, -0.05) over and over
minima      [loss, point] where the gradient is zero, found by Levenberg-Marquardt with that derivative; last digits
            that rounding alone makes up differ from run to run
scipy       [iterations, evaluations, loss] of L-BFGS-B with m=10, maxls=50, ftol=0 until max|g| <= 1e-5
torch       the same of torch.optim.LBFGS with history_size=10, strong Wolfe, lr=1, tolerance_change=0, 1000 iterations
            at most
spread      [fewest, most] evaluations of torch.optim.LBFGS when one of the first six variables starts one unit in the
            last place higher or lower
"""

import json
import math
import pathlib

import numpy as np
import scipy.optimize
import torch

torch.set_num_threads(1)
exp, sin, cos, sqrt, arctan = np.exp, np.sin, np.cos, np.sqrt, np.arctan
WIGGLE = (-0.1, 0.0, 0.1, 0.05, -0.05)


def magnitude(z):
    return z if z.real >= 0 else -z


def rosenbrock(x):
    return [10 * (x[1] - x[0] ** 2), 1 - x[0]]


def freudenstein_roth(x):
    a, b = x
    return [-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b]


def powell_badly_scaled(x):
    return [1e4 * x[0] * x[1] - 1, exp(-x[0]) + exp(-x[1]) - 1.0001]


def brown_badly_scaled(x):
    return [x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2]


def beale(x):
    return [y - x[0] * (1 - x[1] ** i) for i, y in ((1, 1.5), (2, 2.25), (3, 2.625))]


def jennrich_sampson(x):
    return [2 + 2 * i - (exp(i * x[0]) + exp(i * x[1])) for i in range(1, 11)]


def helical_valley(x):
    theta = arctan(x[1] / x[0]) / (2 * math.pi) + (0.5 if x[0].real < 0 else 0)
    return [10 * (x[2] - 10 * theta), 10 * (sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]]


BARD = (0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39)


def bard(x):
    return [y - (x[0] + u / ((16 - u) * x[1] + min(u, 16 - u) * x[2])) for u, y in enumerate(BARD, 1)]


GAUSS = (0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989)


def gaussian(x):
    data = GAUSS + GAUSS[-2::-1]
    return [x[0] * exp(-x[1] * ((8 - i) / 2 - x[2]) ** 2 / 2) - y for i, y in enumerate(data, 1)]


MEYER = (34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872)


def meyer(x):
    return [x[0] * exp(x[1] / (45 + 5 * i + x[2])) - y for i, y in enumerate(MEYER, 1)]


def gulf(x):
    residuals = []
    for i in range(1, 100):
        t = i / 100
        y = 25 + (-50 * math.log(t)) ** (2 / 3)
        residuals.append(exp(-(magnitude(y - x[1]) ** x[2]) / x[0]) - t)
    return residuals


def box(x):
    times = [i / 10 for i in range(1, 11)]
    return [exp(-t * x[0]) - exp(-t * x[1]) - x[2] * (math.exp(-t) - math.exp(-10 * t)) for t in times]


def powell_singular(x):
    return [x[0] + 10 * x[1], math.sqrt(5) * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, math.sqrt(10) * (x[0] - x[3]) ** 2]


def wood(x):
    a, b, c, d = x
    root = math.sqrt(10)
    return [10 * (b - a**2), 1 - a, math.sqrt(90) * (d - c**2), 1 - c, root * (b + d - 2), (b - d) / root]


KOWALIK_OSBORNE = (
    (0.1957, 4), (0.1947, 2), (0.1735, 1), (0.1600, 0.5), (0.0844, 0.25), (0.0627, 0.167), (0.0456, 0.125),
    (0.0342, 0.1), (0.0323, 0.0833), (0.0235, 0.0714), (0.0246, 0.0625),
)  # fmt: skip


def kowalik_osborne(x):
    return [y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3]) for y, u in KOWALIK_OSBORNE]


def brown_dennis(x):
    times = [i / 5 for i in range(1, 21)]
    return [(x[0] + t * x[1] - math.exp(t)) ** 2 + (x[2] + x[3] * math.sin(t) - math.cos(t)) ** 2 for t in times]


OSBORNE_1 = (
    844, 908, 932, 936, 925, 908, 881, 850, 818, 784, 751, 718, 685, 658, 628, 603, 580, 558, 538, 522, 506, 490, 478,
    467, 457, 448, 438, 431, 424, 420, 414, 411, 406,
)  # fmt: skip


def osborne_1(x):
    times = range(0, 330, 10)
    return [y / 1000 - (x[0] + x[1] * exp(-t * x[3]) + x[2] * exp(-t * x[4])) for t, y in zip(times, OSBORNE_1)]


def biggs(x):
    residuals = []
    for i in range(1, 14):
        t = i / 10
        y = math.exp(-t) - 5 * math.exp(-i) + 3 * math.exp(-4 * t)
        residuals.append(x[2] * exp(-t * x[0]) - x[3] * exp(-t * x[1]) + x[5] * exp(-t * x[4]) - y)
    return residuals


OSBORNE_2 = (
    1366, 1191, 1112, 1013, 991, 885, 831, 847, 786, 725, 746, 679, 608, 655, 616, 606, 602, 626, 651, 724, 649, 649,
    694, 644, 624, 661, 612, 558, 533, 495, 500, 423, 395, 375, 372, 391, 396, 405, 428, 429, 523, 562, 607, 653, 672,
    708, 633, 668, 645, 632, 591, 559, 597, 625, 739, 710, 729, 720, 636, 581, 428, 292, 162, 98, 54,
)  # fmt: skip


def osborne_2(x):
    residuals = []
    for i, y in enumerate(OSBORNE_2):
        t = i / 10
        model = x[0] * exp(-t * x[4])
        for k in (1, 2, 3):
            model = model + x[k] * exp(-((t - x[7 + k]) ** 2) * x[4 + k])
        residuals.append(y / 1000 - model)
    return residuals


def watson(x):
    residuals = []
    for i in range(1, 30):
        t = i / 29
        slope = sum(j * x[j] * t ** (j - 1) for j in range(1, len(x)))
        residuals.append(slope - sum(x[j] * t**j for j in range(len(x))) ** 2 - 1)
    return residuals + [x[0], x[1] - x[0] ** 2 - 1]


def extended_rosenbrock(x):
    return [r for k in range(0, len(x), 2) for r in rosenbrock(x[k : k + 2])]


def extended_powell_singular(x):
    return [r for k in range(0, len(x), 4) for r in powell_singular(x[k : k + 4])]


def penalty_1(x):
    return [math.sqrt(1e-5) * (x_j - 1) for x_j in x] + [sum(x_j**2 for x_j in x) - 0.25]


def penalty_2(x):
    n, root = len(x), math.sqrt(1e-5)
    residuals = [x[0] - 0.2]
    for i in range(2, n + 1):
        y = math.exp(i / 10) + math.exp((i - 1) / 10)
        residuals.append(root * (exp(x[i - 1] / 10) + exp(x[i - 2] / 10) - y))
    residuals += [root * (exp(x_j / 10) - math.exp(-0.1)) for x_j in x[1:]]
    return residuals + [sum((n - j) * x[j] ** 2 for j in range(n)) - 1]


def variably_dimensioned(x):
    s = sum(j * (x_j - 1) for j, x_j in enumerate(x, 1))
    return [x_j - 1 for x_j in x] + [s, s**2]


def trigonometric(x):
    defect = len(x) - sum(cos(x_j) for x_j in x)
    return [defect + i * (1 - cos(x_i)) - sin(x_i) for i, x_i in enumerate(x, 1)]


def brown_almost_linear(x):
    n, product = len(x), 1
    for factor in x:
        product = product * factor
    total = sum(x)
    return [x_j + total - (n + 1) for x_j in x[:-1]] + [product - 1]


def discrete_boundary_value(x):
    h = 1 / (len(x) + 1)
    inner = [0, *x, 0]
    return [
        2 * inner[i] - inner[i - 1] - inner[i + 1] + h**2 * (inner[i] + i * h + 1) ** 3 / 2 for i in range(1, len(x) + 1)
    ]


def discrete_integral(x):
    n = len(x)
    h = 1 / (n + 1)
    t = [(j + 1) * h for j in range(n)]
    cube = [(x[j] + t[j] + 1) ** 3 for j in range(n)]
    residuals = []
    for i in range(n):
        before = sum(t[j] * cube[j] for j in range(i + 1))
        after = sum((1 - t[j]) * cube[j] for j in range(i + 1, n))
        residuals.append(x[i] + h * ((1 - t[i]) * before + t[i] * after) / 2)
    return residuals


def broyden_tridiagonal(x):
    inner = [0, *x, 0]
    return [(3 - 2 * inner[i]) * inner[i] - inner[i - 1] - 2 * inner[i + 1] + 1 for i in range(1, len(x) + 1)]


def broyden_banded(x):
    residuals = []
    for i in range(len(x)):
        near = [j for j in range(max(0, i - 5), min(len(x), i + 2)) if j != i]
        residuals.append(x[i] * (2 + 5 * x[i] ** 2) + 1 - sum(x[j] * (1 + x[j]) for j in near))
    return residuals


LINEAR_RESIDUALS = 20


def linear_full_rank(x):
    m = LINEAR_RESIDUALS
    shared = -2 / m * sum(x) - 1
    return [x_j + shared for x_j in x] + [shared] * (m - len(x))


def linear_rank_1(x):
    s = sum(j * x_j for j, x_j in enumerate(x, 1))
    return [i * s - 1 for i in range(1, LINEAR_RESIDUALS + 1)]


def linear_rank_1_with_zeros(x):
    s = sum(j * x[j - 1] for j in range(2, len(x)))
    return [-1 + 0 * s] + [i * s - 1 for i in range(1, LINEAR_RESIDUALS - 1)] + [-1 + 0 * s]


def chebyquad(x):
    residuals = []
    for i in range(1, len(x) + 1):
        total = 0
        for x_j in x:
            before, value = 1, 2 * x_j - 1
            for _ in range(i - 1):
                before, value = value, 2 * (2 * x_j - 1) * value - before
            total = total + value
        residuals.append(total / len(x) + (1 / (i * i - 1) if i % 2 == 0 else 0))
    return residuals


def boundary_start(n):
    return [j / (n + 1) * (j / (n + 1) - 1) for j in range(1, n + 1)]


def ramp(n):
    return [j / (n + 1) for j in range(1, n + 1)]


def twins(z):
    """The points that Biggs' function does not change when its two positive terms swap places."""
    return [z[0], z[1], z[2], z[3], z[0], z[2]]


# number, residuals, standard start, further points from which another minimum is found, or a set of points by its
# parameters and where to begin in it
PROBLEMS = [
    (1, rosenbrock, [-1.2, 1]),
    (2, freudenstein_roth, [0.5, -2], [4.5, 4.1]),
    (3, powell_badly_scaled, [0, 1]),
    (4, brown_badly_scaled, [1, 1]),
    (5, beale, [1, 1]),
    (6, jennrich_sampson, [0.3, 0.4]),
    (7, helical_valley, [-1, 0, 0]),
    (8, bard, [1, 1, 1]),
    (9, gaussian, [0.4, 1, 0]),
    (10, meyer, [0.02, 4000, 250]),
    (11, gulf, [5, 2.5, 0.15]),
    (12, box, [0, 10, 20]),
    (13, powell_singular, [3, -1, 0, 1]),
    (14, wood, [-3, -1, -3, -1]),
    (15, kowalik_osborne, [0.25, 0.39, 0.415, 0.39]),
    (16, brown_dennis, [25, 5, -5, -1]),
    (17, osborne_1, [0.5, 1.5, -1, 0.01, 0.02]),
    (18, biggs, [1, 2, 1, 1, 1, 1], (twins, [1, 2, 1, 1])),
    (19, osborne_2, [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5]),
    (20, watson, [0] * 6),
    (20, watson, [0] * 9),
    (21, extended_rosenbrock, [-1.2, 1] * 50),
    (22, extended_powell_singular, [3, -1, 0, 1] * 25),
    (23, penalty_1, list(range(1, 5))),
    (23, penalty_1, list(range(1, 11))),
    (24, penalty_2, [0.5] * 4),
    (24, penalty_2, [0.5] * 10),
    (25, variably_dimensioned, [1 - j / 10 for j in range(1, 11)]),
    (26, trigonometric, [1 / 10] * 10),
    (27, brown_almost_linear, [0.5] * 10, [0.0] * 9 + [11.0]),
    (28, discrete_boundary_value, boundary_start(10)),
    (29, discrete_integral, boundary_start(10)),
    (30, broyden_tridiagonal, [-1] * 100),
    (31, broyden_banded, [-1] * 10),
    (32, linear_full_rank, [1] * 10),
    (33, linear_rank_1, [1] * 10),
    (34, linear_rank_1_with_zeros, [1] * 10),
    (35, chebyquad, ramp(7)),
    (35, chebyquad, ramp(8)),
    (35, chebyquad, ramp(9)),
    (35, chebyquad, ramp(10)),
]


def jacobian(residuals, x):
    """By complex steps of 1e-30, which cost no digits."""
    columns = []
    for j in range(len(x)):
        z = np.array(x, dtype=complex)
        z[j] += 1e-30j
        columns.append(np.imag(np.array(residuals(list(z)))) / 1e-30)
    return np.stack(columns, axis=1)


def loss_and_gradient(residuals, x):
    r = np.array(residuals(list(np.asarray(x, dtype=float))))
    return float(r @ r), 2 * jacobian(residuals, x).T @ r


def minimum(residuals, x):
    """Levenberg-Marquardt, restarted until it finds nothing better."""
    best = None
    for _ in range(20):
        found = scipy.optimize.least_squares(
            lambda x: np.array(residuals(list(x))), x, lambda x: jacobian(residuals, x), method="lm",
            xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=20000, x_scale="jac",
        )  # fmt: skip
        if best is not None and 2 * found.cost >= best[0]:
            break
        best, x = (float(2 * found.cost), list(map(float, found.x))), found.x
    return best


def minimum_within(residuals, points, z):
    loss, z = minimum(lambda z: residuals(points(z)), z)
    return loss, points(z)


def by_scipy(residuals, x):
    options = {"maxcor": 10, "maxls": 50, "ftol": 0, "gtol": 1e-5, "maxiter": 100000, "maxfun": 100000}
    found = scipy.optimize.minimize(
        lambda x: loss_and_gradient(residuals, x), np.array(x, dtype=float), jac=True, method="L-BFGS-B", options=options
    )
    return [int(found.nit), int(found.nfev), float(found.fun)]


def by_torch(residuals, x):
    p = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [p], history_size=10, max_iter=1000, max_eval=10**6, tolerance_grad=1e-5, tolerance_change=0,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure():
        loss, gradient = loss_and_gradient(residuals, p.detach().numpy())
        p.grad = torch.from_numpy(gradient)
        return torch.tensor(loss, dtype=torch.float64)

    try:
        optimizer.step(closure)
    except ArithmeticError as error:
        print("torch raises", error)
    state = optimizer.state_dict()["state"][0]
    return [state["n_iter"], state["func_evals"], loss_and_gradient(residuals, p.detach().numpy())[0]]


def spread(residuals, start):
    counts = [by_torch(residuals, start)[1]]
    for j in range(min(len(start), 6)):
        for side in (-math.inf, math.inf):
            x = np.array(start, dtype=float)
            x[j] = np.nextafter(x[j], side) if x[j] != 0 else math.copysign(1e-17, side)
            counts.append(by_torch(residuals, list(x))[1])
    return [min(counts), max(counts)]


def case(number, residuals, start, *others):
    x = np.array(start, dtype=float)
    moved = x + (1 + abs(x)) * np.resize(WIGGLE, len(x))
    found = [minimum(residuals, x)]
    for other in others:
        found.append(minimum(residuals, other) if isinstance(other, list) else minimum_within(residuals, *other))
    values = {}
    for name, point in (("start", x), ("moved", moved)):
        loss, gradient = loss_and_gradient(residuals, point)
        values[name] = [loss, float(abs(gradient).max())]
    entry = {"number": number, "n": len(x), **values, "minima": found}
    entry |= {"scipy": by_scipy(residuals, start), "torch": by_torch(residuals, start)}
    entry["spread"] = spread(residuals, start)
    print(number, residuals.__name__, len(x), entry["start"], [f for f, _ in found], entry["scipy"], entry["torch"], entry["spread"])
    return entry


if __name__ == "__main__":
    np.seterr(all="ignore")
    lines = [json.dumps(case(*problem)) for problem in PROBLEMS]
    text = '{"problems": [\n' + ",\n".join(lines) + "\n]}\n"
    (pathlib.Path(__file__).parent / "reference.json").write_text(text)
