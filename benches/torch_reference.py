"""The items of benches/work in torch, under the same names.

    pip install torch==2.8.0 numpy
    python benches/torch_reference.py               # every item
    python benches/torch_reference.py fit matmul    # those whose name contains a word

One line per item: name, median seconds, fastest, number of samples, iterations and evaluations of a fit. With
--serve it answers requests as compare.rs does. Two threads, or as many as WOLFE_THREADS says.
"""

import csv
import gzip
import io
import math
import os
import pathlib
import sys
import time

import torch
from torch.nn import functional as F

ROWS = 1797
CHAIN = 1000
ITERATIONS = 10
SAMPLE = 200e-6  # runs that are timed together last this long at least
DTYPES = {"f32": torch.float32, "f64": torch.float64}

ITEMS = {}  # name -> (parts of a run, function that prepares the data and returns the run)


def item(name, parts=1):
    def register(prepare):
        ITEMS[name] = (parts, prepare)
        return prepare

    return register


# small_ops ------------------------------------------------------------------------------------------------


def rosenbrock(p):
    x, y = p[0], p[1]
    return (1 - x).pow(2) + 100 * (y - x.pow(2)).pow(2)


def small(name, operation, requires_grad=True):
    @item(name)
    def prepare():
        v = torch.rand(4, requires_grad=requires_grad)
        return lambda: operation(v)


small("small_mul_no_grad", lambda v: v * v, requires_grad=False)
small("small_mul_recorded", lambda v: v * v)
small("small_add_recorded", lambda v: v + v)
small("small_select_recorded", lambda v: v[0])


def backward(v, y):
    v.grad = None
    y.sum().backward()


small("small_mul_sum_forward_backward", lambda v: backward(v, v * v))


def chain(name, step):
    @item(name, parts=CHAIN)
    def prepare():
        v = torch.rand(4, requires_grad=True)

        def run():
            y = step(v, v)
            for _ in range(CHAIN - 1):
                y = step(y, v)
            backward(v, y)

        return run


chain("small_mul_in_chain_forward_backward", lambda y, v: y * v)
chain("small_add_in_chain_forward_backward", lambda y, v: y + v)
chain("small_mul_number_in_chain_forward_backward", lambda y, v: y * 1.001)


@item("rosenbrock_loss_forward_backward")
def _():
    p = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)

    def run():
        p.grad = None
        rosenbrock(p).backward()

    return run


# elementwise ----------------------------------------------------------------------------------------------


def elementwise(op, apply, label, n):
    @item(f"{op}_{label}_{n}")
    def prepare():
        x = torch.rand(n, dtype=DTYPES[label])
        return lambda: apply(x)


for op, apply in (("exp", torch.exp), ("tanh", torch.tanh), ("add", lambda x: x + x)):
    for label in DTYPES:
        for power in (2, 4, 6, 7):
            elementwise(op, apply, label, 10**power)

# matmul ---------------------------------------------------------------------------------------------------


def product(name, label, left, right, apply):
    @item(name)
    def prepare():
        a, b = torch.rand(left, dtype=DTYPES[label]), torch.rand(right, dtype=DTYPES[label])
        return lambda: apply(a, b)


for label in DTYPES:
    for n in (64, 128, 256, 512, 1024):
        product(f"matmul_{label}_{n}", label, (n, n), (n, n), torch.matmul)
product("linear_f32_1797x64x10", "f32", (ROWS, 64), (10, 64), lambda x, w: x @ w.t())
product("linear_grad_input_f32_1797x64x10", "f32", (ROWS, 10), (10, 64), lambda g, w: g @ w)
product("linear_grad_weight_f32_1797x64x10", "f32", (ROWS, 10), (ROWS, 64), lambda g, x: g.t() @ x)

# network --------------------------------------------------------------------------------------------------


def digits():
    packed = pathlib.Path(__file__).parent.parent / "examples/data/digits.csv.gz"
    text = gzip.decompress(packed.read_bytes()).decode()
    rows = [[int(n) for n in row] for row in csv.reader(io.StringIO(text))]
    data = torch.tensor(rows)
    return data[:, :64].to(torch.float32) / 16, data[:, 64].clone()


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(64, 128),
        torch.nn.Tanh(),
        torch.nn.Linear(128, 128),
        torch.nn.Tanh(),
        torch.nn.Linear(128, 10),
    )


@item("network_64_128_128_10_forward")
def _():
    (x, _), model = digits(), network()

    def run():
        with torch.no_grad():
            model(x)

    return run


@item("network_64_128_128_10_forward_backward")
def _():
    (x, t), model = digits(), network()
    parameters = list(model.parameters())

    def run():
        for p in parameters:
            p.grad = None
        F.cross_entropy(model(x), t).backward()

    return run


# direction ------------------------------------------------------------------------------------------------


def lbfgs_iteration(n, label, history):
    @item(f"lbfgs_iteration_{label}_n{n}_m{history}", parts=ITERATIONS)
    def prepare():
        curvature = torch.linspace(1, 50, n, dtype=DTYPES[label])
        start = torch.full((n,), 1000.0, dtype=DTYPES[label])
        p = start.clone().requires_grad_()
        options = dict(max_iter=ITERATIONS, max_eval=1000, history_size=history)
        optimizer = torch.optim.LBFGS([p], lr=0.5, tolerance_grad=0, tolerance_change=0, **options)
        state = optimizer.state[p]

        def closure():
            with torch.no_grad():
                gradient = curvature * p
                loss = 0.5 * gradient.dot(p)
                p.grad = gradient
                return loss

        def run():
            before = state.get("n_iter", 0), state.get("func_evals", 0)
            with torch.no_grad():
                p.copy_(start)
            optimizer.step(closure)
            counts = state["n_iter"] - before[0], state["func_evals"] - before[1]
            assert counts[0] == ITERATIONS, counts
            return counts

        for _ in range(math.ceil(history / (ITERATIONS - 2))):
            run()
        return run


for n, label in ((100, "f64"), (1000, "f64"), (10_000, "f64"), (1_000_000, "f32")):
    for history in (10, 100):
        lbfgs_iteration(n, label, history)

# fits -----------------------------------------------------------------------------------------------------

ENDLESS = dict(max_eval=10_000, tolerance_grad=0, tolerance_change=0)


def fit(parameters, loss_of, **options):
    parameters = list(parameters)
    optimizer = torch.optim.LBFGS(parameters, line_search_fn="strong_wolfe", **options)

    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    optimizer.step(closure)
    state = optimizer.state[parameters[0]]
    return state["n_iter"], state["func_evals"]


@item("fit_rosenbrock_f64")
def _():
    def run():
        p = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
        return fit([p], lambda: rosenbrock(p), max_iter=100, max_eval=1000)

    return run


def chained(n):
    @item(f"fit_chained_rosenbrock_n{n}_m10_200it_f64")
    def prepare():
        def run():
            x = torch.tensor([-1.2, 1.0] * (n // 2), dtype=torch.float64, requires_grad=True)

            def loss():
                head, tail = x[:-1], x[1:]
                return (100 * (tail - head.pow(2)).pow(2) + (1 - head).pow(2)).sum()

            return fit([x], loss, max_iter=200, history_size=10, **ENDLESS)

        return run


chained(100)
chained(10_000)


def logistic(name, l2):
    @item(name)
    def prepare():
        x, t = digits()

        def run():
            w, b = torch.zeros(10, 64, requires_grad=True), torch.zeros(10, requires_grad=True)

            def loss():
                value = F.cross_entropy(x @ w.t() + b, t)
                return value if l2 == 0 else value + l2 * (w * w).sum()

            return fit([w, b], loss, max_iter=100, history_size=10, **ENDLESS)

        return run


logistic("fit_digits_logistic_100it_f32", 0)
logistic("fit_digits_logistic_l2_100it_f32", 1e-5)


@item("fit_network_64_128_128_10_50it_f32")
def _():
    x, t = digits()

    def run():
        model = network()
        loss = lambda: F.cross_entropy(model(x), t)
        return fit(model.parameters(), loss, max_iter=50, history_size=20, **ENDLESS)

    return run


# measuring ------------------------------------------------------------------------------------------------


def measure(name, run, budget):
    """Repeats a run for about `budget` seconds and says what one part of it takes."""
    parts = ITEMS[name][0]
    start = time.perf_counter()
    counts = run()
    repeats = range(math.ceil(SAMPLE / max(time.perf_counter() - start, 1e-9)))
    samples = []
    begin = time.perf_counter()
    while len(samples) < 3 or time.perf_counter() - begin < budget:
        start = time.perf_counter()
        for _ in repeats:
            run()
        samples.append((time.perf_counter() - start) / (len(repeats) * parts))
    samples.sort()
    line = f"{name} {samples[len(samples) // 2]:.4e} {samples[0]:.4e} {len(samples)}"
    return line + (f" {counts[0]} {counts[1]}" if isinstance(counts, tuple) else "")


def serve():
    """Answers lines `<name> <seconds to spend>`. An item stays prepared as long as it is asked for."""
    present, run = None, None
    for line in sys.stdin:
        name, budget = line.split()
        if name != present:
            run = None
            present, run = name, ITEMS[name][1]()
        print(measure(name, run, float(budget)), flush=True)


def main():
    torch.set_num_threads(int(os.environ.get("WOLFE_THREADS", 2)))
    words = sys.argv[1:]
    if words == ["--serve"]:
        return serve()
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"# torch {torch.__version__}, {torch.get_num_threads()} threads, {capability}")
    for name, (_, prepare) in ITEMS.items():
        if not words or any(word in name for word in words):
            print(measure(name, prepare(), 0.2), flush=True)


main()
