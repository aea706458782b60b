"""The networks that everyone knows, written as layers: their counts, and their outputs beside the originals'."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
import torchvision
from support import builtin_registry
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from zoo.builder import Builder
from zoo.checking import Report, check
from zoo.spec.load import load_spec
from zoo.spec.shipped import names

torch.set_num_threads(1)

#: Parameters of each network of the classifiers, as their originals have them.
COUNTS = {
    "alexnet": 61_100_840,
    "convnext-t": 28_589_128,
    "deeplab-v3-resnet50": 39_638_869,
    "densenet-bc-100-12": 800_032,
    "densenet121": 7_978_856,
    "efficientnet-b0": 5_288_548,
    "efficientnet-lite0": 4_652_008,
    "fpn-resnet18": 14_040_616,
    "googlenet": 6_624_904,
    "gru-keywords": 168_867,
    "inception-v3": 27_161_264,
    "lenet5": 69_656,
    "lstm-reviews": 2_758_914,
    "m5": 26_915,
    "mlperf-tiny-autoencoder": 267_928,
    "mlperf-tiny-keywords": 23_756,
    "mlperf-tiny-person": 216_322,
    "mlperf-tiny-resnet8": 78_186,
    "mnasnet-0.5": 2_218_512,
    "mobilenet-v2": 3_504_872,
    "mobilenet-v3-small": 2_542_856,
    "paper-classifier": 99_364,
    "preact-resnet18": 11_217_316,
    "resnet18": 11_689_512,
    "resnet20": 269_722,
    "resnet20-projection": 278_324,
    "resnet50": 25_557_032,
    "resnext50": 25_028_904,
    "swin-t": 28_288_354,
    "vgg16-bn": 138_365_992,
    "vit-b-16": 86_567_656,
    "wrn-28-10": 36_536_884,
}
GANS = {"dcgan64": (3_576_704, 2_765_568), "paper-dcgan": (884_992, 44_480)}
#: What Keras counts beside: means and variances of the norms; the sums are what MLPerf Tiny's models say of themselves.
STATISTICS = {
    "mlperf-tiny-autoencoder": (2_064, 269_992),
    "mlperf-tiny-keywords": (1_152, 24_908),
    "mlperf-tiny-person": (5_472, 221_794),
    "mlperf-tiny-resnet8": (480, 78_666),
}
models = torchvision.models


class Pyramid(nn.Module):
    """torchvision's feature pyramid over the stages of ResNet-18, and a classifier of the sum of its levels' means."""

    def __init__(self) -> None:
        super().__init__()
        network = models.resnet18()
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        self.stages = nn.ModuleList([network.layer1, network.layer2, network.layer3, network.layer4])
        self.pyramid = FeaturePyramidNetwork([64, 128, 256, 512], 256)
        self.head = nn.Linear(256, 1000)

    def forward(self, images: Tensor) -> Tensor:
        levels, values = OrderedDict(), self.stem(images)
        for index, stage in enumerate(self.stages):
            levels[str(index)] = values = stage(values)
        logits: Tensor = self.head(sum(level.mean((2, 3)) for level in self.pyramid(levels).values()))
        return logits


class Segmenter(nn.Module):
    """torchvision's DeepLabV3 and the mean of each of its class maps."""

    def __init__(self) -> None:
        super().__init__()
        self.network = models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=21)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)["out"].mean((2, 3))
        return logits


ORIGINALS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": models.alexnet,
    "convnext-t": models.convnext_tiny,
    "deeplab-v3-resnet50": Segmenter,
    "densenet121": models.densenet121,
    "efficientnet-b0": models.efficientnet_b0,
    "fpn-resnet18": Pyramid,
    "googlenet": lambda: models.googlenet(aux_logits=False, init_weights=False),
    "inception-v3": lambda: models.inception_v3(init_weights=False),
    "mnasnet-0.5": models.mnasnet0_5,
    "mobilenet-v2": models.mobilenet_v2,
    "mobilenet-v3-small": models.mobilenet_v3_small,
    "resnet18": models.resnet18,
    "resnet50": models.resnet50,
    "resnext50": models.resnext50_32x4d,
    "swin-t": models.swin_t,
    "vgg16-bn": models.vgg16_bn,
    "vit-b-16": models.vit_b_16,
}
#: Pixels of the images that outputs are compared for; the others take any number.
PIXELS = {"inception-v3": 299, "swin-t": 224, "vit-b-16": 224}


def in_order(names: list[str]) -> list[str]:
    """Return the names of an original's weights in the order in which they are used, without tables of indices."""
    place = {key: float(index) for index, key in enumerate(names) if not key.endswith("relative_position_index")}
    start = place.get("pyramid.inner_blocks.0.0.weight", 0.0)
    for key in place:
        if key.endswith("layer_scale"):
            place[key] = (
                max(at for other, at in place.items() if other.startswith(key.removesuffix("layer_scale"))) + 0.5
            )
        elif key.endswith("reduction.weight"):  # of Swin, after the norm
            place[key] = place[key.replace("reduction.weight", "norm.bias")] + 0.5
        elif key == "class_token":
            place[key] = place["conv_proj.bias"] + 0.5
        elif key.startswith("pyramid."):  # from the coarsest level on; then what goes out, the finest first
            kind, level = key.split(".")[1:3]
            rank = 3 - int(level) if kind == "inner_blocks" else 4 + int(level)
            place[key] = start + (2 * rank + key.endswith("bias")) / 16
    return sorted(place, key=place.__getitem__)


def report(name: str) -> Report:
    registry = builtin_registry()
    return check(load_spec(name, registry=registry), Builder(registry))


def test_every_reference_is_tested() -> None:
    shipped = {name for name, path in names().items() if path.parent.name == "reference"}
    assert shipped == COUNTS.keys() | GANS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_a_classifier_has_the_parameters_of_its_original(name: str) -> None:
    assert report(name).total.parameters == COUNTS[name]
    assert report(name).kept


@pytest.mark.parametrize("name", GANS)
def test_a_gan_has_the_parameters_of_its_original(name: str) -> None:
    found = report(name)
    assert tuple(one.figures.parameters for one in found.networks.values()) == GANS[name]
    assert found.kept


@pytest.mark.parametrize("name", [*COUNTS, *GANS])
def test_a_reference_is_written_as_layers_alone(name: str) -> None:
    spec = load_spec(name, registry=builtin_registry())
    assert {one.architecture.name for one in spec.networks.values()} == {"layers"}


def test_the_wide_network_costs_what_is_known_of_it() -> None:
    assert 2 * report("wrn-28-10").total.macs == pytest.approx(10.487e9, rel=1e-4)


@pytest.mark.parametrize("name", STATISTICS)
def test_the_tiny_networks_have_what_keras_counts(name: str) -> None:
    one = report(name).networks["classifier"]
    with torch.device("meta"):
        saved = one.network.module(one.input).state_dict()
    statistics, total = STATISTICS[name]
    assert sum(tensor.numel() for key, tensor in saved.items() if "running" in key) == statistics
    assert one.cost.parameters + statistics == total


def test_the_tiny_networks_cost_what_is_known_of_them() -> None:
    dense = 2 * 640 * 128 + 6 * 128 * 128 + 2 * 128 * 8
    assert report("mlperf-tiny-autoencoder").total.macs == dense
    separable = 25 * 5 * 64 * (3 * 3 + 64)
    assert report("mlperf-tiny-keywords").total.macs == 25 * 5 * 64 * 10 * 4 + 4 * separable + 64 * 12


def emptied(make: Callable[[], nn.Module]) -> nn.Module:
    """Make a module without drawing its weights, which are filled in by the test; but for what it keeps beside them."""
    with torch.device("meta"):
        module = make()
    beside = {name for name, _ in module.named_buffers()} - {
        name for name in module.state_dict() if not name.endswith("relative_position_index")
    }
    return (make() if beside else module.to_empty(device="cpu")).eval()


def fill(tensors: list[Tensor], names: list[str]) -> None:
    """Give a network weights under which its values neither die out nor explode."""
    random = torch.Generator().manual_seed(0)
    for name, tensor in zip(names, tensors, strict=True):
        if not tensor.is_floating_point():
            tensor.zero_()
        elif tensor.dim() > 1:
            inputs = tensor[0].numel() if len(tensor) > 1 else 2  # tokens and positions have no inputs
            tensor.normal_(0, (2 / inputs) ** 0.5, generator=random)
        elif name.endswith(("running_var", "weight")):
            tensor.uniform_(0.5, 1.5, generator=random)
        else:
            tensor.normal_(0, 0.1, generator=random)


def alike(own: Tensor, other: Tensor, name: str) -> Tensor:
    """Return a weight of an original in the shape of ours: of a sequence, channels come first here."""
    if name.endswith("pos_embedding"):
        other = other.transpose(1, 2)
    return other.reshape(own.shape)  # a linear layer over the channels is a convolution with one pixel


@pytest.mark.parametrize("name", ORIGINALS)
def test_with_the_weights_of_torchvision_it_gives_the_same(name: str) -> None:
    theirs = emptied(ORIGINALS[name])
    network, shape = report(name).networks["classifier"], (3, *[PIXELS.get(name, 96)] * 2)
    ours = emptied(lambda: network.network.module(shape))
    their_state, our_state = theirs.state_dict(), list(ours.state_dict().values())
    used = in_order(list(their_state))
    fill([their_state[key] for key in used], used)
    assert [one.numel() for one in our_state] == [their_state[key].numel() for key in used]
    for own, key in zip(our_state, used, strict=True):
        own.copy_(alike(own, their_state[key], key))
    images = torch.rand(1, *shape, generator=torch.Generator().manual_seed(1))
    theirs.training = name == "inception-v3"  # its auxiliary head answers in training alone; all inside are not
    with torch.inference_mode():
        found, expected = ours(images), theirs(images)
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for one, wanted in pairs:
        assert float(wanted.std()) > 1e-3
        assert float((one - wanted).abs().max()) <= 1e-5 * max(1.0, float(wanted.abs().max()))


class Same(nn.Module):
    """TensorFlow's padding `same`: as much as lets the stride reach every pixel, the odd one behind."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, images: Tensor) -> Tensor:
        padding: list[int] = []
        sizes = zip(images.shape[2:], self.conv.kernel_size, self.conv.stride, strict=True)
        for size, kernel, stride in sizes:
            missing = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            padding = [missing // 2, missing - missing // 2, *padding]
        return self.conv(nn.functional.pad(images, padding))  # type: ignore[no-any-return]


def same(
    channels: int, out: int, kernel: Any = 3, stride: int = 1, groups: int = 1, relu: bool = True
) -> list[nn.Module]:
    conv = Same(nn.Conv2d(channels, out, kernel, stride, groups=groups))
    return [conv, nn.BatchNorm2d(out, eps=1e-3), *([nn.ReLU()] if relu else [])]


def separable(channels: int, out: int, stride: int = 1) -> list[nn.Module]:
    return [*same(channels, channels, 3, stride, channels), *same(channels, out, 1)]


def tiny_keywords() -> nn.Module:
    blocks = [module for _ in range(4) for module in separable(64, 64)]
    return nn.Sequential(*same(1, 64, (10, 4), 2), *blocks, nn.AvgPool2d((24, 5)), nn.Flatten(), nn.Linear(64, 12))


def tiny_person() -> nn.Module:
    table = [(8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2)]
    table += [(128, 128, 1)] * 5 + [(128, 256, 2), (256, 256, 1)]
    blocks = [module for row in table for module in separable(*row)]
    return nn.Sequential(*same(3, 8, 3, 2), *blocks, nn.AvgPool2d(3), nn.Flatten(), nn.Linear(256, 2))


class TinyStack(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*same(channels, out, 3, stride), *same(out, out, relu=False))
        self.shortcut = Same(nn.Conv2d(channels, out, 1, stride)) if stride > 1 else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.relu(self.shortcut(images) + self.layers(images))


def tiny_resnet8() -> nn.Module:
    stacks = [TinyStack(16, 16, 1), TinyStack(16, 32, 2), TinyStack(32, 64, 2)]
    return nn.Sequential(*same(3, 16), *stacks, nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, 10))


def tiny_autoencoder() -> nn.Module:
    widths = [640, *[128] * 4, 8, *[128] * 4]
    layers: list[nn.Module] = []
    for width, after in pairwise(widths):
        layers += [nn.Linear(width, after), nn.BatchNorm1d(after, eps=1e-3), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(128, 640))


def m5() -> nn.Module:
    rows = [(1, 32, 80, 16), (32, 32, 3, 1), (32, 64, 3, 1), (64, 64, 3, 1)]
    layers: list[nn.Module] = []
    for channels, out, kernel, stride in rows:
        layers += [nn.Conv1d(channels, out, kernel, stride), nn.BatchNorm1d(out), nn.ReLU(), nn.MaxPool1d(4)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 35))


class Reviews(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20_000, 128)
        self.lstm = nn.LSTM(128, 64, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(128, 2)

    def forward(self, words: Tensor) -> Tensor:
        last = self.lstm(self.embedding(words))[1][0][-2:]
        return self.head(torch.cat([*last], 1))  # type: ignore[no-any-return]


class Keywords(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(40, 128, num_layers=2, batch_first=True, dropout=0.2)
        self.head = nn.Linear(128, 35)

    def forward(self, sounds: Tensor) -> Tensor:
        return self.head(self.gru(sounds.transpose(1, 2))[0][:, -1])  # type: ignore[no-any-return]


SMALL: dict[str, Callable[[], nn.Module]] = {
    "gru-keywords": Keywords,
    "lstm-reviews": Reviews,
    "m5": m5,
    "mlperf-tiny-autoencoder": tiny_autoencoder,
    "mlperf-tiny-keywords": tiny_keywords,
    "mlperf-tiny-person": tiny_person,
    "mlperf-tiny-resnet8": tiny_resnet8,
}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_network_gives_what_its_original_gives(name: str) -> None:
    found = report(name)
    one = found.networks["classifier"]
    theirs, ours = emptied(SMALL[name]), one.network.module(one.input).eval()
    fill(list(theirs.state_dict().values()), list(theirs.state_dict()))
    for own, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        own.copy_(other)
    random = torch.Generator().manual_seed(1)
    items = torch.randn(2, *one.input, generator=random)
    if name == "lstm-reviews":
        items = torch.randint(20_000, (2, 200), generator=random)
    outputs = [network(items) for network in (ours, theirs)]
    for output in outputs:
        output.square().sum().backward()
    found_logits, expected = (output.detach() for output in outputs)
    assert float((found_logits - expected).abs().max()) <= 1e-5 * max(1.0, float(expected.abs().max()))
    for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        least = 1e-4 * float(other.grad.abs().max())  # type: ignore[union-attr]
        assert torch.allclose(own.grad, other.grad, rtol=1e-3, atol=least)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "named"), [("paper-classifier", "cifar100-resnet-silu"), ("paper-dcgan", "cifar100-dcgan")]
)
def test_the_networks_of_the_paper_are_the_named_ones(name: str, named: str) -> None:
    for role, one in report(name).networks.items():
        other = report(named).networks[role]
        assert (one.cost, one.input, one.output) == (other.cost, other.input, other.output)
        torch.manual_seed(0)
        modules = [one.network.module(one.input), other.network.module(other.input)]
        states: list[dict[str, Any]] = [module.state_dict() for module in modules]
        for own, wanted in zip(states[0].values(), states[1].values(), strict=True):
            own.copy_(wanted)
        inputs = torch.rand(2, *one.input)
        assert torch.allclose(modules[0].eval()(inputs), modules[1].eval()(inputs), atol=1e-6)
