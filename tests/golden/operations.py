#!/usr/bin/env python3
"""Writes operations.json.gz: what torch 2.8.0 makes of every operation, its gradient and its second gradient.

    pip install torch==2.8.0 numpy
    python tests/golden/operations.py            # rewrites operations.json.gz
    python tests/golden/operations.py --out DIR  # the same file elsewhere

`written_with` says what the file was made by. Its cases, one per line, are declared by section in cases/*.py:
    name       operation and label
    op         the method of Tensor, with `linalg.` or `functional.` before it where it is a function there
    d3         the row of the table of special points that the case belongs to
    args       arguments that are no tensors, in order
    inputs     dtype, shape, data in row-major order; `grad` where a gradient is asked for; `layout` where the
               input is not dense (`transposed`: its last two dimensions; `sliced`: every second element)
    outputs    likewise; u, s, v of decompositions in combinations that do not depend on choices of sign
    gradients  of s = sum_k sum(w_k * out_k), w_k = cos(0.7 j + 1.3 k + 0.3) with j the flat index in output
               number k, over the floating-point outputs; null where torch gives None
    second     of q = sum_i sum(gradient_i^2); absent where torch cannot or where it was not asked
    signed_zero  zeros in the outputs must have torch's signs

Numbers are the shortest decimals that name their doubles (or floats); infinities and NaN are strings. The last
bits of LAPACK's results depend on where memory lies: two runs may differ there.
"""

import argparse
import gzip
import json
import pathlib
import platform
import sys
import warnings

import torch

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from cases import core  # noqa: E402
from cases import (  # noqa: E402,F401
    arrange,
    basic,
    basic_shapes,
    elementwise,
    indexing,
    linalg,
    losses,
    reductions,
    windows,
)
from cases import extreme  # noqa: E402,F401  adds to the operations of all sections


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = pathlib.Path(__file__).resolve().parent
    parser.add_argument("--out", type=pathlib.Path, default=here, help="folder to write to")
    args = parser.parse_args()
    if not torch.__version__.startswith("2.8.0"):
        parser.error(f"the goldens are those of torch 2.8.0, this is {torch.__version__}")
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    core.complete()
    rows = [core.evaluate(case) for case in core.CASES]
    names = [row["name"] for row in rows]
    twice = {name for name in names if names.count(name) > 1}
    unused = set(core.OPERATIONS) - {row["op"] for row in rows}
    if twice or unused:
        sys.exit(f"cases named twice: {sorted(twice)}; operations without a case: {sorted(unused)}")
    lines = ",\n".join(json.dumps(row, separators=(",", ":"), allow_nan=False) for row in rows)
    written_with = json.dumps(
        {
            "torch": torch.__version__,
            "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
            "ATen CPU capability": torch.backends.cpu.get_cpu_capability(),
        }
    )
    file = f'{{"written_with": {written_with},\n"cases": [\n{lines}\n]}}\n'
    packed = gzip.compress(file.encode(), compresslevel=9, mtime=0)
    (args.out / "operations.json.gz").write_bytes(packed)
    print(f"{len(rows)} cases of {len(core.OPERATIONS)} operations, {len(packed)} bytes")


if __name__ == "__main__":
    main()
