#!/usr/bin/env python3
"""Writes layers.json.gz beside it: what the layers of torch 2.8.0 start from, compute and remember.

    pip install torch==2.8.0
    python crates/nn/tests/golden/layers.py

One case per line, floats as C99 hex strings (`float.hex()`), so that a file holds the exact bits:

initial   the state dict of the layer made after manual_seed(7), and next, what torch.rand(1) draws then
loaded    a state dict whose parameters are other numbers, loaded before the steps
steps     one after the other: the mode, the inputs, the output of the layer after manual_seed(11), and the gradients
          of sum(output * [1, 1.25, 1.5, ..]) with respect to the inputs of floating-point type and the parameters
final     the state dict after them
smooth    whether finite differences make sense
"""

import gzip
import json

import torch
from generate import HERE, SHORT, Draw, described, hexadecimal
from torch import nn

torch.set_num_threads(1)


def convolutions(d):
    lines, images = d(1, 4, 9), d(1, 4, 4, 5)
    yield "Conv1d", True, lambda: nn.Conv1d(4, 6, 3), [(lines,)]
    yield "Conv1d/one line", True, lambda: nn.Conv1d(4, 6, 3), [(d(4, 5),)]
    yield "Conv1d/options", True, lambda: nn.Conv1d(
        4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=False
    ), [(lines,)]
    yield "Conv1d/circular same", True, lambda: nn.Conv1d(
        4, 2, 4, padding="same", padding_mode="circular"
    ), [(lines,)]
    yield "Conv2d", True, lambda: nn.Conv2d(4, 3, 3), [(images,)]
    yield "Conv2d/options", True, lambda: nn.Conv2d(
        4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2
    ), [(images,)]
    yield "Conv2d/same", True, lambda: nn.Conv2d(4, 2, (3, 2), padding="same", bias=False), [(images,)]
    yield "Conv2d/batch", False, lambda: nn.Conv2d(2, 1, 2), [(d(3, 2, 3, 3),)]
    yield "Conv2d/reflect", True, lambda: nn.Conv2d(4, 2, 3, padding=(1, 2), padding_mode="reflect"), [(images,)]
    yield "Conv2d/replicate same", True, lambda: nn.Conv2d(
        4, 2, (2, 3), dilation=(1, 2), padding="same", padding_mode="replicate"
    ), [(images,)]
    yield "ConvTranspose2d", True, lambda: nn.ConvTranspose2d(4, 2, 3), [(images,)]
    yield "ConvTranspose2d/options", True, lambda: nn.ConvTranspose2d(
        4, 6, (3, 2), stride=(2, 3), padding=1, output_padding=(1, 2), groups=2, dilation=(1, 2), bias=False
    ), [(images,)]


def pools(d):
    # Distinct numbers: which of two equal ones is the largest finite differences cannot say.
    images = (torch.randperm(60, generator=d.generator).to(d.dtype) / 8).reshape(1, 2, 5, 6)
    images.requires_grad_(True)
    yield "MaxPool2d", True, lambda: nn.MaxPool2d(2), [(images,)]
    yield "MaxPool2d/options", True, lambda: nn.MaxPool2d(
        (3, 2), stride=2, padding=1, dilation=(1, 2), ceil_mode=True
    ), [(images,)]
    yield "AvgPool2d", True, lambda: nn.AvgPool2d((3, 2)), [(images,)]
    yield "AvgPool2d/options", True, lambda: nn.AvgPool2d(
        3, stride=2, padding=1, ceil_mode=True, count_include_pad=False
    ), [(images,)]
    yield "AdaptiveAvgPool2d", True, lambda: nn.AdaptiveAvgPool2d((2, 4)), [(images,)]
    yield "AdaptiveAvgPool2d/own", True, lambda: nn.AdaptiveAvgPool2d((None, 1)), [(images,)]
    yield "Upsample", True, lambda: nn.Upsample(scale_factor=2), [(images,)]
    yield "Upsample/bilinear", True, lambda: nn.Upsample((7, 9), mode="bilinear", align_corners=True), [(images,)]


def norms(d):
    rows, more, lines = d(5, 3), d(4, 3), d(2, 3, 4)
    images, others = d(2, 3, 2, 2), d(3, 3, 2, 2)
    yield "BatchNorm1d", True, lambda: nn.BatchNorm1d(3), [(rows,), (more,), (lines,), "eval", (rows,), (lines,)]
    yield "BatchNorm1d/average", True, lambda: nn.BatchNorm1d(3, momentum=None), [(rows,), (more,), "eval", (rows,)]
    yield "BatchNorm1d/options", True, lambda: nn.BatchNorm1d(3, eps=0.5, momentum=0.75), [(rows,), "eval", (rows,)]
    yield "BatchNorm1d/plain", True, lambda: nn.BatchNorm1d(3, affine=False), [(rows,), "eval", (more,)]
    yield "BatchNorm1d/untracked", True, lambda: nn.BatchNorm1d(3, track_running_stats=False), [
        (rows,),
        "eval",
        (more,),
    ]
    yield "BatchNorm2d", True, lambda: nn.BatchNorm2d(3), [(images,), (others,), "eval", (images,)]
    yield "LayerNorm", True, lambda: nn.LayerNorm(4), [(lines,)]
    yield "LayerNorm/options", True, lambda: nn.LayerNorm((3, 4), eps=0.5, bias=False), [(lines,)]
    yield "LayerNorm/plain", True, lambda: nn.LayerNorm(4, elementwise_affine=False), [(lines,)]
    channels = d(2, 6, 3)
    yield "GroupNorm", True, lambda: nn.GroupNorm(2, 6), [(channels,)]
    yield "GroupNorm/options", True, lambda: nn.GroupNorm(3, 6, eps=0.5, affine=False), [(channels,)]


def others(d):
    words = torch.tensor([[1, 3, 3], [0, 2, 3]])
    yield "Embedding", True, lambda: nn.Embedding(4, 3), [(words,)]
    yield "Embedding/padding 3", False, lambda: nn.Embedding(4, 3, padding_idx=3), [(words,)]
    yield "Embedding/padding -4", False, lambda: nn.Embedding(4, 3, padding_idx=-4), [(words,)]
    yield "Bilinear", True, lambda: nn.Bilinear(3, 4, 2), [(d(5, 3), d(5, 4))]
    yield "Bilinear/no bias", True, lambda: nn.Bilinear(2, 2, 3, bias=False), [(d(2, 3, 2), d(2, 3, 2))]
    yield "Dropout", False, lambda: nn.Dropout(), [(d(4, 5),), "eval", (d(4, 5),)]
    yield "Dropout/0.2", False, lambda: nn.Dropout(0.2), [(d(4, 5),)]


def activations(d):
    x = d(2, 3, 4, low=-8.0, high=8.0)
    made = {
        "GELU": lambda: nn.GELU(),
        "GELU/tanh": lambda: nn.GELU(approximate="tanh"),
        "SiLU": lambda: nn.SiLU(),
        "ELU": lambda: nn.ELU(),
        "ELU/alpha": lambda: nn.ELU(alpha=0.5),
        "LeakyReLU": lambda: nn.LeakyReLU(),
        "LeakyReLU/slope": lambda: nn.LeakyReLU(0.25),
        "PReLU": lambda: nn.PReLU(),
        "PReLU/channels": lambda: nn.PReLU(3, init=0.1),
        "Hardtanh": lambda: nn.Hardtanh(),
        "Hardtanh/bounds": lambda: nn.Hardtanh(-2.25, 3.3),
        "ReLU6": lambda: nn.ReLU6(),
        "Mish": lambda: nn.Mish(),
        "Softsign": lambda: nn.Softsign(),
        "SELU": lambda: nn.SELU(),
        "Hardswish": lambda: nn.Hardswish(),
        "Hardsigmoid": lambda: nn.Hardsigmoid(),
    }
    kinks = d.given([0.0, -3.0, 3.0, 6.0, -1.0, 1.0, 100.0, -100.0])
    for name, make in made.items():
        yield name, True, make, [(x,)]
        if name != "PReLU/channels":
            yield name, False, make, [(kinks,)]


def state(layer):
    return [{"name": name, **described(tensor)} for name, tensor in layer.state_dict().items()]


def step(layer, inputs):
    torch.manual_seed(11)
    output = layer(*inputs)
    cotangent = 1 + torch.arange(output.numel(), dtype=output.dtype).reshape(output.shape) / 4
    learned = [x for x in (*inputs, *layer.parameters()) if x.requires_grad]
    gradients = torch.autograd.grad((output * cotangent).sum(), learned)
    return {
        "training": layer.training,
        "inputs": [described(x) for x in inputs],
        "output": described(output),
        "gradients": [described(g) for g in gradients],
    }


def case(draw, name, smooth, make, steps):
    torch.manual_seed(7)
    layer = make()
    initial, following = state(layer), hexadecimal(torch.rand(1).item())
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(draw(*parameter.shape, learned=False))
    loaded, done = state(layer), []
    for inputs in steps:
        if inputs == "eval":
            layer.eval()
        else:
            done.append(step(layer, inputs))
    return {
        "name": name,
        "dtype": SHORT[draw.dtype],
        "smooth": smooth,
        "initial": initial,
        "next": following,
        "loaded": loaded,
        "steps": done,
        "final": state(layer),
    }


def layers():
    for dtype in [torch.float64, torch.float32]:
        torch.set_default_dtype(dtype)
        draw = Draw(dtype)
        for family in [convolutions, pools, norms, others, activations]:
            for name, smooth, make, steps in family(draw):
                yield case(draw, name, smooth, make, steps)


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(line) for line in layers())
    text = f'{{"torch": "{torch.__version__.split("+")[0]}", "cases": [\n{lines}\n]}}\n'
    (HERE / "layers.json.gz").write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
