"""Random specs in layers, blocks and variables, valid because the shape is known wherever a layer is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st
from layers_reference import ACTIVATIONS, KEEPING, Shape, Unfit, after, filled, written_out

Draw = Callable[[st.SearchStrategy[Any]], Any]
NAMES = ["width", "depth", "kernel", "groups", "growth"]  # of variables and parameters, which hide each other


@st.composite
def specs(draw: Draw) -> dict[str, Any]:
    """A spec of a classifier of noise, written in layers, blocks and variables."""
    return _Writer(draw).spec()


class _Writer:
    """Writes one spec. `scope` holds the variables that can be mentioned where it writes, with their values."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.let: dict[str, Any] = {}
        self.variables: dict[str, Any] = {}
        self.blocks: dict[str, Any] = {}
        self.scope: dict[str, Any] = {}
        self.classes = draw(st.integers(1, 7))

    def spec(self) -> dict[str, Any]:
        image = (self.size(1, 4), self.size(1, 9), self.size(1, 9))
        self.write_let()
        layers, shape = self.layers(image, room=3, most=5)
        layers += self.head(shape)
        spec: dict[str, Any] = {
            "zoo": 1,
            "name": "random",
            "task": "classify",
            "data": {"noise": {"image": [self.number(one) for one in image], "classes": self.number(self.classes)}},
            "networks": {"classifier": {"architecture": {"layers": self.either(layers, {"layers": layers})}}},
            "train": {"steps": self.number(10), "batch_size": 2},
            "budget": {"parameters": 99_999_999, "steps": self.number(10)},
        }
        if self.let:
            spec["let"] = self.shuffled(self.let)
        if self.blocks:
            spec["blocks"] = self.shuffled(self.blocks)
        return self.shuffled(spec)

    # Choices

    def one_of(self, choices: Any) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def either(self, *choices: Any) -> Any:
        return self.one_of(choices)

    def chance(self, of: int = 2) -> bool:
        return bool(self.draw(st.integers(1, of)) == of)

    def size(self, least: int, most: int) -> int:
        return int(self.draw(st.integers(least, most)))

    def divisor(self, *numbers: int) -> int:
        common = math.gcd(*numbers)
        return int(self.one_of([one for one in range(1, common + 1) if common % one == 0]))

    def shuffled(self, data: dict[str, Any]) -> dict[str, Any]:
        return {key: data[key] for key in self.draw(st.permutations(list(data)))}

    # Variables and arithmetic

    def write_let(self) -> None:
        for name in self.draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True)):
            self.scope = dict(self.variables)
            value: Any = self.size(0, 12)
            self.let[name] = self.number(value)
            self.variables[name] = value
        if self.chance():
            self.let |= {"act": "silu", "rate": 0.125, "bare": True}
            self.variables |= {"act": "silu", "rate": 0.125, "bare": True}
        self.scope = dict(self.variables)

    def number(self, value: int) -> Any:
        """Return a number as itself, or as an expression that gives it."""
        known = {name: one for name, one in self.scope.items() if type(one) is int}
        if not known or not self.chance(3):
            return value
        name = self.one_of(known)
        return "${" + self.one_of(_expressions(name, known[name], value)) + "}"

    def flag(self, value: bool) -> Any:
        if "bare" in self.scope and self.chance(4):
            return "${bare}" if value is self.scope["bare"] else "${not bare}"
        return value

    def pair(self, one: int, other: int) -> Any:
        """Return two numbers for height and width, as one if they are equal."""
        if one == other and self.chance():
            return self.number(one)
        return [self.number(one), self.number(other)]

    # Lists of layers

    def layers(self, shape: Shape, room: int, most: int = 3) -> tuple[list[Any], Shape]:
        """Return at most `most` layers and the shape after them; composites stand in each other `room` deep."""
        written: list[Any] = []
        for _ in range(self.size(0, most)):
            layer, shape = self.layer(shape, room)
            written.append(layer)
        return written, shape

    def some_layers(self, shape: Shape, room: int) -> tuple[list[Any], Shape]:
        """Return one layer or more."""
        first, shape = self.layer(shape, room)
        more, shape = self.layers(shape, room, most=2)
        return [first, *more], shape

    def layer(self, shape: Shape, room: int) -> tuple[Any, Shape]:
        kinds = ["leaf", "leaf", *(["again"] * 4 if self.blocks else [])]
        if room:
            kinds += ["block", "block", "block", "sequence", "repeat", "branches", "residual", "architecture"]
        kind = self.one_of(kinds)
        layer = getattr(self, kind)(shape, room - 1)
        return layer, self.after(layer, shape)

    def after(self, layer: Any, shape: Shape) -> Shape:
        """Return the shape after a layer as it is written here."""
        plain = written_out(filled(layer, self.scope), self.blocks, self.variables)
        return after(plain, shape, self.classes)

    def fitting(self, shape: Shape, wanted: Shape) -> list[Any]:
        """Return layers from one shape to the other."""
        if shape == wanted:
            return []
        if len(wanted) == 1:
            flat = [] if len(shape) == 1 else [self.either("flatten", "global_average_pool")]
            return [*flat, {"linear": self.number(wanted[0])}]
        if len(shape) == 1:
            return [{"linear": math.prod(wanted)}, {"reshape": [-1, *wanted[1:]]}]
        found: list[Any] = []
        if shape[1:] != wanted[1:]:
            found.append({"adaptive_average_pool": {"size": self.pair(*wanted[1:])}})
        if shape[0] != wanted[0]:
            # First what makes it smaller, so that nothing between is larger than both.
            place = 0 if wanted[0] < shape[0] else len(found)
            found.insert(place, {"conv": {"channels": self.number(wanted[0]), "kernel": 1}})
        return found

    def head(self, shape: Shape) -> list[Any]:
        """Return layers from a shape to the logits of the classes."""
        classes = self.number(self.classes)
        if len(shape) == 1:
            return [{"linear": classes}]
        options = {
            "stem": self.number(self.size(1, 4)),
            "widths": [self.number(4), 6],
            "depths": [1, self.number(1)],
            "block": self.either("basic", "bottleneck"),
            "activation": self.one_of(ACTIVATIONS),
            "dropout": 0.1,
        }
        last = self.one_of(
            [
                ["global_average_pool", {"linear": classes}],
                ["flatten", {"linear": {"features": classes, "bias": self.flag(False)}}],
                [{"adaptive_average_pool": 1}, {"conv": classes}, "flatten"],
                [{"max_pool": {"kernel": [*shape[1:]]}}, {"conv": {"channels": classes, "kernel": 1}}, "flatten"],
                [{"global_average_pool": {}}, {"dropout": 0.1}, {"linear": classes}],
                [{"resnet": options}],
                [{"resnet": {**options, "shortcut": "pad"}}, "silu"],
            ]
        )
        return list(last)

    # Composites

    def sequence(self, shape: Shape, room: int) -> Any:
        layers, _ = self.layers(shape, room)
        return {"sequence": self.either(layers, {"layers": layers})}

    def repeat(self, shape: Shape, room: int) -> Any:
        layers, found = self.some_layers(shape, room)
        shared = self.chance()
        if shared or self.chance():
            layers += self.fitting(found, shape)
        options: dict[str, Any] = {"times": 1, "layers": layers, "shared": shared}
        for times in range(2, self.size(1, 3) + 1):
            try:
                self.after({"repeat": {**options, "times": times}}, shape)
            except Unfit:
                break
            options["times"] = times
        options["times"] = self.number(options["times"])
        if not shared and self.chance():
            del options["shared"]
        return {"repeat": options}

    def branches(self, shape: Shape, room: int) -> Any:
        join = self.either("add", "multiply", "concat")
        layers, first = self.layers(shape, room)
        branches = [layers]
        for _ in range(self.size(0, 2)):
            layers, found = self.layers(shape, room)
            wanted = first
            if join == "concat" and len(found) == len(first):
                wanted = (found[0], *first[1:])
            elif join == "multiply" and self.chance():
                wanted = (first[0], *(1 for _ in first[1:]))
            branches.append([*layers, *self.fitting(found, wanted)])
        options: dict[str, Any] = {"branches": [self.as_layer(one) for one in branches], "join": join}
        try:
            self.after({"branches": options}, shape)
        except Unfit:  # all together are too large
            del options["branches"][1:]
        return {"branches": options}

    def residual(self, shape: Shape, room: int) -> Any:
        layers, found = self.layers(shape, room)
        if self.chance():
            layers += self.fitting(found, shape)
            return {"residual": self.either(layers, {"layers": layers}, {"layers": layers, "shortcut": []})}
        shortcut, other = self.layers(shape, room)
        return {"residual": {"layers": layers, "shortcut": [*shortcut, *self.fitting(other, found)]}}

    def as_layer(self, layers: list[Any]) -> Any:
        return layers[0] if len(layers) == 1 and self.chance() else {"sequence": layers} if layers else "identity"

    def architecture(self, shape: Shape, room: int) -> Any:
        layers, _ = self.some_layers(shape, room)
        return {"layers": self.either(layers, {"layers": layers})}

    # Blocks

    def block(self, shape: Shape, room: int) -> Any:
        """Return the first use of a new block, whose layers mention its parameters."""
        own = self.draw(st.lists(st.sampled_from([*NAMES, "act", "body"]), max_size=3, unique=True))
        seen = {name: value for name, value in self.variables.items() if name not in own}
        parameters: dict[str, Any] = {}
        given: dict[str, Any] = {}
        for name in own:
            with self.within(seen):
                parameters[name], seen[name] = self.argument(name)
            if self.chance():
                parameters[name] = self.either(None, parameters[name])
                given[name], seen[name] = self.argument(name)
        with self.within(seen):
            layers, _ = self.layers(shape, room)
            layers = [*layers, *self.mentions(own)] or ["identity"]
        name = f"block_{len(self.blocks)}"
        bare = not parameters and self.chance()
        self.blocks[name] = layers if bare else {"parameters": parameters, "layers": layers}
        return self.use(name, given)

    @contextmanager
    def within(self, scope: dict[str, Any]) -> Iterator[None]:
        """Write where these variables can be mentioned."""
        outer, self.scope = self.scope, dict(scope)
        yield
        self.scope = outer

    def argument(self, name: str) -> tuple[Any, Any]:
        """Return a value of a parameter, as it is written here and as it is."""
        if name == "body":
            layers = self.draw(st.lists(st.sampled_from(KEEPING), max_size=2))
            return layers, layers
        if name == "act":
            activation = self.one_of(ACTIVATIONS)
            return activation, activation
        value = self.size(0, 8)
        return self.number(value), value

    def mentions(self, own: list[str]) -> list[Any]:
        """Return layers that fit anywhere, whatever values the parameters have."""
        found: list[Any] = []
        for name in own:
            value = "${" + name + "}"
            if name == "act":
                found.append(value)
            elif name == "body":
                found.append(
                    self.either({"sequence": value}, {"residual": {"layers": value}}, {"residual": "${ body }"})
                )
            else:
                dropout = {"dropout": f"${{{name} % 10 / 10}}"}
                found.append(self.either(dropout, {"repeat": {"times": f"${{{name} % 3 + 1}}", "layers": [dropout]}}))
        return self.draw(st.lists(st.sampled_from(found), max_size=2)) if found else []

    def use(self, name: str, given: dict[str, Any]) -> Any:
        if not given:
            return self.either(name, {name: None}, {name: {}})
        block = self.blocks[name]
        ((key, value), *more) = given.items()
        if not more and key == next(iter(block["parameters"])) and not isinstance(value, dict) and self.chance():
            return {name: value}
        return {name: self.shuffled(given)}

    def again(self, shape: Shape, room: int) -> Any:
        """Return another use of a block, with values of its own; a leaf where none fits."""
        for name in self.draw(st.permutations(sorted(self.blocks))):
            block = self.blocks[name]
            parameters = block.get("parameters", {}) if isinstance(block, dict) else {}
            given = {
                key: self.argument(key)[0] for key, default in parameters.items() if default is None or self.chance()
            }
            use = self.use(name, given)
            try:
                self.after(use, shape)
            except (Unfit, ZeroDivisionError, ValueError, TypeError):
                continue
            return use
        return self.leaf(shape, room)

    # Leaves

    def leaf(self, shape: Shape, room: int) -> Any:
        leaf = self.one_of(list(self.image_leaves(*shape)) if len(shape) == 3 else list(self.vector_leaves(*shape)))()
        try:
            self.after(leaf, shape)
        except Unfit:  # too large
            return self.one_of(KEEPING)
        return leaf

    def any_leaves(self, channels: int) -> Iterator[Callable[[], Any]]:
        yield lambda: self.one_of(KEEPING)
        yield lambda: "${act}" if "act" in self.scope else "relu"
        yield lambda: {"dropout": "${rate}" if "rate" in self.scope else 0}
        yield lambda: {"channels": {"count": self.number(channels - channels // 3), "start": channels // 3}}
        if channels % 2 == 0:
            yield lambda: "glu"

    def vector_leaves(self, features: int) -> Iterator[Callable[[], Any]]:
        yield from self.any_leaves(features)
        yield lambda: {"linear": {"features": self.number(self.size(1, 16)), "bias": self.flag(self.chance())}}
        yield lambda: {"spectral_norm": {"layer": {"linear": self.number(self.size(1, 8))}}}
        yield lambda: {"reshape": [features, 1, 1]}
        yield lambda: {"reshape": {"to": [-1, 1, self.divisor(features)]}}

    def image_leaves(self, channels: int, height: int, width: int) -> Iterator[Callable[[], Any]]:
        yield from self.any_leaves(channels)
        for _ in range(3):
            yield lambda: {"conv": self.conv(channels, height, width)}
        yield lambda: {"conv": self.number(self.size(1, 12))}
        yield lambda: {"conv": {"channels": self.number(channels * self.size(1, 2)), "groups": "depthwise"}}
        yield lambda: {"spectral_norm": {"layer": {"conv": {"channels": self.number(self.size(1, 8)), "kernel": 1}}}}
        yield lambda: {"conv_transpose": self.conv_transpose(channels)}
        yield lambda: {self.either("max_pool", "average_pool"): self.pool(height, width)}
        yield lambda: {"adaptive_average_pool": {"size": self.pair(self.size(1, 5), self.size(1, 5))}}
        yield lambda: {"upsample": {"factor": self.number(2), "mode": self.either("nearest", "bilinear")}}
        yield lambda: {"channel_shuffle": self.number(self.divisor(channels))}
        yield lambda: {"zero_pad": [self.number(self.size(0, 2)) for _ in range(4)]}
        yield lambda: {"pixel_unshuffle": self.number(self.divisor(height, width))}
        yield lambda: {"shortcut_pad": {"channels": self.number(channels + self.size(0, 5)), "stride": self.size(1, 3)}}
        yield lambda: {"channel_dropout": {"probability": 0.5}}
        yield lambda: {"self_attention": self.number(self.divisor(channels))}
        yield lambda: self.either("flatten", "global_average_pool")
        factors = [one for one in (1, 2, 3) if channels % one**2 == 0]
        yield lambda: {"pixel_shuffle": self.number(self.one_of(factors))}
        if height * width > 1:
            yield lambda: {"group_norm": {"groups": self.number(self.divisor(channels)), "eps": 1e-4}}
            yield lambda: {"instance_norm": {"affine": self.flag(True)}}

    def conv(self, channels: int, height: int, width: int) -> dict[str, Any]:
        groups = self.divisor(channels)
        kernel, dilation = (self.size(1, 4), self.size(1, 3)), self.size(1, 2)
        options: dict[str, Any] = {
            "channels": self.number(groups * self.size(1, max(1, 12 // groups))),
            "kernel": self.pair(*kernel),
            "dilation": self.number(dilation),
            "stride": self.pair(self.size(1, 3), self.size(1, 3)),
            "groups": self.number(groups),
            "bias": self.flag(self.chance()),
        }
        # The least padding with which the kernel fits, or more.
        least = [
            max(0, -(-(dilation * (k - 1) + 1 - size) // 2)) for k, size in zip(kernel, (height, width), strict=True)
        ]
        options["padding"] = self.pair(*(one + self.size(0, 1) for one in least))
        if not any(least) and all(k % 2 for k in kernel):
            options["padding"] = self.either(None, options["padding"])
        return self.shuffled(options)

    def conv_transpose(self, channels: int) -> dict[str, Any]:
        kernel, stride, groups = self.size(1, 4), self.size(1, 2), self.divisor(channels)
        return {
            "channels": self.number(groups * self.size(1, 2)),
            "kernel": self.number(kernel),
            "stride": stride,
            "padding": (kernel - 1) // 2,
            "output_padding": self.size(0, stride - 1),
            "groups": self.number(groups),
        }

    def pool(self, height: int, width: int) -> dict[str, Any]:
        kernel = (self.size(1, min(3, height)), self.size(1, min(3, width)))
        options: dict[str, Any] = {
            "kernel": self.pair(*kernel),
            "stride": self.either(None, self.number(self.size(1, 3))),
            "padding": self.pair(*(self.size(0, one // 2) for one in kernel)),
            "ceil_mode": self.flag(self.chance()),
        }
        return {key: options[key] for key in options if key == "kernel" or self.chance()}


def _expressions(name: str, known: int, value: int) -> Iterator[str]:
    """Yield expressions that give `value` when the variable `name` is `known`."""
    yield f"{name} + {value - known}"
    yield f"{value} + {name} - {known}"
    yield f"abs({name} - {known}) + {value}"
    yield f"{value} if {name} == {known} else {name} // 0"
    yield f"int(float({name}) + {value} - {known})"
    yield f"max({name}, {value})" if known <= value else f"min({name}, {value})"
    yield f"round(({name} + 1) / {known + 1} * {value})"
    if known == value:
        yield from (name, f" {name} ", f"ceil({name} - 0.5)", f"floor(sqrt({name} ** 2))")
    if known and value % known == 0:
        yield f"{name} * {value // known}"
        yield f"{name} * 2 ** 3 * {value // known} // 8"
    if value and known >= value and known % value == 0:
        yield f"{name} // {known // value}"
    if value:
        yield f"round_to({name} + {value - known}, {value})"
        yield f"round_to({value} + {name} - {known}, 1)"
