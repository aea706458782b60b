"""Modules as the Python that makes them: a constructor's arguments are read off the module that it made."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from zoo.errors import ZooError

WIDTH = 88  # columns, the width that formatters agree on
#: What torch.nn.utils.parametrizations puts on a weight, and the function that does.
WRAPPERS = {"_SpectralNorm": "spectral_norm", "_WeightNorm": "weight_norm"}
SIZES = ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size", "normalized_shape")


@dataclass(frozen=True)
class Code:
    """An expression that can be broken into lines: `head`, parts with commas between, `tail`.

    A part is its prefix (a key, the name of an argument, or nothing) and its code; without parts it is `head` alone.
    """

    head: str
    parts: tuple[tuple[str, Code], ...] = ()
    tail: str = ""

    def flat(self) -> str:
        """Return the expression in one line."""
        return self.head + ", ".join(prefix + part.flat() for prefix, part in self.parts) + self.tail

    def lines(self, indent: int = 0, before: str = "", after: str = "") -> Iterator[str]:
        """Yield the expression between two texts, in one line where it fits, else with a line for each part."""
        whole = " " * indent + before + self.flat() + after
        if len(whole) <= WIDTH or not self.parts:
            yield whole
            return
        yield " " * indent + before + self.head
        for prefix, part in self.parts:
            yield from part.lines(indent + 4, prefix, ",")
        yield " " * indent + self.tail + after


def call(name: str, *arguments: Code | tuple[str, Code]) -> Code:
    """Return a call; a pair is an argument with its prefix."""
    parts = tuple(one if isinstance(one, tuple) else ("", one) for one in arguments)
    return Code(f"{name}(", parts, ")")


def module_code(module: nn.Module) -> Code:
    """Return the call that makes a module like this one, weights apart.

    Arguments that have their default are left out. Raises ZooError when an argument is not kept as an attribute of
    its name.
    """
    if isinstance(module, nn.Sequential) and type(module) is nn.Sequential:
        return call("nn.Sequential", *(module_code(one) for one in module))
    kind: type[nn.Module] = parametrize.type_before_parametrizations(module)
    arguments: list[Code | tuple[str, Code]] = []
    for parameter in inspect.signature(kind).parameters.values():
        if parameter.name in ("device", "dtype") or parameter.kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        ):
            continue
        required = parameter.default is inspect.Parameter.empty
        if not required and kind.__module__.startswith("torch.") and not hasattr(module, parameter.name):
            continue  # an old name of another argument, as Hardtanh's min_value
        value = _argument(module, parameter.name)
        if required or value != parameter.default:
            code = Code(repr(value))
            arguments.append(code if required else (f"{parameter.name}=", code))
    name = f"nn.{kind.__name__}" if getattr(nn, kind.__name__, None) is kind else kind.__name__
    code = call(name, *arguments)
    for wrapper in _parametrizations(module):
        code = call(wrapper, code)
    through = getattr(module, "made_through", None)  # a function that changed how its weights begin
    return code if through is None else call(through.__name__, code)


def _parametrizations(module: nn.Module) -> Iterator[str]:
    """Yield torch's functions that a module was handed through after it was made."""
    if not parametrize.is_parametrized(module):
        return
    for name, parts in module.parametrizations.items():  # type: ignore[union-attr,operator]
        for part in parts:
            kind = type(part).__name__
            if kind not in WRAPPERS or name != "weight":
                raise ZooError(f"its {name} is parametrized by {kind}, which cannot be written down")
            yield f"nn.utils.parametrizations.{WRAPPERS[kind]}"


def _argument(module: nn.Module, name: str) -> Any:
    if not hasattr(module, name):
        raise ZooError(
            f"{type(module).__name__} keeps no attribute {name!r} of its constructor's argument, so how it was made "
            "is not to be seen; a module that keeps it can be ejected"
        )
    value = getattr(module, name)
    if name == "bias" and (value is None or hasattr(value, "shape")):
        return value is not None
    if type(module).__module__.startswith("torch.") and name in SIZES and isinstance(value, tuple):
        value = value[0] if len(set(value)) == 1 else value
    return value
