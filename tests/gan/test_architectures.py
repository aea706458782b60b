"""The DCGAN family, spectral norm and the initializers that it is trained from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import builtin_registry
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from zoo.api import Condition, ShapeError
from zoo.builder import Builder
from zoo.checking import check, rows
from zoo.errors import SpecError
from zoo.spec.load import load_spec
from zoo.spec.resolve import Resolver
from zoo.spec.schema import Spec
from zoo_torch.initializers import normal, orthogonal

IMAGE, LATENT, LABEL = (3, 32, 32), (8,), Condition("label", 5)


def network(builder: Builder, name: str, input: Any, output: Any, *conditions: Condition, **options: Any) -> Any:
    architecture = Resolver(builder.registry).component_from(("architecture",), {name: options})
    return builder.network(architecture, input, output, conditions)


def module(builder: Builder, name: str, input: Any, output: Any, *conditions: Condition, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = network(builder, name, input, output, *conditions, **options).module(input)
    return made


# The network of the paper


#: Layer, output, parameters: table B1 of the reconstruction.
GENERATOR = [
    ("conv_transpose", (256, 4, 4), 40_960), ("batch_norm", (256, 4, 4), 512),
    ("conv_transpose", (128, 8, 8), 524_288), ("batch_norm", (128, 8, 8), 256),
    ("conv_transpose", (128, 8, 8), 147_456), ("batch_norm", (128, 8, 8), 256),
    ("conv_transpose", (64, 16, 16), 131_072), ("batch_norm", (64, 16, 16), 128),
    ("conv_transpose", (64, 16, 16), 36_864), ("batch_norm", (64, 16, 16), 128),
    ("conv_transpose", (3, 32, 32), 3_072),
]  # fmt: skip
DISCRIMINATOR = [
    ("conv", (8, 32, 32), 224),
    ("conv", (16, 16, 16), 2_048), ("batch_norm", (16, 16, 16), 32),
    ("conv", (32, 8, 8), 8_192), ("batch_norm", (32, 8, 8), 64),
    ("conv", (64, 4, 4), 32_768), ("batch_norm", (64, 4, 4), 128),
    ("conv", (1, 1, 1), 1_024),
]  # fmt: skip
BETWEEN = {
    "generator": ["reshape", *["relu"] * 5, "tanh"],
    "discriminator": [*["leaky_relu"] * 4, "flatten"],
}


@pytest.mark.parametrize(
    ("role", "table", "parameters", "macs"),
    [("generator", GENERATOR, 884_992, 36_478_976), ("discriminator", DISCRIMINATOR, 44_480, 1_795_072)],
)
def test_the_dcgan_of_the_paper_has_these_layers(
    role: str, table: list[Any], parameters: int, macs: int, builder: Builder
) -> None:
    one = check(load_spec("cifar100-dcgan", registry=builder.registry), builder).networks[role]
    whole, *layers = rows(one.network, one.input)
    assert (whole.layer, whole.cost.parameters, whole.cost.macs) == (f"dcgan_{role}", parameters, macs)
    assert [(row.layer, row.output, row.cost.parameters) for row in layers if row.cost.parameters] == table
    assert [row.layer for row in layers if not row.cost.parameters] == BETWEEN[role]


def test_the_dcgan_of_the_paper_has_929472_parameters_as_torch_counts_them(builder: Builder) -> None:
    report = check(load_spec("cifar100-dcgan", registry=builder.registry), builder)
    found = {
        role: sum(weight.numel() for weight in one.network.module(one.input).parameters())
        for role, one in report.networks.items()
    }
    assert found == {"generator": 884_992, "discriminator": 44_480}
    assert sum(found.values()) == report.total.parameters == 929_472


# Generators and discriminators as data


@pytest.mark.parametrize("upsampling", ["transposed", "nearest", "bilinear"])
def test_each_way_of_upsampling_gives_the_image(upsampling: str, builder: Builder) -> None:
    made = module(builder, "dcgan_generator", LATENT, IMAGE, widths=[6, 4], extra=[1], upsampling=upsampling)
    images = made(torch.randn(2, 8))
    assert images.shape == (2, *IMAGE)
    assert images.abs().max() <= 1
    kinds = [type(layer).__name__ for layer in made if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
    assert kinds == (
        ["ConvTranspose2d"] * 4 if upsampling == "transposed" else ["ConvTranspose2d", "Conv2d", "Conv2d", "Conv2d"]
    )
    assert [one.mode for one in made if isinstance(one, nn.Upsample)] == (
        [] if upsampling == "transposed" else [upsampling] * 2
    )


@settings(deadline=None, max_examples=25)
@given(halvings=st.integers(1, 4), side=st.integers(1, 3), channels=st.sampled_from([1, 3]), extra=st.lists(st.just(1)))
def test_widths_lead_from_the_latent_to_the_image_and_back(
    halvings: int, side: int, channels: int, extra: list[int]
) -> None:
    image = (channels, side * 2**halvings, side * 2**halvings)
    widths = [4] * halvings
    builder = Builder(builtin_registry())
    options = {"widths": widths, "extra": extra[:halvings]}
    generator = network(builder, "dcgan_generator", LATENT, image, **options)
    discriminator = network(builder, "dcgan_discriminator", image, (2,), **options)
    assert (generator.shape(LATENT), discriminator.shape(image)) == (image, (2,))


def test_a_discriminator_gives_logits_without_a_bound(builder: Builder) -> None:
    made = module(builder, "dcgan_discriminator", IMAGE, (3,), widths=[4, 4], norm="none")
    assert made(torch.randn(2, *IMAGE)).shape == (2, 3)
    assert made(torch.randn(2, *IMAGE) * 1e4).abs().max() > 1


# Labels


def conditional(builder: Builder, label: str = "both", **options: Any) -> nn.Module:
    given = {"widths": [6, 4], "embedding": 3, "label": label, **options}
    return module(builder, "conditional_generator", LATENT, IMAGE, LABEL, **given)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("label", ["latent", "norm", "both"])
def test_a_conditional_generator_makes_another_image_for_another_label(
    label: str, norm: bool, builder: Builder
) -> None:
    made = conditional(builder, label, spectral_norm=norm).eval()
    images = made(torch.randn(1, 8).repeat(5, 1), torch.arange(5))
    assert images.shape == (5, *IMAGE)
    assert all(not torch.equal(images[0], other) for other in images[1:])


@pytest.mark.parametrize("label", ["latent", "norm", "both"])
def test_the_embedding_of_a_conditional_generator_learns_the_labels_that_it_saw(label: str, builder: Builder) -> None:
    made: Any = conditional(builder, label)
    made(torch.randn(4, 8), torch.tensor([0, 2, 2, 0])).square().sum().backward()
    rows_moved = made.embedding.weight.grad.abs().sum(1) > 0
    assert rows_moved.tolist() == [True, False, True, False, False]


def test_only_a_label_in_the_latent_widens_the_first_layer(builder: Builder) -> None:
    first = {label: conditional(builder, label).first.in_features for label in ("latent", "norm", "both")}  # type: ignore[union-attr]
    assert first == {"latent": 11, "norm": 8, "both": 11}


def projection(builder: Builder, **options: Any) -> nn.Module:
    return module(builder, "projection_discriminator", IMAGE, (1,), LABEL, widths=[4, 6], **options)


@pytest.mark.parametrize("norm", [False, True])
def test_a_projection_discriminator_gives_another_logit_for_another_label(norm: bool, builder: Builder) -> None:
    made = projection(builder, spectral_norm=norm).eval()
    logits = made(torch.rand(1, *IMAGE).repeat(5, 1, 1, 1), torch.arange(5))
    assert logits.shape == (5, 1)
    assert len(set(logits.flatten().tolist())) == 5


def test_a_projection_logit_is_linear_plus_the_product_with_the_labels_embedding(builder: Builder) -> None:
    made: Any = projection(builder, spectral_norm=False)
    images, labels = torch.rand(3, *IMAGE), torch.tensor([4, 0, 4])
    features = made.features(images).sum((2, 3))
    wanted = features @ made.logit.weight.T + made.logit.bias
    for row, label in enumerate(labels.tolist()):
        wanted[row] += features[row] @ made.embedding.weight[label]
    torch.testing.assert_close(made(images, labels), wanted)


@pytest.mark.parametrize("norm", [False, True])
def test_the_embedding_of_a_projection_discriminator_learns(norm: bool, builder: Builder) -> None:
    made: Any = projection(builder, spectral_norm=norm)
    made(torch.rand(4, *IMAGE), torch.tensor([0, 2, 2, 0])).sum().backward()
    held = made.embedding.parametrizations.weight.original if norm else made.embedding.weight
    assert (held.grad.abs().sum(1) > 0)[[0, 2]].all()


# What is refused


SIZES = "wanted a square image, and fewer widths"


@pytest.mark.parametrize(
    ("name", "input", "output", "conditions", "widths", "message"),
    [
        ("dcgan_generator", LATENT, IMAGE, (), [4] * 6, f"dcgan_generator: 32x32 pixels cannot be halved 6 times, once for each width; {SIZES}"),
        ("dcgan_generator", LATENT, (3, 32, 16), (), [4], f"dcgan_generator: 16x32 pixels cannot be halved 1 times, once for each width; {SIZES}"),
        ("dcgan_generator", LATENT, (1, 28, 28), (), [4] * 3, f"dcgan_generator: 28x28 pixels cannot be halved 3 times, once for each width; {SIZES}"),
        ("dcgan_discriminator", (1, 28, 28), (1,), (), [4] * 3, f"dcgan_discriminator: 28x28 pixels cannot be halved 3 times, once for each width; {SIZES}"),
        ("projection_discriminator", IMAGE, (1,), (LABEL,), [4] * 6, f"projection_discriminator: 32x32 pixels cannot be halved 6 times, once for each width; {SIZES}"),
        ("projection_discriminator", IMAGE, (2,), (LABEL,), [4], "projection_discriminator gives one logit, but 2 are wanted; use dcgan_discriminator"),
        ("projection_discriminator", IMAGE, (1,), (), [4], "projection_discriminator is called with a label beside its input, but this task gives it nothing; set the task's conditioning, or use dcgan_discriminator"),
        ("projection_discriminator", IMAGE, (1,), (Condition("time"),), [4], "projection_discriminator is called with a label beside its input, but this task gives it time; set the task's conditioning, or use dcgan_discriminator"),
        ("conditional_generator", LATENT, IMAGE, (), [4], "conditional_generator is called with a label beside its input, but this task gives it nothing; set the task's conditioning, or use dcgan_generator"),
        ("conditional_generator", LATENT, IMAGE, (Condition("time"), LABEL), [4], "conditional_generator is called with a label beside its input, but this task gives it time and label; set the task's conditioning, or use dcgan_generator"),
        ("dcgan_generator", LATENT, IMAGE, (LABEL,), [4], "this task calls the network with label beside its input, which dcgan_generator does not take; wanted an architecture that takes conditions"),
        ("dcgan_discriminator", IMAGE, (1,), (LABEL,), [4], "this task calls the network with label beside its input, which dcgan_discriminator does not take; wanted an architecture that takes conditions"),
    ],
)  # fmt: skip
def test_a_network_that_cannot_be_says_why(
    name: str, input: Any, output: Any, conditions: Any, widths: list[int], message: str, builder: Builder
) -> None:
    with pytest.raises(ShapeError) as caught:
        network(builder, name, input, output, *conditions, widths=widths)
    assert str(caught.value) == message


def test_a_conditional_generator_starts_at_its_first_width(builder: Builder) -> None:
    with pytest.raises(ShapeError, match="conditional_generator: 32x32 pixels cannot be halved 6 times"):
        network(builder, "conditional_generator", LATENT, IMAGE, LABEL, widths=[4] * 7)
    assert conditional(builder, widths=[4] * 6).get_submodule("first").out_features == 4 * 1
    assert conditional(builder, widths=[4]).get_submodule("first").out_features == 4 * 32**2


@pytest.fixture
def gan(builder: Builder) -> Callable[..., Spec]:
    """Make a small spec with these architectures."""

    def made(generator: Any, discriminator: Any, **task: Any) -> Spec:
        data = {
            "zoo": 1,
            "name": "tiny-gan",
            "task": {"gan": {"latent_size": 4, **task}},
            "data": {"shapes": {"train_images": 100, "test_images": 100}},
            "networks": {
                "generator": {"architecture": generator},
                "discriminator": {"architecture": discriminator},
            },
            "train": {"steps": 1},
        }
        return load_spec(data, registry=builder.registry)

    return made


def test_a_check_names_the_network_that_wants_a_label(gan: Callable[..., Spec], builder: Builder) -> None:
    spec = gan({"conditional_generator": {"widths": [4, 4]}}, {"projection_discriminator": {"widths": [4, 4]}})
    with pytest.raises(SpecError) as caught:
        check(spec, builder)
    assert {one.path: one.found.split(" is called")[0] for one in caught.value.problems} == {
        "networks.generator.architecture": "conditional_generator",
        "networks.discriminator.architecture": "projection_discriminator",
    }


def test_a_check_names_the_network_that_takes_no_label(gan: Callable[..., Spec], builder: Builder) -> None:
    spec = gan({"dcgan_generator": {"widths": [4]}}, {"dcgan_discriminator": {"widths": [4]}}, conditioning="both")
    with pytest.raises(SpecError) as caught:
        check(spec, builder)
    assert {one.path: one.found.partition("beside its input, ")[2] for one in caught.value.problems} == {
        f"networks.{role}.architecture": (
            f"which dcgan_{role} does not take; wanted an architecture that takes conditions"
        )
        for role in ("generator", "discriminator")
    }


def test_auxiliary_conditioning_wants_a_discriminator_without_a_label(
    gan: Callable[..., Spec], builder: Builder
) -> None:
    spec = gan(
        {"conditional_generator": {"widths": [4, 4]}},
        {"projection_discriminator": {"widths": [4, 4]}},
        conditioning="auxiliary",
    )
    with pytest.raises(SpecError, match="projection_discriminator is called with a label beside its input"):
        check(spec, builder)


@pytest.mark.parametrize(
    ("generator", "discriminator", "conditioning"),
    [
        ("dcgan_discriminator", "dcgan_generator", "none"),
        ("dcgan_generator", "dcgan_generator", "none"),
        ("dcgan_discriminator", "dcgan_discriminator", "none"),
        ("projection_discriminator", "conditional_generator", "both"),
    ],
)
def test_networks_in_each_others_place_are_a_problem_of_the_spec(
    generator: str, discriminator: str, conditioning: str, gan: Callable[..., Spec], builder: Builder
) -> None:
    spec = gan({generator: {"widths": [4, 4]}}, {discriminator: {"widths": [4, 4]}}, conditioning=conditioning)
    with pytest.raises(SpecError):
        check(spec, builder)


# Spectral norm


def largest(weight: Tensor, rows_at: int = 0) -> float:
    return float(torch.linalg.matrix_norm(weight.detach().transpose(0, rows_at).flatten(1), ord=2))


@pytest.mark.parametrize(
    ("layer", "input", "rows_at"),
    [
        ({"conv": {"channels": 6, "kernel": 3, "stride": 2}}, (4, 8, 8), 0),
        ({"conv_transpose": {"channels": 6, "kernel": 4, "stride": 2, "padding": 1}}, (4, 8, 8), 1),
        ({"linear": 5}, (12,), 0),
    ],
)
def test_spectral_norm_divides_by_the_largest_singular_value(
    layer: Any, input: Any, rows_at: int, builder: Builder
) -> None:
    torch.manual_seed(0)
    made = builder.layer({"spectral_norm": {"layer": layer}}).module(input)
    original = made.parametrizations.weight.original  # type: ignore[union-attr,operator]
    nn.init.normal_(original, std=3.0)  # type: ignore[arg-type]
    for _ in range(200):
        made(torch.randn(1, *input))
    made.eval()
    torch.testing.assert_close(made.weight * largest(original, rows_at), original, rtol=1e-3, atol=1e-3)  # type: ignore[arg-type,operator]
    assert largest(made.weight, rows_at) == pytest.approx(1, rel=1e-3)  # type: ignore[arg-type]


def test_spectral_norm_estimates_in_training_mode_alone(builder: Builder) -> None:
    made = builder.layer({"spectral_norm": {"layer": {"linear": 5}}}).module((12,)).eval()
    before = {name: one.clone() for name, one in made.named_buffers()}
    made(torch.randn(1, 12))
    assert all(torch.equal(one, before[name]) for name, one in made.named_buffers())
    made.train()(torch.randn(1, 12))
    assert not all(torch.equal(one, before[name]) for name, one in made.named_buffers())


@pytest.mark.parametrize("layer", ["relu", "batch_norm"])
def test_spectral_norm_takes_layers_with_one_weight_only(layer: str, builder: Builder) -> None:
    with pytest.raises(ShapeError) as caught:
        builder.layer({"spectral_norm": {"layer": layer}}).shape((4, 8, 8))
    assert str(caught.value) == (
        f"spectral_norm: {layer} is none of the layers with one weight that it can take; "
        "wanted conv, conv_transpose, linear or embedding"
    )


@pytest.mark.parametrize(
    ("name", "input", "output", "conditions"),
    [
        ("dcgan_generator", LATENT, IMAGE, ()),
        ("dcgan_discriminator", IMAGE, (1,), ()),
        ("conditional_generator", LATENT, IMAGE, (LABEL,)),
        ("projection_discriminator", IMAGE, (1,), (LABEL,)),
    ],
)
def test_an_architecture_puts_spectral_norm_on_every_weight_but_that_of_norms(
    name: str, input: Any, output: Any, conditions: Any, builder: Builder
) -> None:
    made = module(builder, name, input, output, *conditions, widths=[6, 4], spectral_norm=True)
    free = [
        type(one).__name__
        for one in made.modules()
        if "weight" in one._parameters and one._parameters["weight"] is not None
    ]
    assert set(free) <= {"BatchNorm2d"} | ({"Embedding"} if name == "conditional_generator" else set())


# Initializers


def net(wrap: Callable[[Any], Any] = lambda module: module) -> Any:
    torch.manual_seed(0)
    return nn.Sequential(
        wrap(nn.Conv2d(16, 64, 3)), nn.BatchNorm2d(64), wrap(nn.ConvTranspose2d(64, 32, 4)), wrap(nn.Linear(200, 100))
    )


def held(layer: Any) -> Tensor:
    weight: Tensor = layer.parametrizations.weight.original if "parametrizations" in layer._modules else layer.weight
    return weight.detach()


WRAPS = pytest.mark.parametrize("wrap", [lambda module: module, spectral_norm], ids=["plain", "spectral_norm"])


@WRAPS
def test_normal_draws_weights_and_clears_biases(wrap: Callable[[Any], Any]) -> None:
    made = net(wrap)
    normal(made, std=0.05)
    for index in (0, 2, 3):
        weight = held(made[index])
        assert float(weight.mean()) == pytest.approx(0, abs=0.003)
        assert float(weight.std()) == pytest.approx(0.05, rel=0.03)
        assert not made[index].bias.any()


@WRAPS
def test_normal_draws_the_scales_of_norms_around_1(wrap: Callable[[Any], Any]) -> None:
    made = net(wrap)
    normal(made)
    assert float(made[1].weight.detach().mean()) == pytest.approx(1, abs=0.01)
    assert float(made[1].weight.detach().std()) == pytest.approx(0.02, rel=0.3)
    assert not made[1].bias.any()


def test_normal_leaves_the_slope_of_prelu_far_from_1() -> None:
    made = nn.Sequential(nn.Linear(4, 4), nn.PReLU(4))
    normal(made)
    assert (made[1].weight < 0.9).all()


@pytest.mark.parametrize("gain", [1.0, 2.5])
@WRAPS
def test_orthogonal_makes_orthogonal_matrices_and_clears_biases(wrap: Callable[[Any], Any], gain: float) -> None:
    made = net(wrap)
    orthogonal(made, gain=gain)
    for index in (0, 2, 3):
        matrix = held(made[index]).flatten(1)
        product = matrix @ matrix.T
        torch.testing.assert_close(product, torch.eye(len(matrix)) * gain**2, atol=1e-4, rtol=0)
        assert not made[index].bias.any()


def test_orthogonal_leaves_norms_as_they_are() -> None:
    made = net()
    nn.init.constant_(made[1].bias, 0.5)
    orthogonal(made)
    assert (made[1].weight == 1).all() and (made[1].bias == 0.5).all()


def test_an_initializer_reaches_embeddings_and_layers_inside_layers(builder: Builder) -> None:
    made: Any = projection(builder, spectral_norm=True)
    normal(made, std=0.5)
    stds = [float(held(one).std()) for one in (made.embedding, made.features[0], made.features[2])]
    assert stds == pytest.approx([0.5] * 3, rel=0.3)


def test_one_seed_initialises_one_network(builder: Builder) -> None:
    weights = []
    for seed in (0, 0, 1):
        made: Any = projection(builder)
        torch.manual_seed(seed)
        normal(made)
        weights.append(held(made.features[0]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
