"""How these golden files write numbers, Python values and warnings; README.md says the same in words."""

import argparse
import collections
import contextlib
import gzip
import json
import pathlib
import platform
import types
import warnings

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parent
DTYPES = {"f32": torch.float32, "f64": torch.float64}
NAMES = {torch.float32: "f32", torch.float64: "f64", torch.int64: "i64"}


def bits(value):
    """The C99 hex string of a number, without the zeros that end a mantissa."""
    mantissa, p, exponent = float(value).hex().partition("p")
    return mantissa.rstrip("0").rstrip(".") + p + exponent if "." in mantissa else mantissa + p + exponent


def hex_list(values):
    return [bits(v) for v in values]


def flat(t):
    return hex_list(t.detach().double().reshape(-1).tolist())


def encode(value):
    """A Python value with its kind: int, float, bool, None, str, tuple, list, map, counter, tensor, function."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return bits(value)
    if isinstance(value, str):
        return {"str": value}
    if isinstance(value, tuple):
        return {"tuple": [encode(v) for v in value]}
    if isinstance(value, list):
        return [encode(v) for v in value]
    if isinstance(value, collections.Counter):
        return {"counter": [[k, n] for k, n in value.items()]}
    if isinstance(value, dict):
        return {"map": [[k, encode(v)] for k, v in value.items()]}
    if isinstance(value, torch.Tensor):
        return {"dtype": NAMES[value.dtype], "shape": list(value.shape), "values": flat(value)}
    if isinstance(value, types.FunctionType):
        return {"function": value.__name__}
    raise TypeError(f"no encoding for {type(value)}")


def pairs(mapping):
    """A map as [key, value] pairs, because the order of keys is part of what torch does."""
    return [[k, encode(v)] for k, v in mapping.items()]


@contextlib.contextmanager
def caught():
    """Collects every warning of the block as (category, text)."""
    found = []
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield found
    found.extend((w.category.__name__, str(w.message)) for w in seen)


class Sqrt:
    """Which square root `Tensor.sqrt` takes.

    torch's on a CPU is MKL's vector math, which is one ulp off at a share of arguments that depends on the
    processor. The goldens take the correctly rounded root, the only one that every machine agrees on.
    """

    OF_TORCH = torch.Tensor.sqrt, torch.Tensor.sqrt_

    @staticmethod
    def correctly_rounded():
        def sqrt(t):
            with np.errstate(invalid="ignore"):
                return torch.tensor(np.sqrt(t.detach().numpy()), dtype=t.dtype)

        torch.Tensor.sqrt = sqrt
        torch.Tensor.sqrt_ = lambda t: t.copy_(sqrt(t))

    @staticmethod
    def of_this_machine():
        torch.Tensor.sqrt, torch.Tensor.sqrt_ = Sqrt.OF_TORCH


def written_with():
    mkl = [line.strip(" -") for line in torch.__config__.show().splitlines() if "Math Kernel Library" in line]
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "ATen CPU capability": torch.backends.cpu.get_cpu_capability(),
        "MKL": "; ".join(mkl),
        "threads": torch.get_num_threads(),
    }


def compact(value):
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def write(folder, name, head, sections):
    """`{"written_with": .., head.., section: [one row a line], ..}`, packed when the name ends in .gz."""
    parts = [f'"written_with":{json.dumps(written_with())}']
    parts += [f'"{key}":{compact(value)}' for key, value in head.items()]
    for key, rows in sections.items():
        parts.append(f'"{key}":[\n' + ",\n".join(compact(row) for row in rows) + "\n]")
    text = "{" + ",\n".join(parts) + "}\n"
    data = text.encode()
    if name.endswith(".gz"):
        data = gzip.compress(data, compresslevel=9, mtime=0)
    (folder / name).write_bytes(data)
    counts = ", ".join(f"{len(rows)} {key}" for key, rows in sections.items())
    print(f"{name}: {counts}, {len(text)} characters, {len(data)} bytes")


def versions(folder):
    lines = ["What the golden data was written with (optimizers.py, schedulers.py, errors.py):"]
    lines += [f"{key} {value}" if key != "MKL" else value for key, value in written_with().items()]
    lines += ["square root of Tensor.sqrt and sqrt_: correctly rounded (see class Sqrt of encoding.py)", ""]
    (folder / "VERSIONS").write_text("\n".join(lines))


def folder_to_write_to(doc):
    """Parses the command line, refuses another torch, fixes what could make two runs differ."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=HERE, help="folder to write to")
    args = parser.parse_args()
    if not torch.__version__.startswith("2.8.0"):
        parser.error(f"the goldens are those of torch 2.8.0, this is {torch.__version__}")
    torch.set_num_threads(1)
    versions(args.out)
    return args.out
