"""`zoo eject`: the file imports only torch, and makes the same networks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from support import builtin_registry
from torch import Tensor, nn

from zoo import api
from zoo.api import Builder, Component, Cost, Layer, Shape
from zoo.errors import ZooError
from zoo.registry import Provider, Registry
from zoo.spec.load import load_spec
from zoo.spec.shipped import names

torch.set_num_threads(1)

LARGE = 15_000_000  # parameters from which only names and shapes are compared


def run(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {"__name__": "model"}
    exec(compile(text, "model.py", "exec"), found)
    return found


def imported(text: str) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        one.split(".")[0] for one in named | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    }


@pytest.mark.parametrize("name", sorted(names(())))
def test_what_ships_is_the_same_network_again(name: str, registry: Registry) -> None:
    report = api.check(name, registry=registry)
    text = api.eject(name, registry=registry)
    assert imported(text) <= {"torch", "__future__", "collections", "typing"}
    made = run(text)
    builder = Builder(registry)
    task, info = builder.bind(report.spec.task), builder.bind(report.spec.data).info()
    small = report.total.parameters < LARGE
    for role, one in report.networks.items():
        with torch.device("cpu" if small else "meta"):
            module, ejected = one.network.module(one.input).eval(), made[role]().eval()
        wanted, found = module.state_dict(), ejected.state_dict()
        assert [(key, value.shape) for key, value in wanted.items()] == [
            (key, value.shape) for key, value in found.items()
        ]
        if small:
            ejected.load_state_dict(wanted)
            conditions = task.terminals(role, info).conditions
            beside = [torch.arange(2) % one.classes if one.classes else torch.rand(2) for one in conditions]
            random = torch.Generator().manual_seed(0)
            items = torch.randn(2, *one.input, generator=random)
            if info.tokens:
                items = torch.randint(info.tokens, items.shape, generator=random)
            given = [items.clone().requires_grad_(not info.tokens) for _ in range(2)]
            outputs = []
            for network, item in zip((module, ejected), given, strict=True):
                outputs.append(values(network(item, *beside)))
                sum(one.square().sum() for one in outputs[-1]).backward()
            assert all(torch.equal(*pair) for pair in zip(*outputs, strict=True))
            assert info.tokens or torch.equal(*[one.grad for one in given])  # type: ignore[arg-type]
            slopes = dict(ejected.named_parameters())
            for key, weight in module.named_parameters():
                assert (weight.grad is None) == (slopes[key].grad is None), key
                assert weight.grad is None or torch.equal(weight.grad, slopes[key].grad), key  # type: ignore[arg-type]


def values(output: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return output if isinstance(output, tuple) else (output,)


@pytest.mark.parametrize(
    "name", ["paper-classifier", "cifar100-sngan", "cifar100-rounds", "densenet-bc-100-12", "googlenet"]
)
def test_the_file_reads_as_if_a_formatter_had_written_it(name: str, registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(api.eject(name, registry=registry))
    command = [sys.executable, "-m", "ruff", "--isolated"]
    subprocess.run([*command, "check", "--select", "F,E,I,B", "--line-length", "120", str(path)], check=True)
    subprocess.run([*command, "format", "--check", "--line-length", "120", str(path)], check=True)


def test_without_zoo_the_file_works(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(api.eject("paper-classifier", registry=registry))
    code = (
        "import sys, torch, model; "
        "print(sum(one.numel() for one in model.classifier().parameters()), "
        "tuple(model.classifier()(torch.zeros(2, 3, 32, 32)).shape), any(m.startswith('zoo') for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "99364 (2, 100) False\n"


TINY = """\
\"\"\"The classifier of the spec tiny ({hash}).

Weights of a training, as torch tensors by name, fit in:
classifier().load_state_dict(weights).
\"\"\"

from __future__ import annotations

from torch import Tensor, nn


class ChannelMean(nn.Module):
    \"\"\"(N, C, ...) to (N, C), or to (N, C, 1, ...) with `keepdim`: the mean of each channel.\"\"\"

    def __init__(self, keepdim: bool = False) -> None:
        super().__init__()
        self.keepdim = keepdim

    def forward(self, images: Tensor) -> Tensor:
        # torch's pooling hands back a gradient with channels apart, and all before it would meet it in that layout.
        axes = images.dim() - 2
        means = images.movedim(1, -1).mean(tuple(range(1, axes + 1)))
        return means[(..., *[None] * axes)] if self.keepdim else means

    def extra_repr(self) -> str:
        return f"keepdim={{self.keepdim}}"


def unit() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(8, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
    )


def classifier() -> nn.Module:
    \"\"\"(3, 8, 8) to (10,), without the batch; 1,498 parameters.\"\"\"
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Sequential(*[nn.Sequential(unit()) for _ in range(2)]),
        ChannelMean(),
        nn.Linear(8, 10),
    )
"""


def tiny(layers: list[Any], **keys: Any) -> dict[str, Any]:
    return {
        "zoo": 1,
        "name": "tiny",
        "task": "classify",
        "data": {"noise": {"image": [3, 8, 8], "classes": 10}},
        "networks": {"classifier": {"architecture": {"layers": layers}}},
        "train": {"steps": 10},
        **keys,
    }


def test_a_small_file_as_a_whole(registry: Registry) -> None:
    blocks = {"unit": [{"conv": {"channels": 8, "bias": False}}, "batch_norm", "relu"]}
    layers = [{"conv": {"channels": 8, "stride": 2}}, {"repeat": {"times": 2, "layers": ["unit"]}},
              "global_average_pool", {"linear": 10}]  # fmt: skip
    spec = tiny(layers, blocks=blocks)
    assert api.eject(spec, registry=registry) == TINY.format(hash=load_spec(spec, registry=registry).hash[:8])


def test_shared_rounds_are_one_module(registry: Registry) -> None:
    layers = [{"conv": 4}, {"repeat": {"times": 3, "layers": [{"conv": 4}, "relu"], "shared": True}},
              "global_average_pool", {"linear": 10}]  # fmt: skip
    spec = tiny(layers)
    made = run(api.eject(spec, registry=registry))["classifier"]()
    assert sum(one.numel() for one in made.parameters()) == api.check(spec, registry=registry).total.parameters
    assert made[1][0] is made[1][2]


def test_rounds_with_norms_of_their_own_share_the_rest(registry: Registry) -> None:
    layers = [{"conv": 4}, {"repeat": {"times": 3, "layers": [{"conv": 4}, "batch_norm"], "shared": "but_norms"}},
              "global_average_pool", {"linear": 10}]  # fmt: skip
    spec = tiny(layers)
    text = api.eject(spec, registry=registry)
    made = run(text)["classifier"]()
    assert sum(one.numel() for one in made.parameters()) == api.check(spec, registry=registry).total.parameters
    assert made[1][0][0] is made[1][2][0]
    assert made[1][0][1] is not made[1][2][1]


class InPython(nn.Module):
    """A whole network of a stranger's."""

    def __init__(self, input: Shape, output: Shape, /) -> None:
        super().__init__()
        self.last = nn.Linear(input[0], output[0])

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.last(images.mean((2, 3)))
        return made


def test_a_network_in_python_is_refused(strangers: Registry) -> None:
    spec = tiny([])
    spec["networks"]["classifier"]["architecture"] = "in_python"
    with pytest.raises(ZooError) as caught:
        api.eject(spec, registry=strangers)
    assert str(caught.value) == (
        "the classifier cannot be written down: it is written in Python as a torch module, whose source is its "
        "plugin's; layers can be ejected"
    )


def test_weights_used_again_inside_a_part_are_tied(registry: Registry) -> None:
    layers = [{"conv": 4}, {"weights": {"name": "unit", "layer": [{"conv": 4}, "relu"]}}, {"residual": [{"weights": "unit"}]},
              "global_average_pool", {"linear": 10}]  # fmt: skip
    spec = tiny(layers)
    made = run(api.eject(spec, registry=registry))["classifier"]()
    assert sum(one.numel() for one in made.parameters()) == api.check(spec, registry=registry).total.parameters


FACTOR = 3.0


def tripled(images: Tensor) -> Tensor:
    """Return three times the images."""
    return images * FACTOR


class Tripled(nn.Module):
    """Three times its input, plus something."""

    def __init__(self, more: float) -> None:
        super().__init__()
        self.more = more

    def forward(self, images: Tensor) -> Tensor:
        return tripled(images) + self.more


class Forgetful(nn.Module):
    """Its argument is lost."""

    def __init__(self, more: float) -> None:
        super().__init__()
        self.kept = more

    def forward(self, images: Tensor) -> Tensor:
        return images + self.kept


class Homesick(nn.Module):
    """It needs its own package."""

    def forward(self, images: Tensor) -> Tensor:
        assert Component
        return images


class Own(Layer):
    """A layer of a stranger's plugin, around one of the modules above."""

    made: Any

    def cost(self, input: Shape, /) -> Cost:
        return Cost.operation(input, input)

    def module(self, input: Shape, /) -> nn.Module:
        module: nn.Module = self.made()
        return module


class TripledLayer(Own):
    made = staticmethod(lambda: Tripled(0.5))


class ForgetfulLayer(Own):
    made = staticmethod(lambda: Forgetful(0.5))


class HomesickLayer(Own):
    made = staticmethod(Homesick)


@pytest.fixture(scope="module")
def strangers() -> Registry:
    found = Registry()
    builtin = builtin_registry()
    for one in builtin:
        found.add(one, builtin.provider(one))
    for name in ("Tripled", "Forgetful", "Homesick"):
        found.add(Component("layer", name.lower(), f"{__name__}:{name}Layer"), Provider("strangers"))
    found.add(Component("architecture", "in_python", f"{__name__}:InPython"), Provider("strangers"))
    return found


def test_a_strangers_module_is_copied_with_what_it_needs(strangers: Registry) -> None:
    text = api.eject(tiny(["tripled", "global_average_pool", {"linear": 10}]), registry=strangers)
    assert "class Tripled(nn.Module):" in text
    assert "def tripled(images: Tensor) -> Tensor:" in text
    assert "FACTOR = 3.0" in text
    assert "    return nn.Sequential(Tripled(0.5), ChannelMean(), nn.Linear(3, 10))\n" in text
    assert imported(text) == {"__future__", "torch"}
    images = torch.ones(1, 3, 2, 2)
    assert torch.equal(run(text)["Tripled"](0.5)(images), 3 * images + 0.5)


def test_an_argument_that_is_lost_is_told(strangers: Registry) -> None:
    with pytest.raises(ZooError) as caught:
        api.eject(tiny(["forgetful", "global_average_pool", {"linear": 10}]), registry=strangers)
    assert str(caught.value) == (
        "the classifier cannot be written down: Forgetful keeps no attribute 'more' of its constructor's argument, "
        "so how it was made is not to be seen; a module that keeps it can be ejected"
    )


def test_a_module_that_needs_another_package_is_told(strangers: Registry) -> None:
    with pytest.raises(ZooError) as caught:
        api.eject(tiny(["homesick", "global_average_pool", {"linear": 10}]), registry=strangers)
    assert str(caught.value).endswith(
        ".Homesick uses Component of the package zoo; a file that imports only torch cannot hold it"
    )


FORMULA = {"formula": {"formula": "max(x, 0) + a * min(x, b)", "trainable": {"a": 0.5}, "per_channel": {"b": 0.1}}}


@pytest.mark.parametrize(
    "name", [FORMULA, *(name for name in builtin_registry().names("activation") if name != "formula")], ids=str
)
def test_every_activation_can_be_ejected(name: Any, registry: Registry) -> None:
    spec = tiny([{"conv": 8}, name, "global_average_pool", {"linear": 10}])
    (one,) = api.check(spec, registry=registry).networks.values()
    module, ejected = (
        one.network.module(one.input).eval(),
        run(api.eject(spec, registry=registry))["classifier"]().eval(),
    )
    ejected.load_state_dict(module.state_dict())
    images = torch.randn(2, *one.input)
    assert torch.equal(module(images), ejected(images))
