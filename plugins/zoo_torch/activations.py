"""torch's activations. Names and defaults are torch's own; none works in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from zoo.api import Cost, Field, Finding, Formula, Layer, Setting, Shape, ShapeError, elements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

Slope = Annotated[float, Field(ge=-10, le=10)]


@dataclass(frozen=True, kw_only=True)
class Activation(Layer):
    """Base: a function of each value, built as torch.nn.<torch> with the fields as its arguments.

    `scratch`: torch computes it in two steps, with a tensor in between while the input is still needed.
    `twice`: torch can differentiate its slope again. `of_x`: the function as a formula of x and of the fields; none for
    one that is more than a function of each value.
    """

    torch: ClassVar[str]
    of_x: ClassVar[str] = ""
    scratch: ClassVar[bool] = False
    twice: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.asks = not cls.twice

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        if setting.twice and not self.twice:
            found = f"found {self.label} where slopes are differentiated again, which torch cannot do with it"
            yield Finding(found, "another activation, or no r1, r2 and gradient_penalty")

    def cost(self, input: Shape, /) -> Cost:
        cost = Cost.operation(input, self.shape(input))
        peak = cost.peak + elements(input) * self.scratch
        return cost._replace(peak=peak, held_peak=peak)

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        module: nn.Module = getattr(nn, self.torch)(**asdict(self))
        return module

    def written(self) -> Formula | None:
        """Return the function as a formula of x, with the values of the fields in it."""
        if not self.of_x:
            return None
        return Formula(self.of_x.format(**{name: f"({value!r})" for name, value in asdict(self).items()}), ("x",))

    @property
    def curve(self) -> Callable[[float], float] | None:
        """The function of one value, to be drawn."""
        formula = self.written()
        return None if formula is None else lambda x: formula(x=x)


def plain(
    name: str, formula: str, doc: str = "", *, scratch: bool = False, idempotent: bool = False, twice: bool = True
) -> type[Activation]:
    """Return the class of an activation without options."""
    told = {"torch": name, "of_x": formula, "scratch": scratch, "idempotent": idempotent, "twice": twice}
    made = type(name, (Activation,), told | {"__doc__": doc or formula, "__module__": __name__})
    return dataclass(frozen=True, kw_only=True)(made)


ReLU = plain("ReLU", "max(x, 0)", idempotent=True)
ReLU6 = plain("ReLU6", "min(max(x, 0), 6)", idempotent=True)
SELU = plain(
    "SELU",
    "1.0507009873554805 * (max(x, 0) + 1.6732632423543772 * (exp(min(x, 0)) - 1))",
    "Scaled ELU that keeps mean and variance.",
)
SiLU = plain("SiLU", "x * sigmoid(x)", "x * sigmoid(x), also called swish.")
Mish = plain("Mish", "x * tanh(softplus(x))")
Sigmoid = plain("Sigmoid", "1 / (1 + exp(-x))")
LogSigmoid = plain("LogSigmoid", "-softplus(-x)", "log(sigmoid(x))")
Tanh = plain("Tanh", "tanh(x)")
Tanhshrink = plain("Tanhshrink", "x - tanh(x)", scratch=True)
Softsign = plain("Softsign", "x / (1 + abs(x))", scratch=True)
Hardswish = plain("Hardswish", "x * clamp(x + 3, 0, 6) / 6")
Hardsigmoid = plain("Hardsigmoid", "clamp(x + 3, 0, 6) / 6", twice=False)


@dataclass(frozen=True, kw_only=True)
class LeakyReLU(Activation):
    """x where it is positive, a fraction of it elsewhere."""

    torch = "LeakyReLU"
    of_x = "max(x, 0) + {negative_slope} * min(x, 0)"
    negative_slope: Slope = 0.01


@dataclass(frozen=True, kw_only=True)
class PReLU(Activation):
    """x where it is positive, a learned fraction of it elsewhere."""

    torch = "PReLU"
    of_x = "max(x, 0) + {init} * min(x, 0)"
    per_channel: Annotated[bool, Field(description="One fraction for each channel instead of one for all.")] = False
    init: Slope = 0.25

    def cost(self, input: Shape, /) -> Cost:
        count = input[0] if self.per_channel else 1
        return Cost.operation(input, input, parameters=count, tensors=1)

    def weights(self, input: Shape, /) -> dict[str, Shape]:
        return {"weight": (input[0] if self.per_channel else 1,)}

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        return nn.PReLU(input[0] if self.per_channel else 1, self.init)


@dataclass(frozen=True, kw_only=True)
class RReLU(Activation):
    """Leaky ReLU whose slope is drawn at random while training."""

    torch = "RReLU"
    of_x = "max(x, 0) + ({lower} + {upper}) / 2 * min(x, 0)"
    scratch = True
    lower: Slope = 1 / 8
    upper: Slope = 1 / 3

    def __post_init__(self) -> None:
        if self.lower > self.upper:
            raise ValueError(f"found lower {self.lower:g} above upper {self.upper:g}")


@dataclass(frozen=True, kw_only=True)
class ELU(Activation):
    """x where it is positive, alpha (exp(x) - 1) elsewhere."""

    torch = "ELU"
    of_x = "max(x, 0) + {alpha} * (exp(min(x, 0)) - 1)"
    alpha: Annotated[float, Field(gt=0)] = 1.0


@dataclass(frozen=True, kw_only=True)
class CELU(Activation):
    """x where it is positive, alpha (exp(x / alpha) - 1) elsewhere."""

    torch = "CELU"
    of_x = "max(x, 0) + {alpha} * (exp(min(x, 0) / {alpha}) - 1)"
    alpha: Annotated[float, Field(gt=0)] = 1.0


@dataclass(frozen=True, kw_only=True)
class GELU(Activation):
    """x times the normal distribution function of x."""

    torch = "GELU"
    of_x = "x / 2 * (1 + erf(x / sqrt(2)))"
    approximate: Literal["none", "tanh"] = "none"

    def written(self) -> Formula | None:
        inner = "x + 0.044715 * x ** 3"
        approximated = Formula(f"x / 2 * (1 + tanh(sqrt(2 / pi) * ({inner})))", ("x",))
        return approximated if self.approximate == "tanh" else super().written()


@dataclass(frozen=True, kw_only=True)
class Softplus(Activation):
    """log(1 + exp(beta x)) / beta"""

    torch = "Softplus"
    of_x = "softplus({beta} * x) / {beta}"
    beta: Annotated[float, Field(gt=0)] = 1.0
    threshold: Annotated[float, Field(gt=0)] = 20.0


@dataclass(frozen=True, kw_only=True)
class Hardtanh(Activation):
    """x, kept between two values."""

    torch = "Hardtanh"
    of_x = "min(max(x, {min_val}), {max_val})"
    idempotent = True
    min_val: Annotated[float, Field(description="The least that comes out.")] = -1.0
    max_val: Annotated[float, Field(description="The most that comes out.")] = 1.0

    def __post_init__(self) -> None:
        if self.min_val >= self.max_val:
            raise ValueError(f"found min_val {self.min_val:g}, which is not below max_val {self.max_val:g}")


@dataclass(frozen=True, kw_only=True)
class GLU(Activation):
    """The first half of the channels times the sigmoid of the second."""

    torch = "GLU"

    def shape(self, input: Shape, /) -> Shape:
        if input[0] % 2:
            raise ShapeError(f"glu halves the channels, but {input[0]} come in")
        return (input[0] // 2, *input[1:])

    def module(self, input: Shape, /) -> nn.Module:
        from torch import nn

        self.shape(input)
        return nn.GLU(dim=1)
