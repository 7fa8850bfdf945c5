"""What a case is, and what torch makes of it. The files beside this one declare the cases by section."""

import math

import torch

F64, F32, I64, BOOL = torch.float64, torch.float32, torch.int64, torch.bool
DTYPES = {F64: "f64", F32: "f32", I64: "i64", BOOL: "bool"}
INF, NAN = math.inf, math.nan

OPERATIONS = {}
CASES = []
SECTION = [None]


class Input:
    """A tensor with the way it lies in memory; `plain` is the same tensor, dense."""

    def __init__(self, plain, grad, layout):
        self.plain, self.layout = plain, layout
        self.grad = plain.dtype.is_floating_point if grad is None else grad

    def tensor(self):
        laid = LAYOUTS[self.layout](self.plain.detach())
        return laid.requires_grad_(self.grad)


def transposed(x):
    return x.transpose(-1, -2).contiguous().transpose(-1, -2)


def sliced(x):
    """Every second element of the last dimension of a tensor that holds each element twice."""
    return x.repeat_interleave(2, -1)[..., ::2]


LAYOUTS = {"": torch.clone, "transposed": transposed, "sliced": sliced}


def t(values, dtype=F64, grad=None, layout=""):
    """The tensor of the values."""
    return Input(torch.tensor(values, dtype=dtype), grad, layout)


def i(values, layout=""):
    return t(values, I64, layout=layout)


def b(values, layout=""):
    return t(values, BOOL, layout=layout)


def w(*shape, low=-2.0, high=2.0, seed=0, dtype=F64, grad=None, layout=""):
    """Values that fill `low..high` evenly, in no order, with three decimals; no two are alike."""
    count = math.prod(shape)
    values = [round(low + (high - low) * ((0.29 + 0.113 * seed + 0.6180339887 * k) % 1.0), 3) for k in range(count)]
    return t(values, dtype, grad).reshaped(shape, layout)


def reshaped(self, shape, layout):
    return Input(self.plain.reshape(shape), self.grad, layout)


Input.reshaped = reshaped


def section(name):
    SECTION[0] = name


def define(name, function):
    """What `name` is in torch: a function of the case's inputs and then its arguments."""
    assert name not in OPERATIONS, name
    OPERATIONS[name] = (SECTION[0], function)


def method(name):
    """An operation that is the method of torch.Tensor of the same name."""
    define(name, lambda x, *rest: getattr(x, name)(*rest))


def case(op, label, inputs, *args, d3=None, second=True, signed_zero=False):
    """Declares a case. `d3` names the row of special points it belongs to. `second=False` leaves second
    gradients out, where torch has none or where they are a matter of the formula's order (0 times infinity).
    `signed_zero` demands the signs of zeros in the outputs."""
    inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    CASES.append(dict(op=op, label=label, inputs=inputs, args=args, d3=d3, second=second, signed_zero=signed_zero))


class Options(dict):
    """Options of `case`, at the end of a row of `cases`."""


def cases(name, function, *rows):
    """Defines an operation with its cases: `(label, inputs, arguments...)`, and Options at the end if any."""
    define(name, function)
    for label, inputs, *args in rows:
        options = args.pop() if args and isinstance(args[-1], Options) else {}
        case(name, label, inputs, *args, **options)


def complete():
    """Gives every operation a case in single precision and one with a strided input, where it has none: its first
    case with a floating-point input, converted."""
    for op in OPERATIONS:
        own = [c for c in CASES if c["op"] == op]
        start = next((c for c in own if any(x.plain.dtype == F64 for x in c["inputs"])), None)
        if start is None:
            continue
        inputs = [x for c in own for x in c["inputs"]]
        if not any(x.plain.dtype == F32 for x in inputs):
            single = [
                Input(x.plain.float(), x.grad, x.layout) if x.plain.dtype == F64 else x for x in start["inputs"]
            ]
            CASES.append({**start, "label": "single_precision", "inputs": single, "d3": None})
        if not any(x.layout for x in inputs) and op not in NEEDS_DENSE:
            layouts = ("", "sliced", "transposed")
            laid = [Input(x.plain, x.grad, layouts[min(x.plain.dim(), 2)]) for x in start["inputs"]]
            CASES.append({**start, "label": "laid_out", "inputs": laid, "d3": None})


# torch itself refuses strided inputs here.
NEEDS_DENSE = ("view", "kron")


def optional(args, k):
    return args[k] if len(args) > k else None


def weight(out, k):
    """The weights of output number `k` in the sum that is differentiated."""
    flat = torch.arange(out.numel(), dtype=F64)
    return torch.cos(0.7 * flat + 1.3 * k + 0.3).reshape(out.shape).to(out.dtype)


def gradients(total, inputs):
    wanted = [k for k, x in enumerate(inputs) if x.requires_grad]
    found = torch.autograd.grad(total, [inputs[k] for k in wanted], create_graph=True, allow_unused=True)
    slots = [None] * len(inputs)
    for k, g in zip(wanted, found):
        slots[k] = g
    return slots


def evaluate(case):
    """Runs a case; returns what the file holds of it."""
    of_section, function = OPERATIONS[case["op"]]
    inputs = [x.tensor() for x in case["inputs"]]
    outs = function(*inputs, *case["args"])
    outs = list(outs) if isinstance(outs, (tuple, list)) else [outs]
    outs = [o if isinstance(o, torch.Tensor) else torch.tensor(o) for o in outs]
    row = {"name": f"{case['op']}/{case['label']}", "op": case["op"], "section": of_section}
    if case["d3"]:
        row["d3"] = case["d3"]
    if case["signed_zero"]:
        row["signed_zero"] = True
    if case["args"]:
        row["args"] = [argument_json(a) for a in case["args"]]
    row["inputs"] = [input_json(x) for x in case["inputs"]]
    row["outputs"] = [tensor_json(o) for o in outs]
    if not any(o.requires_grad for o in outs):
        return row
    try:
        differentiate(row, case, outs, inputs)
    except RuntimeError as missing:  # torch has no derivative: the file has none
        if "is not implemented" not in str(missing):
            raise
    return row


def differentiate(row, case, outs, inputs):
    total = sum((weight(o, k) * o).sum() for k, o in enumerate(outs) if o.requires_grad)
    first = gradients(total, inputs)
    row["gradients"] = [g if g is None else tensor_json(g) for g in first]
    if not case["second"]:
        return
    squares = [(g * g).sum() for g in first if g is not None and g.requires_grad]
    second = gradients(sum(squares), inputs) if squares else [None] * len(inputs)
    row["second"] = [g if g is None else tensor_json(g) for g in second]


def argument_json(a):
    if isinstance(a, float):
        return number_json(a)
    if isinstance(a, (list, tuple)):
        return [argument_json(v) for v in a]
    if isinstance(a, dict):
        return {k: argument_json(v) for k, v in a.items()}
    if isinstance(a, torch.dtype):
        return DTYPES[a]
    return a


def number_json(v):
    if isinstance(v, float) and not math.isfinite(v):
        return "nan" if v != v else "inf" if v > 0 else "-inf"
    return v


def tensor_json(x):
    x = torch.zeros(x.shape, dtype=x.dtype) if x._is_zerotensor() else x
    flat = x.detach().contiguous().reshape(-1)
    # The shortest digits that name a float32 are those of numpy, not those of the double beside it.
    values = [float(str(v)) for v in flat.numpy()] if x.dtype == F32 else flat.tolist()
    return {"dtype": DTYPES[x.dtype], "shape": list(x.shape), "data": [number_json(v) for v in values]}


def input_json(x):
    row = tensor_json(x.plain)
    if x.grad:
        row["grad"] = True
    if x.layout:
        row["layout"] = x.layout
    return row
