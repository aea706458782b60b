"""torch's optimizers. Names and defaults are torch's own; the fused form is used where torch has one.

`parameters` are pairs of a name and a parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from zoo.api import Field, Finding, OptimizerOption, Setting, Wanted, Weight, ZooError, requires

if TYPE_CHECKING:
    import torch

    Parameters = list[tuple[str, torch.nn.Parameter]]
    Optimizer = torch.optim.Optimizer

Rate = Annotated[float, Field(gt=0, le=1e6, description="Learning rate, before the schedule's factor.")]
Decay = Annotated[float, Field(ge=0)]
Epsilon = Annotated[float, Field(gt=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = tuple[Beta, Beta]
Factor = Annotated[float, Field(gt=0)]
FUSED = {"cpu", "cuda", "mps"}


def _fused(parameters: Parameters) -> bool:
    """Return whether torch's fused optimizers take these parameters."""
    return all(one.device.type in FUSED and one.is_floating_point() for _, one in parameters)


def _sgd(setting: Setting, *, momentum: float, dampening: float, nesterov: bool, **_: Any) -> Iterator[Finding]:
    if nesterov and (momentum <= 0 or dampening != 0):
        yield Finding("found nesterov", "a momentum above 0 and no dampening beside it", "nesterov")


@requires(_sgd)
def sgd(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.001,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    dampening: Annotated[float, Field(ge=0, le=1)] = 0.0,
    weight_decay: Decay = 0.0,
    nesterov: bool = False,
) -> Optimizer:
    """Return torch.optim.SGD."""
    import torch

    return torch.optim.SGD(
        parameters,
        lr,
        momentum=momentum,
        dampening=dampening,
        weight_decay=weight_decay,
        nesterov=nesterov,
        fused=_fused(parameters),
    )


def adam(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.001,
    betas: Betas = (0.9, 0.999),
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.0,
    amsgrad: bool = False,
) -> Optimizer:
    """Return torch.optim.Adam. Source: Kingma and Ba 2014, arXiv:1412.6980."""
    import torch

    return torch.optim.Adam(parameters, lr, betas, eps, weight_decay, amsgrad, fused=_fused(parameters))


def adamw(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.001,
    betas: Betas = (0.9, 0.999),
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.01,
    amsgrad: bool = False,
) -> Optimizer:
    """Return torch.optim.AdamW. Source: Loshchilov and Hutter 2017, arXiv:1711.05101."""
    import torch

    return torch.optim.AdamW(parameters, lr, betas, eps, weight_decay, amsgrad, fused=_fused(parameters))


def nadam(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.002,
    betas: Betas = (0.9, 0.999),
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.0,
    momentum_decay: Decay = 0.004,
) -> Optimizer:
    """Return torch.optim.NAdam."""
    import torch

    return torch.optim.NAdam(parameters, lr, betas, eps, weight_decay, momentum_decay)


def radam(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.001,
    betas: Betas = (0.9, 0.999),
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.0,
) -> Optimizer:
    """Return torch.optim.RAdam. Source: Liu et al. 2019, arXiv:1908.03265."""
    import torch

    return torch.optim.RAdam(parameters, lr, betas, eps, weight_decay)


def adamax(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.002,
    betas: Betas = (0.9, 0.999),
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.0,
) -> Optimizer:
    """Return torch.optim.Adamax."""
    import torch

    return torch.optim.Adamax(parameters, lr, betas, eps, weight_decay)


def adagrad(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.01,
    lr_decay: Decay = 0.0,
    weight_decay: Decay = 0.0,
    eps: Epsilon = 1e-10,
) -> Optimizer:
    """Return torch.optim.Adagrad."""
    import torch

    return torch.optim.Adagrad(parameters, lr, lr_decay, weight_decay, eps=eps)


def adadelta(
    parameters: Parameters, /, *, lr: Rate = 1.0, rho: Beta = 0.9, eps: Epsilon = 1e-6, weight_decay: Decay = 0.0
) -> Optimizer:
    """Return torch.optim.Adadelta."""
    import torch

    return torch.optim.Adadelta(parameters, lr, rho, eps, weight_decay)


def rmsprop(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.01,
    alpha: Beta = 0.99,
    eps: Epsilon = 1e-8,
    weight_decay: Decay = 0.0,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    centered: bool = False,
) -> Optimizer:
    """Return torch.optim.RMSprop."""
    import torch

    return torch.optim.RMSprop(parameters, lr, alpha, eps, weight_decay, momentum, centered)


def _rprop(setting: Setting, *, step_sizes: tuple[float, float], **_: Any) -> Iterator[Finding]:
    if step_sizes[0] > step_sizes[1]:
        yield Finding(f"found {list(step_sizes)}", "the smallest step, then the largest", "step_sizes")


@requires(_rprop)
def rprop(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.01,
    etas: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(gt=1)]],
        Wanted("two numbers, the first between 0 and 1, the second above 1"),
    ] = (0.5, 1.2),
    step_sizes: tuple[Factor, Factor] = (1e-6, 50.0),
) -> Optimizer:
    """Return torch.optim.Rprop; meant for whole-set gradients."""
    import torch

    return torch.optim.Rprop(parameters, lr, etas, step_sizes)


def adafactor(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.01,
    beta2_decay: Annotated[float, Field(le=0)] = -0.8,
    d: Factor = 1.0,
    weight_decay: Decay = 0.0,
) -> Optimizer:
    """Return torch.optim.Adafactor. Source: Shazeer and Stern 2018, arXiv:1804.04235."""
    import torch

    return torch.optim.Adafactor(parameters, lr, beta2_decay, d=d, weight_decay=weight_decay)


def _muon(setting: Setting, **_: Any) -> Iterator[Finding]:
    others = [name for name, shape in setting.weights() if not _maps(shape)]
    if others:
        more = f" and {len(others) - 1} more that are" if len(others) > 1 else ", which is"
        yield Finding(f"found {others[0]}{more} no matrix", "by_group: {matrices: muon, rest: adamw}")


@requires(_muon)
def muon(
    parameters: Parameters,
    /,
    *,
    lr: Rate = 0.001,
    weight_decay: Decay = 0.1,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95,
    nesterov: bool = True,
    ns_steps: Annotated[int, Field(ge=1, lt=100)] = 5,
) -> Optimizer:
    """Return Muon, which takes matrices and kernels of convolutions: pair it with another by `by_group`.

    Of matrices it does what torch.optim.Muon does, which takes no kernels.

    Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon.
    """
    others = [name for name, one in parameters if not _is_matrix(one)]
    if others:
        raise ZooError(
            f"muon updates matrices only, but {others[0]} (and {len(others) - 1} more) are none; "
            "write by_group: {matrices: muon, rest: adamw}"
        )
    from zoo_torch.muon import Muon

    return Muon(parameters, lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov, ns_steps=ns_steps)


def _groups(setting: Setting, last: str) -> dict[str, tuple[Weight, ...]]:
    """Return the weights that each group of `by_group` gets."""
    weights = setting.weights()
    matrices = [one for one in weights if _maps(one.shape)]
    if last == "rest":
        matrices = matrices[:-1]
    return {"matrices": tuple(matrices), "rest": tuple(one for one in weights if one not in matrices)}


def _by_group(setting: Setting, *, last: str, **_: Any) -> Iterator[Finding]:
    for group, weights in _groups(setting, last).items():
        if not weights:
            yield Finding(
                "found an optimizer that gets no weights", "one optimizer for all of them", group, warning=True
            )


def _group(option: str, setting: Setting, *, last: str, **_: Any) -> Setting:
    return replace(setting, weights=lambda: _groups(setting, last)[option])


@requires(_by_group, inside=_group)
def by_group(
    parameters: Parameters,
    /,
    *,
    matrices: OptimizerOption,
    rest: OptimizerOption,
    last: Annotated[
        Literal["matrices", "rest"], Field(description="Where the last matrix goes, which gives the output.")
    ] = "matrices",
) -> list[Optimizer]:
    """Return one optimizer for the matrices and another for all else; an empty group gets none.

    A kernel of a convolution is a matrix with a row for each channel that comes out. Where each channel has a filter
    of its own, as in a depthwise convolution, the kernel belongs to the rest, as do biases, norms and other factors.
    """
    names = [name for name, one in parameters if _is_matrix(one)]
    if last == "rest":
        names = names[:-1]
    chosen: list[tuple[Callable[[Any], Any], Parameters]] = [
        (matrices, [pair for pair in parameters if pair[0] in names]),
        (rest, [pair for pair in parameters if pair[0] not in names]),
    ]
    return [make(group) for make, group in chosen if group]


def _is_matrix(parameter: torch.nn.Parameter) -> bool:
    """Whether a parameter maps several inputs to each output: (out, in) or (out, in, height, width)."""
    return _maps(tuple(parameter.shape))


def _maps(shape: tuple[int, ...]) -> bool:
    return len(shape) in (2, 4) and shape[1] > 1
