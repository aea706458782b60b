"""Options come from signatures, and their values are strict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import Field

from zoo.annotations import describe
from zoo.api import Activation, Component, LayerOption, Registry, SpecError
from zoo.errors import PluginError
from zoo.options import REQUIRED, Options
from zoo.spec.resolve import Resolver

if TYPE_CHECKING:
    from nowhere import Nothing  # type: ignore[import-not-found]


def function(
    parameters: Nothing,
    /,
    *,
    lr: Annotated[float, Field(gt=0, description="Rate.")],
    betas: tuple[float, float] = (0.9, 0.999),
    mode: Literal["a", "b"] = "a",
    activation: Activation = "relu",
    maybe: Activation | None = None,
    layers: list[LayerOption] = (),  # type: ignore[assignment]
    flag: bool = False,
    count: int = 1,
) -> None:
    """A target with every kind of option."""


@dataclass(frozen=True, kw_only=True)
class Record:
    size: int = 3
    names: list[str] = field(default_factory=list)


def test_positional_arguments_are_supplied_and_keywords_are_options() -> None:
    options = Options(function)
    assert options.supplied == ("parameters",)
    assert list(options.by_name) == ["lr", "betas", "mode", "activation", "maybe", "layers", "flag", "count"]
    assert options.by_name["lr"].default is REQUIRED
    assert options.by_name["lr"].description == "Rate."


def test_components_are_recognised_however_they_are_wrapped() -> None:
    forms = {name: (one.form, one.kinds, one.optional) for name, one in Options(function).by_name.items()}
    assert forms["activation"] == ("one", ("activation",), False)
    assert forms["maybe"] == ("one", ("activation",), True)
    assert forms["layers"] == ("list", ("layer", "activation", "norm", "architecture"), False)
    assert forms["lr"] == ("value", (), False)


def test_fields_of_a_dataclass_are_options() -> None:
    options = Options(Record)
    assert [(one.name, one.default) for one in options] == [("size", 3), ("names", [])]


def both(a: int) -> None: ...
def untyped(*, a) -> None: ...  # type: ignore[no-untyped-def]
def unknown(*, a: NoSuchType) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (both, "both: argument 'a' is neither positional-only (supplied by the core) nor keyword-only (an option); "
               "add '/' or '*' to the signature"),
        (untyped, "untyped: option 'a' has no annotation"),
        (unknown, "unknown: the annotation of option 'a' cannot be resolved: name 'NoSuchType' is not defined"),
    ],
)  # fmt: skip
def test_a_signature_that_gives_no_options_is_refused(target: Any, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        Options(target)
    assert str(caught.value) == message


def resolve(data: Any) -> dict[str, Any]:
    registry = Registry.of(
        [
            Component("optimizer", "every", "test_options:function"),
            Component("activation", "relu", "zoo_torch.activations:ReLU"),
            Component("activation", "elu", "zoo_torch.activations:ELU"),
        ]
    )
    return Resolver(registry).component_from(("optimizer",), {"every": data}).options


def test_defaults_are_filled_in_and_nested_ones_resolved() -> None:
    options = resolve({"lr": 1})
    assert options["lr"] == 1.0
    assert options["betas"] == (0.9, 0.999)
    assert options["activation"].name == "relu"
    assert options["maybe"] is None
    assert options["layers"] == ()


def test_a_list_becomes_a_tuple_and_nested_options_are_checked() -> None:
    options = resolve({"lr": 0.1, "betas": [0.5, 0.9], "layers": ["relu", {"elu": 2.0}]})
    assert options["betas"] == (0.5, 0.9)
    assert options["layers"][1].options == {"alpha": 2.0}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"lr": True}, "every.lr: found true; wanted a number > 0"),
        ({"lr": "1"}, "every.lr: found '1'; wanted a number > 0"),
        ({"lr": 1, "count": True}, "every.count: found true; wanted a whole number"),
        ({"lr": 1, "count": 1.0}, "every.count: found 1.0; wanted a whole number"),
        ({"lr": 1, "flag": 1}, "every.flag: found 1; wanted true or false"),
        ({"lr": 1, "flag": "no"}, "every.flag: found 'no'; wanted true or false"),
        ({"lr": 1, "mode": "c"}, "every.mode: found 'c'; wanted one of a, b"),
        ({"lr": 1, "betas": [1, 2, 3]}, "every.betas: found a list of 3; wanted a list of 2, each a number"),
        ({"lr": 1, "betas": [1, "x"]}, "every.betas.1: found 'x'; wanted a number"),
        ({"lr": float("nan")}, "every.lr: found nan; wanted a number > 0"),
        ({"lr": 1, "layers": "relu"}, "every.layers: found 'relu'; wanted a list of layers"),
        ({"lr": 1, "maybe": 3}, "every.maybe: found 3; wanted one activation: its name, or its name with its options"),
    ],
)
def test_values_are_strict(data: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve(data)
    assert str(caught.value) == f"<default>: {message}"


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[int, Field(ge=1, le=10_000)], "a whole number from 1 to 10,000"),
        (Annotated[float, Field(gt=0, lt=1)], "a number > 0 and < 1"),
        (int | None, "a whole number or null"),
        (dict[str, int], "a mapping, each value a whole number"),
        (Annotated[list[int], Field(min_length=2)], "a list of 2 or more, each a whole number"),
        (Literal["x"], "x"),
        (Any, "any value"),
    ],
)
def test_types_are_said_in_words(annotation: Any, words: str) -> None:
    assert describe(annotation) == words


def test_a_whole_number_as_the_default_of_a_number_is_that_number() -> None:
    def rate(
        steps: int, /, *, decay: float = 0, limit: float | None = 1, times: int = 2, either: int | float = 3
    ) -> None:
        """As torch writes it."""

    defaults = {option.name: option.default for option in Options(rate)}
    assert [type(one) for one in defaults.values()] == [float, float, int, int]


def test_a_module_without_a_constructor_has_no_options() -> None:
    from torch import nn

    class Bend(nn.Module):
        """Bends."""

    assert list(Options(Bend)) == []
