"""What a spec in layers means, written anew from the documentation: the tests hold the product against it.

`expansion` fills in variables and blocks; `outputs` says the shape after each layer.
"""

from __future__ import annotations

import math
import re
from typing import Any

Shape = tuple[int, ...]
LARGEST = 1024  # values of one image anywhere in a random network, so that its forward pass takes no time

ACTIVATIONS: list[Any] = [
    "relu",
    "silu",
    "mish",
    "tanhshrink",
    "rrelu",
    {"gelu": "tanh"},
    {"gelu": {"approximate": "none"}},
    {"leaky_relu": 0.2},
    {"prelu": {"per_channel": True}},
    {"hardtanh": {"min_val": -2, "max_val": 2.5}},
    {"softplus": None},
    {"elu": {}},
]
#: Layers that keep any shape.
KEEPING: list[Any] = [
    *ACTIVATIONS,
    "batch_norm",
    "identity",
    "none",
    "layer_norm",
    {"dropout": 0.25},
    {"batch_norm": {"momentum": 0.01, "affine": False}},
    {"layer_norm": {"affine": False}},
    {"layer_norm": {"over": "channels"}},
    "rms_norm",
    "position",
    {"scale": {"initial": 0.5, "per_channel": False}},
    {"scale": 1e-6},
]
#: What a bare value sets.
FIRST = {
    "adaptive_average_pool": "size",
    "average_pool": "kernel",
    "branches": "branches",
    "channel_shuffle": "groups",
    "channels": "count",
    "conv": "channels",
    "conv_transpose": "channels",
    "group_norm": "groups",
    "layers": "layers",
    "linear": "features",
    "max_pool": "kernel",
    "pixel_shuffle": "factor",
    "pixel_unshuffle": "factor",
    "reshape": "to",
    "residual": "layers",
    "self_attention": "heads",
    "sequence": "layers",
    "shortcut_pad": "channels",
    "spectral_norm": "layer",
    "upsample": "factor",
    "zero_pad": "padding",
}
#: The least that options can be.
LEAST = {
    **dict.fromkeys(
        ("channels", "count", "dilation", "factor", "features", "groups", "heads", "kernel", "size", "stride"), 1
    ),
    **dict.fromkeys(("output_padding", "padding", "start"), 0),
}


class Unfit(Exception):
    """A layer cannot stand here."""


def _round_to(value: float, multiple: int) -> int:
    return max(1, math.floor(value / multiple + 0.5)) * multiple


FUNCTIONS = {
    **{one.__name__: one for one in (abs, float, int, max, min, round)},
    **{one.__name__: one for one in (math.ceil, math.floor, math.log2, math.sqrt)},
    "round_to": _round_to,
}


def filled(data: Any, variables: dict[str, Any]) -> Any:
    """Return `data` with each `${...}` evaluated, by Python itself."""
    if isinstance(data, dict):
        return {key: filled(value, variables) for key, value in data.items()}
    if isinstance(data, list):
        return [filled(value, variables) for value in data]
    if isinstance(data, str) and (match := re.fullmatch(r"\$\{(.*)\}", data)):
        return eval(match[1], {"__builtins__": {}, "true": True, "false": False, **FUNCTIONS}, variables)
    return data


def variables_of(let: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the variables, whichever mention which."""
    known: dict[str, Any] = {}
    while len(known) < len(let):
        for name, value in let.items():
            try:
                known.setdefault(name, filled(value, known))
            except NameError:
                continue
    return known


def expansion(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the spec without `let` and `blocks`: each use of a block is the sequence of its layers."""
    variables = variables_of(spec.get("let", {}))
    found = {key: filled(value, variables) for key, value in spec.items() if key not in ("let", "blocks")}
    found["networks"] = written_out(found["networks"], spec.get("blocks", {}), variables)
    return found


def written_out(data: Any, blocks: dict[str, Any], variables: dict[str, Any]) -> Any:
    """Return `data` with the layers of blocks in place of their uses."""
    if isinstance(data, list):
        return [written_out(one, blocks, variables) for one in data]
    if isinstance(data, str) and data in blocks:
        data = {data: None}
    if not isinstance(data, dict):
        return data
    (name, given), *more = data.items() or [("", None)]
    if name not in blocks or more:
        return {key: written_out(value, blocks, variables) for key, value in data.items()}
    block = blocks[name] if isinstance(blocks[name], dict) else {"layers": blocks[name]}
    parameters = block.get("parameters", {})
    if not isinstance(given, dict):
        given = {} if given is None else {next(iter(parameters)): given}
    values = {key: value for key, value in variables.items() if key not in parameters}
    for key, default in parameters.items():
        values[key] = given[key] if key in given else filled(default, values)
    return {"sequence": written_out(filled(block["layers"], values), blocks, variables)}


def named(layer: Any) -> tuple[str, dict[str, Any]]:
    """Return a layer's name and its options."""
    if isinstance(layer, str):
        return layer, {}
    ((name, options),) = layer.items()
    if not isinstance(options, dict):
        options = {} if options is None else {FIRST[name]: options} if name in FIRST else {}
    return name, options


def outputs(layers: list[Any], shape: Shape, classes: int) -> list[Shape]:
    """Return the shape after each of the plain layers. Raises Unfit."""
    found: list[Shape] = []
    for layer in layers:
        shape = after(layer, shape, classes)
        found.append(shape)
    return found


def run(layers: list[Any], shape: Shape, classes: int) -> Shape:
    """Return the shape after all of the plain layers. Raises Unfit."""
    return [shape, *outputs(layers, shape, classes)][-1]


def after(layer: Any, shape: Shape, classes: int) -> Shape:
    """Return the shape after one plain layer. Raises Unfit."""
    name, options = named(layer)
    if name in ("sequence", "layers"):
        return run(options["layers"], shape, classes)
    if name == "repeat":
        _need(options["times"] > 0)
        for _ in range(options["times"]):
            before, shape = shape, run(options["layers"], shape, classes)
            _need(before == shape or not options.get("shared"))
        return shape
    if name == "residual":
        found = run(options["layers"], shape, classes)
        _need(found == run(options.get("shortcut", []), shape, classes))
        return found
    if name == "branches":
        shapes = [after(one, shape, classes) for one in options["branches"]]
        found = _joined(shapes, options.get("join", "add"))
        _need(math.prod(found) <= LARGEST)
        return found
    if name == "resnet":
        _need(len(shape) == 3)
        return (classes,)
    found = _leaf(name, options, shape)
    _need(min(found) > 0 and math.prod(found) <= LARGEST)
    return found


def _need(condition: bool) -> None:
    if not condition:
        raise Unfit


def _joined(shapes: list[Shape], join: str) -> Shape:
    if join == "concat":
        _need(len({one[1:] for one in shapes}) == 1)
        return (sum(one[0] for one in shapes), *shapes[0][1:])
    if join == "add":
        _need(len(set(shapes)) == 1)
        return shapes[0]
    _need(len({len(one) for one in shapes}) == 1)
    _need(all(len(set(sizes) - {1}) <= 1 for sizes in zip(*shapes, strict=True)))
    return tuple(map(max, *shapes)) if len(shapes) > 1 else shapes[0]


def _leaf(name: str, options: dict[str, Any], shape: Shape) -> Shape:
    """Return the shape after a layer that holds none, from the formulas in torch's documentation."""
    get = options.get
    for key, least in LEAST.items():
        _need(get(key) in (None, "depthwise") or min(_pair(options[key])) >= least)
    if name == "linear":
        _need(len(shape) == 1)
        return (options["features"],)
    if name == "flatten":
        return (math.prod(shape),)
    if name == "reshape":
        left = math.prod(shape) // abs(math.prod(options["to"]))
        found = tuple(left if size == -1 else size for size in options["to"])
        _need(math.prod(found) == math.prod(shape))
        return found
    if name == "channels":
        _need(get("start", 0) + options["count"] <= shape[0])
        return (options["count"], *shape[1:])
    if name == "group_norm":
        _need(shape[0] % get("groups", 8) == 0 and get("groups", 8) < math.prod(shape))
        return shape
    if name == "glu":
        _need(shape[0] % 2 == 0)
        return (shape[0] // 2, *shape[1:])
    if name == "spectral_norm":
        return _leaf(*named(options["layer"]), shape)
    if name in {named(one)[0] for one in KEEPING}:
        return shape
    _need(len(shape) == 3)
    channels, height, width = shape
    if name in ("conv", "max_pool", "average_pool"):
        return _windows(name, options, shape)
    if name == "conv_transpose":
        groups = get("groups", 1)
        _need(channels % groups == 0 and options["channels"] % groups == 0)
        pairs = zip(
            shape[1:],
            *(_pair(get(key, default)) for key, default in
              (("kernel", 4), ("stride", 1), ("padding", 0), ("output_padding", 0))),
            strict=True,
        )  # fmt: skip
        return (options["channels"], *((size - 1) * s - 2 * p + k + extra for size, k, s, p, extra in pairs))
    if name == "adaptive_average_pool":
        return (channels, *_pair(get("size", 1)))
    if name == "global_average_pool":
        return (channels,)
    if name == "upsample":
        return (channels, height * get("factor", 2), width * get("factor", 2))
    if name == "pixel_shuffle":
        factor = get("factor", 2)
        _need(channels % factor**2 == 0)
        return (channels // factor**2, height * factor, width * factor)
    if name == "pixel_unshuffle":
        factor = get("factor", 2)
        _need(height % factor == 0 and width % factor == 0)
        return (channels * factor**2, height // factor, width // factor)
    if name == "self_attention":
        _need(channels % get("heads", 1) == 0)
        return shape
    if name == "channel_shuffle":
        _need(channels % get("groups", 2) == 0)
        return shape
    if name == "zero_pad":
        left, right, top, bottom = options["padding"]
        return (channels, height + top + bottom, width + left + right)
    if name == "shortcut_pad":
        _need(options["channels"] >= channels)
        stride = get("stride", 1)
        return (options["channels"], math.ceil(height / stride), math.ceil(width / stride))
    if name == "instance_norm":
        _need(height * width > 1)
        return shape
    assert name == "channel_dropout", name
    return shape


def _windows(name: str, options: dict[str, Any], shape: Shape) -> Shape:
    get, conv = options.get, name == "conv"
    kernel = _pair(get("kernel", 3 if conv else 2))
    stride = _pair(get("stride") or (1 if conv else list(kernel)))
    dilation = _pair(get("dilation", 1))
    padding = get("padding", None if conv else 0)
    halves = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
    sizes = []
    for size, k, s, d, p in zip(
        shape[1:], kernel, stride, dilation, halves if padding is None else _pair(padding), strict=True
    ):
        room = size + 2 * p - d * (k - 1) - 1
        _need(room >= 0 and (conv or 2 * p <= k))
        count = (math.ceil(room / s) if get("ceil_mode") else room // s) + 1
        if get("ceil_mode") and (count - 1) * s >= size + p:
            count -= 1
        sizes.append(count)
    if not conv:
        return (shape[0], *sizes)
    groups = shape[0] if get("groups") == "depthwise" else get("groups", 1)
    _need(shape[0] % groups == 0 and options["channels"] % groups == 0)
    return (options["channels"], *sizes)


def _pair(value: Any) -> tuple[int, ...]:
    """Return one number for height and width, or as many as are given."""
    return tuple(value) if isinstance(value, list) else (value, value)
