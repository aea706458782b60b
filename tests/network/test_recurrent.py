"""Recurrent layers and embeddings of tokens beside torch's own, and networks whose input are tokens."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from support import builtin_registry
from torch import Tensor, nn

from zoo import api
from zoo.builder import Builder
from zoo.errors import ShapeError, SpecError
from zoo.network.measure import measure
from zoo_torch.initializers import orthogonal

torch.set_num_threads(1)
KINDS: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
FORMS = list(product(KINDS, (1, 3), (False, True), ("all", "last")))


def options(layers: int, bidirectional: bool, output: str, **more: Any) -> dict[str, Any]:
    return {"hidden": 6, "layers": layers, "bidirectional": bidirectional, "output": output, **more}


@pytest.mark.parametrize(("kind", "layers", "bidirectional", "output"), FORMS)
def test_outputs_and_gradients_are_those_of_torch(
    kind: str, layers: int, bidirectional: bool, output: str, builder: Builder
) -> None:
    theirs = KINDS[kind](5, 6, layers, batch_first=True, bidirectional=bidirectional)
    ours = builder.layer({kind: options(layers, bidirectional, output)}).module((5, 7))
    ours.load_state_dict(theirs.state_dict())
    given = torch.randn(3, 5, 7)
    steps, ended = theirs(given.transpose(1, 2))
    states = ended[0] if kind == "lstm" else ended
    last = torch.cat([*states[-2:]], 1) if bidirectional else states[-1]
    expected = steps.transpose(1, 2) if output == "all" else last
    found = ours(given)
    assert found.is_contiguous()
    assert torch.allclose(found, expected, atol=1e-6)
    for one in (found, expected):
        one.square().sum().backward()
    for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(own.grad, other.grad, atol=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "layers", "bidirectional", "output"), FORMS)
@pytest.mark.parametrize(("features", "length", "hidden"), [(5, 1, 7), (3, 4, 4), (50, 3, 3), (90, 1, 2), (1, 2, 60)])
def test_they_cost_what_is_measured(
    kind: str, layers: int, bidirectional: bool, output: str, features: int, length: int, hidden: int, builder: Builder
) -> None:
    chosen = options(layers, bidirectional, output, bias=layers == 1) | {"hidden": hidden}
    layer = builder.layer({kind: chosen})
    with torch.device("meta"):
        module = layer.module((features, length))
    assert layer.weights((features, length)) == {name: tuple(one.shape) for name, one in module.named_parameters()}
    assert measure(module, (features, length)) == (layer.shape((features, length)), layer.cost((features, length)))


def test_a_step_of_an_lstm_costs_four_gates_of_all_that_it_reads(builder: Builder) -> None:
    layer = builder.layer({"lstm": 8})
    assert layer.cost((5, 1)).macs == 4 * 8 * (5 + 8)
    assert layer.cost((5, 9)).macs == 9 * 4 * 8 * (5 + 8)


def test_an_rnn_may_go_by_relu(builder: Builder) -> None:
    assert builder.layer({"rnn": {"hidden": 3, "nonlinearity": "relu"}}).module((2, 4)).mode == "RNN_RELU"


def test_an_initializer_fills_all_matrices(builder: Builder) -> None:
    module = builder.layer({"rnn": {"hidden": 4, "layers": 2, "bidirectional": True}}).module((4, 3))
    orthogonal(module)
    for name, one in module.named_parameters():
        if name.startswith("weight"):
            rows = one @ one.T if one.shape[0] <= one.shape[1] else one.T @ one
            assert torch.allclose(rows, torch.eye(len(rows)), atol=1e-5)
        else:
            assert not one.any()


def test_dropout_stands_between_the_layers(builder: Builder) -> None:
    module = builder.layer({"gru": {"hidden": 64, "layers": 2, "dropout": 0.5}}).module((3, 5))
    assert module.dropout == 0.5
    given = torch.randn(1, 3, 5)
    assert not torch.equal(module(given), module(given))
    assert torch.equal(module.eval()(given), module(given))


@pytest.mark.parametrize("shape", [(5,), (3, 4, 4)])
def test_what_is_no_sequence_is_refused(shape: tuple[int, ...], builder: Builder) -> None:
    with pytest.raises(ShapeError) as caught:
        builder.layer({"lstm": 8}).cost(shape)
    assert str(caught.value) == (
        f"lstm takes a sequence (features, length), but the shape here is {shape}; reshape makes one"
    )


@pytest.mark.parametrize(("features", "length"), [(4, 9), (1, 9), (4, 1), (1, 1), (2, 100)])
def test_an_embedding_of_tokens_is_that_of_torch_with_features_first(
    features: int, length: int, builder: Builder
) -> None:
    layer = builder.layer({"embedding": {"features": features, "classes": 11}})
    ours, theirs = layer.module((length,)), nn.Embedding(11, features)
    ours.load_state_dict(theirs.state_dict())
    tokens = torch.randint(11, (3, length))
    assert torch.equal(ours(tokens), theirs(tokens).transpose(1, 2))
    assert ours(tokens).is_contiguous()
    assert measure(ours, (length,), tokens=True) == (layer.shape((length,)), layer.cost((length,)))


def test_a_label_still_gives_a_vector(builder: Builder) -> None:
    layer = builder.layer({"embedding": {"features": 4, "classes": 11}})
    assert layer.shape(()) == (4,)
    assert type(layer.module(())) is nn.Embedding


def spec(layers: list[Any], **data: Any) -> dict[str, Any]:
    return {
        "zoo": 1,
        "name": "words",
        "task": "classify",
        "data": {"noise": {"image": [12], "tokens": 50, "classes": 3} | data},
        "networks": {"classifier": {"architecture": {"layers": layers}}},
        "train": {"steps": 10},
    }


HEAD = [{"lstm": {"hidden": 5, "output": "last"}}, {"linear": 3}]
EMBEDDING = {"embedding": {"features": 6, "classes": 50}}


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.linear = nn.Embedding(50, 6), nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.lstm(self.embedding(tokens))[1][0][-1])
        return logits


def test_a_network_over_tokens_is_its_original_and_can_be_ejected() -> None:
    report = api.check(spec([EMBEDDING, *HEAD]), registry=builtin_registry())
    one = report.networks["classifier"]
    assert one.cost.macs == 12 * 4 * 5 * (6 + 5) + 5 * 3
    made: dict[str, Any] = {"__name__": "model"}
    exec(api.eject(spec([EMBEDDING, *HEAD]), registry=builtin_registry()), made)
    networks = [one.network.module(one.input), made["classifier"](), Words()]
    weights = list(networks[0].state_dict().values())
    tokens = torch.randint(50, (4, 12))
    outputs = []
    for network in networks:
        for own, other in zip(network.state_dict().values(), weights, strict=True):
            own.copy_(other)
        outputs.append(network(tokens))
        outputs[-1].square().sum().backward()
    assert torch.equal(outputs[0], outputs[1])
    assert torch.allclose(outputs[0], outputs[2], atol=1e-6)
    for mine, ejected, original in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(mine.grad, ejected.grad)  # type: ignore[arg-type]
        assert torch.allclose(mine.grad, original.grad, atol=1e-5)  # type: ignore[arg-type]


def refused(layers: list[Any], **data: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        api.check(spec(layers, **data), registry=builtin_registry())
    return [f"{one.path}: {one.found}; wanted {one.wanted}" for one in caught.value.problems]


PATH = "networks.classifier.architecture"


@pytest.mark.parametrize(
    ("layers", "data", "message"),
    [
        ([{"linear": 3}], {}, f"{PATH}: found linear, which takes numbers, but noise has tokens; wanted embedding before it"),
        (
            ["batch_norm", {"linear": 3}],
            {},
            f"{PATH}: found batch_norm, which takes numbers, but noise has tokens; wanted embedding before it",
        ),
        (
            [EMBEDDING, "global_average_pool", EMBEDDING, *HEAD],
            {},
            f"{PATH}: found embedding of numbers that are no tokens; wanted it as the first that takes the input",
        ),
        (
            [EMBEDDING, *HEAD],
            {"tokens": 51},
            f"{PATH}: found embedding of 50 tokens, of which the data have 51; wanted 51",
        ),
        (
            [EMBEDDING, *HEAD],
            {"tokens": 0},
            f"{PATH}: found embedding of 12 numbers that are no tokens; wanted data of tokens, or `from: label` before it",
        ),
        (
            [{"conv": 4}, "flatten", {"linear": 3}],
            {"image": [3, 8]},
            "data.noise.image: found tokens in the shape (3, 8); wanted a sequence of them: [length]",
        ),
    ],
)  # fmt: skip
def test_tokens_are_not_taken_for_numbers(layers: list[Any], data: dict[str, Any], message: str) -> None:
    assert message in refused(layers, **data)


def test_augmentations_change_images_alone() -> None:
    with pytest.raises(SpecError) as caught:
        api.check(spec([EMBEDDING, *HEAD]) | {"augment": ["horizontal_flip"]}, registry=builtin_registry())
    (problem,) = caught.value.problems
    assert (problem.path, problem.found) == ("augment.0", "found horizontal_flip, which changes images")
    assert problem.wanted == "augmentations of tokens, or none: the items of noise are tokens, 12 each"


def test_a_network_over_tokens_is_trained(tmp_path: Path) -> None:
    small = {"noise": {"image": [12], "tokens": 50, "classes": 3, "train_images": 64, "test_images": 16}}
    data = spec([EMBEDDING, *HEAD]) | {"data": small, "train": {"steps": 2, "batch_size": 8, "device": "cpu"}}
    result = api.train(data, run=tmp_path / "run", registry=builtin_registry()).result()
    assert result is not None and result["test"]["images"] == 16


def test_dropout_of_one_layer_is_told() -> None:
    layers = [EMBEDDING, {"gru": {"hidden": 5, "output": "last", "dropout": 0.5}}, {"linear": 3}]
    report = api.check(spec(layers), registry=builtin_registry())
    assert "found dropout in gru of one layer, which drops nothing" in [one.found for one in report.warnings]
