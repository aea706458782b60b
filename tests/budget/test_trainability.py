"""What passes `check` trains its first step; what cannot is refused in its place, and what is not meant is a warning."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

import zoo
from zoo.api import Augmentation, Component, Finding, Layer, Setting, requires
from zoo.builder import Builder
from zoo.errors import SpecError
from zoo.network.operations import Join
from zoo.registry import Provider, Registry
from zoo.training.loop import Training
from zoo.training.reporter import Reporter
from zoo.training.run import Run

HEAD: list[Any] = ["global_average_pool", {"linear": 4}]


def spec(*layers: Any, **parts: Any) -> dict[str, Any]:
    """A classifier of noise whose parts are given with __ for the dots; `image` and `network` are those of the spec."""
    found: dict[str, Any] = {
        "zoo": 1,
        "name": "one-step",
        "task": "classify",
        "data": {"noise": {"image": parts.pop("image", [3, 8, 8]), "classes": parts.pop("classes", 4)}},
        "networks": {"classifier": {"architecture": {"layers": [*layers] or HEAD}, **parts.pop("network", {})}},
        "train": {"steps": 100, "batch_size": 8, "device": "cpu", **parts.pop("train", {})},
    }
    return found | parts


def gan(*layers: Any, **options: Any) -> dict[str, Any]:
    generator = ["flatten", {"linear": 48}, {"reshape": [3, 4, 4]}]
    return spec(
        task={"gan": {"latent_size": 4, **options}},
        image=[3, 4, 4],
        networks={
            "generator": {"architecture": {"layers": generator}},
            "discriminator": {"architecture": {"layers": [*layers, "flatten", {"linear": 1}]}},
        },
    )


REFUSED = {
    "batch_norm over one pixel of one image": (
        spec("global_average_pool", "batch_norm", {"linear": 4}, train={"batch_size": 1}),
        "networks.classifier.architecture: found batch_norm over one value: a batch of 1 gives one image, which has one "
        "pixel here; wanted 2 images or more at a time, or another norm",
    ),
    "batch_norm over one image of a part": (
        spec("global_average_pool", "batch_norm", {"linear": 4}, train={"batch_size": 5, "accumulate": 4}),
        "networks.classifier.architecture: found batch_norm over one value: a batch of 5 in 4 parts gives one image, "
        "which has one pixel here; wanted 2 images or more at a time, or another norm",
    ),
    "color_jitter on one channel": (
        spec(image=[1, 8, 8], augment=["horizontal_flip", {"color_jitter": {"hue": 0.1}}]),
        "augment.1.color_jitter: found color_jitter for images of 1 channels; wanted images of 3",
    ),
    "trivial_augment on two channels": (
        spec(image=[2, 8, 8], augment=["trivial_augment"]),
        "augment.0.trivial_augment: found trivial_augment for images of 2 channels; wanted images of 1 or 3",
    ),
    "random_crop larger than the image": (
        spec(image=[3, 4, 8], augment=["random_crop"]),
        "augment.0.random_crop.padding: found 4 for images of 8x4; wanted less than their sides, or mode: zeros",
    ),
    "random_crop of what a discriminator sees": (
        gan(augment=[{"random_crop": {"padding": 4}}]),
        "task.gan.augment.0.random_crop.padding: found 4 for images of 4x4; wanted less than their sides, or mode: zeros",
    ),
    "muon on biases": (
        spec(network={"optimizer": "muon"}),
        "networks.classifier.optimizer.muon: found 1.bias, which is no matrix; "
        "wanted by_group: {matrices: muon, rest: adamw}",
    ),
    "muon on what is left": (
        spec(network={"optimizer": {"by_group": {"matrices": "adam", "rest": "muon"}}}),
        "networks.classifier.optimizer.by_group.rest.muon: found 1.bias, which is no matrix; "
        "wanted by_group: {matrices: muon, rest: adamw}",
    ),
    "nesterov without momentum": (
        spec(network={"optimizer": {"sgd": {"nesterov": True}}}),
        "networks.classifier.optimizer.sgd.nesterov: found nesterov; "
        "wanted a momentum above 0 and no dampening beside it",
    ),
    "a network without weights": (
        spec("global_average_pool", image=[4, 8, 8]),
        "networks.classifier.architecture: found nothing to train; wanted a layer with weights",
    ),
    "a slope that torch cannot differentiate again": (
        gan("hardsigmoid", r1=1.0),
        "networks.discriminator.architecture: found hardsigmoid where slopes are differentiated again, which torch "
        "cannot do with it; wanted another activation, or no r1, r2 and gradient_penalty",
    ),
    "a captured step on a CPU": (
        spec(train={"engine": "graph"}),
        "train.engine: found graph on cpu; wanted device: cuda, or engine: auto",
    ),
    "tf32 on a CPU": (
        spec(train={"precision": "tf32"}),
        "train.precision: found tf32 on cpu; wanted device: cuda, or precision: auto",
    ),
    "seeds beyond the last": (
        spec(train={"seed": 2**32 - 1, "seeds": 2}),
        f"train.seeds: found 2 seeds from {2**32 - 1} on; wanted at most 1, since a seed is below {2**32}",
    ),
    "a metric of images that nobody makes": (
        spec(metrics=["kid"]),
        "metrics.0.kid: found a metric of images that a network makes; classify makes none; wanted no metrics",
    ),
}
WARNED = {
    "a warm-up longer than the training": (
        spec(network={"schedule": {"warmup": {"over": 101}}}),
        "networks.classifier.schedule.warmup.over: found 101, more than the 100 steps, so that the full rate is never "
        "reached; wanted less than 100",
    ),
    "a reduction after what a warm-up leaves": (
        spec(network={"schedule": {"warmup": {"over": 50, "then": {"multi_step": {"milestones": [20, 60]}}}}}),
        "networks.classifier.schedule.warmup.then.multi_step.milestones: found 60, which comes after the last of 50 "
        "steps; wanted less than 50",
    ),
    "a rate that vanishes": (
        spec(network={"schedule": {"exponential": {"factor": 0.1}}}),
        "networks.classifier.schedule: found a schedule that is below a millionth in 90 of 100 steps; "
        "wanted a rate that moves the weights",
    ),
    "an average over more than the training": (
        spec(network={"ema": {"decay": 0.999, "warmup": False}}),
        "networks.classifier.ema: found 0.999 without a warm-up, which averages over some 1,000 updates; "
        "wanted fewer than the 100 of this training",
    ),
    "validations without images": (
        spec(train={"evaluate_every": 10}),
        "train.evaluate_every: found 10, but no image is held out; "
        "wanted train.validation: the number of images to hold out",
    ),
    "a validation after the end": (
        spec(train={"evaluate_every": 101, "validation": 10}),
        "train.evaluate_every: found 101, which comes after the last step; wanted at most 100",
    ),
    "a batch larger than the data": (
        spec(train={"batch_size": 999, "validation": 2}),
        "train.batch_size: found 999 images a step, so that some come twice; "
        "wanted at most the 998 images that there are to train on",
    ),
    "smoothing that leaves nothing": (
        spec(task={"classify": {"loss": {"cross_entropy": {"label_smoothing": 0.9}}}}),
        "task.classify.loss.cross_entropy.label_smoothing: found 0.9, which leaves the right class 32%; "
        "wanted at most 0.5; 0.1 is usual",
    ),
    "color_jitter without a strength": (
        spec(augment=["color_jitter"]),
        "augment.0.color_jitter: found color_jitter without a strength, which changes nothing; "
        "wanted a strength, such as brightness: 0.1",
    ),
    "a crop that leaves little": (
        spec(augment=[{"random_crop": {"padding": 7}}]),
        "augment.0.random_crop.padding: found 7 for images of 8x8; "
        "wanted at most half a side, so that half of an image stays in sight",
    ),
    "a cutout as large as the image": (
        spec(augment=[{"cutout": 8}]),
        "augment.0.cutout.size: found 8, which can hide an image of 8x8 whole; wanted less than a side",
    ),
    "mixing of one image": (
        spec(augment=["mixup"], train={"batch_size": 1}),
        "augment.0.mixup: found one image a step, which has no other to be mixed with; wanted 2 or more",
    ),
    "a group without weights": (
        spec(
            "flatten",
            {"linear": {"features": 4, "bias": False}},
            network={"optimizer": {"by_group": {"matrices": "muon", "rest": "adam"}}},
        ),
        "networks.classifier.optimizer.by_group.rest: found an optimizer that gets no weights; "
        "wanted one optimizer for all of them",
    ),
    "one class": (
        spec("flatten", {"linear": 1}, classes=1),
        "task.classify: found noise, which has one class; wanted 2 or more to tell apart",
    ),
    "a norm over one value": (
        spec(*HEAD[:1], {"linear": 1}, "layer_norm", {"linear": 4}),
        "networks.classifier.architecture: found layer_norm over one value, of which nothing is left; "
        "wanted more channels",
    ),
    "wasserstein with any slope": (
        gan(loss="wasserstein"),
        "task.gan.loss: found a loss that needs a discriminator of bounded slope; "
        "wanted gradient_penalty: 10, or spectral_norm in the discriminator",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_trained_is_refused(data: dict[str, Any], message: str, registry: Registry) -> None:
    with pytest.raises(SpecError) as caught:
        zoo.check(data, registry=registry)
    assert str(caught.value) == f"<python>: {message}"


@pytest.mark.parametrize(("data", "message"), WARNED.values(), ids=WARNED)
def test_what_is_surely_not_meant_is_a_warning(data: dict[str, Any], message: str, registry: Registry) -> None:
    report = zoo.check(data, registry=registry)
    assert [str(one) for one in report.warnings] == [f"<python>: {message}"]
    assert report.exit_code == 0


def test_what_ships_is_meant(registry: Registry) -> None:
    from zoo.spec import shipped

    assert not {name for name in shipped.names([]) if zoo.check(name, registry=registry).warnings}


def test_a_finding_stands_where_it_was_written(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "grey.yaml"
    path.write_text(
        "extends: quickstart\n"
        "data: {noise: {image: [1, 1, 1], classes: 2}}\n"
        "augment:\n"
        "  - horizontal_flip\n"
        "  - random_crop: {padding: 9, mode: zeros}\n"
        "  - color_jitter: {hue: 0.1}\n"
        "networks:\n"
        "  classifier:\n"
        "    architecture:\n"
        "      layers: [flatten, batch_norm, {linear: 2}]\n"
        "    ema: {decay: 0.9999999, warmup: false}\n"
        "train: {batch_size: 1, validation: 100}\n"
    )
    with pytest.raises(SpecError) as caught:
        zoo.check(path, registry=registry)
    assert [str(one).partition(": ")[0] for one in caught.value.problems] == [f"{path}:6:5", f"{path}:10:25"]
    report = zoo.check(path, overrides=["train.batch_size=2", "augment.2=horizontal_flip"], registry=registry)
    assert [str(one).partition(": ")[0] for one in report.warnings] == [f"{path}:5:19", f"{path}:11:5"]


def test_a_plugin_says_what_its_components_ask(registry: Registry) -> None:
    own = Registry()
    for one in registry:
        own.add(one, registry.provider(one))
    own.add(Component("augmentation", "squares", f"{__name__}:Squares"), Provider("here"))
    own.add(Component("schedule", "halves", f"{__name__}:halves"), Provider("here"))
    own.add(Component("architecture", "normed", f"{__name__}:normed"), Provider("here"))
    source = spec(image=[3, 8, 6], augment=["squares"], network={"schedule": {"halves": 3}})
    source["networks"]["classifier"]["architecture"] = "normed"
    source["train"]["batch_size"] = 1
    with pytest.raises(SpecError) as caught:
        zoo.check(source, registry=own)
    assert [str(one) for one in caught.value.problems] == [
        "<python>: augment.0.squares: found images of 8x6; wanted squares",
        "<python>: networks.classifier.architecture: found a network that cannot be trained on 1 at a time: "
        "Expected more than 1 value per channel when training, got input size torch.Size([1, 3]); wanted another",
        "<python>: networks.classifier.schedule.halves.every: found 3; wanted an even number",
    ]


class Doubled(Layer):
    """Becomes other layers, and wants more than one image at a time."""

    def lower_into(self, flow: Any, name: str) -> None:
        flow.operation(Join(kind="add"), "", (flow.value, flow.value))

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        if setting.part == 1:
            yield Finding(f"found {self.label} on one image of {setting.input}", "two")


@pytest.mark.parametrize(
    "layers", [["doubled"], [{"residual": ["doubled"]}], [["doubled", {"name": "a"}], {"add": "a"}]]
)
def test_a_layer_that_becomes_other_operations_is_asked(layers: list[Any], registry: Registry) -> None:
    own = Registry()
    for one in registry:
        own.add(one, registry.provider(one))
    own.add(Component("layer", "doubled", f"{__name__}:Doubled"), Provider("here"))
    with pytest.raises(SpecError, match=r"architecture: found doubled on one image of \(3, 8, 8\); wanted two"):
        zoo.check(spec(*layers, *HEAD, train={"batch_size": 1}), registry=own)
    assert zoo.check(spec(*layers, *HEAD), registry=own).kept


class Squares(Augmentation):
    """Wants squares."""

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        _, height, width = setting.info.image
        if height != width:
            yield Finding(f"found images of {height}x{width}", "squares")


def _even(setting: Setting, *, every: int) -> Iterator[Finding]:
    if every % 2:
        yield Finding(f"found {every}", "an even number", "every")


@requires(_even)
def halves(steps: int, /, *, every: int) -> Any:
    """Return a factor that is halved."""
    return lambda step: 0.5 ** (step // every)


def normed(input: Any, output: Any, /) -> Any:
    """Return a module with a norm over the batch at a single pixel."""
    from torch import nn

    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(input[0]), nn.Linear(input[0], output[0])
    )


# What passes trains


def _maybe(choices: dict[str, dict[str, Any]]) -> st.SearchStrategy[Any]:
    """A component of these, with options of their strategies."""
    return st.one_of(
        [
            st.fixed_dictionaries({name: st.fixed_dictionaries({}, optional=options)})
            for name, options in choices.items()
        ]
    )


SMALL = st.integers(1, 9)
SHARE = st.sampled_from([0.0, 0.1, 0.5, 0.9])
AUGMENTATIONS = _maybe(
    {
        "horizontal_flip": {},
        "random_crop": {"padding": SMALL, "mode": st.sampled_from(["reflect", "zeros"])},
        "cutout": {"size": SMALL},
        "color_jitter": {"brightness": SHARE, "hue": st.sampled_from([0.0, 0.5])},
        "trivial_augment": {"probability": SHARE},
    }
)
MIXING = _maybe({"mixup": {"probability": SHARE}, "cutmix": {"probability": SHARE}})
NORMS = st.sampled_from(
    ["batch_norm", "instance_norm", "layer_norm", "rms_norm", {"group_norm": 2}, {"layer_norm": {"over": "channels"}}]
)
SIMPLE = {
    "sgd": {"momentum": SHARE, "nesterov": st.booleans(), "dampening": SHARE},
    "muon": {"nesterov": st.booleans()},
    **{name: {} for name in ("adam", "adamw", "nadam", "radam", "adamax", "adagrad", "adadelta", "rmsprop", "rprop")},
    "adafactor": {},
}
OPTIMIZERS = _maybe(SIMPLE) | st.builds(
    lambda matrices, rest, last: {"by_group": {"matrices": matrices, "rest": rest, "last": last}},
    _maybe(SIMPLE),
    _maybe(SIMPLE),
    st.sampled_from(["matrices", "rest"]),
)
STEPS = st.integers(1, 30)
SCHEDULES = st.recursive(
    _maybe({"constant": {}, "linear": {}, "cosine": {"floor": SHARE}, "polynomial": {}, "one_cycle": {"rise": SHARE}})
    | st.builds(lambda every: {"step": every}, STEPS)
    | st.builds(lambda one: {"multi_step": {"milestones": [one]}}, STEPS)
    | st.builds(lambda one: {"cosine_restarts": {"period": one}}, STEPS)
    | st.just({"exponential": {"factor": 0.5}}),
    lambda inner: st.builds(lambda over, then: {"warmup": {"over": over, "then": then}}, STEPS, inner),
    max_leaves=2,
)
LOSSES = _maybe({"cross_entropy": {"label_smoothing": SHARE}, "multi_margin": {"p": st.sampled_from([1, 2])}})
TRAIN = st.fixed_dictionaries(
    {"steps": STEPS, "batch_size": st.integers(1, 8), "accumulate": st.sampled_from([1, 1, 2, 9])},
    optional={"validation": st.integers(0, 25), "evaluate_every": SMALL, "sample_every": SMALL},
)


@st.composite
def layers(draw: Any, output: int) -> list[Any]:
    """Layers from an image, or from latent values, to a vector."""
    image = st.lists(
        st.one_of(
            st.builds(
                lambda channels, stride: {"conv": {"channels": channels, "stride": stride}}, SMALL, st.integers(1, 2)
            ),
            NORMS,
            st.sampled_from(
                [
                    "relu",
                    "hardsigmoid",
                    "self_attention",
                    "dropout",
                    {"max_pool": 2},
                    {"spectral_norm": {"layer": {"conv": 2}}},
                ]
            ),
        ),
        max_size=4,
    )
    to_vector = st.sampled_from(
        [["flatten"], ["global_average_pool"], [{"adaptive_average_pool": 1}, "batch_norm", "flatten"]]
    )
    vector = st.lists(st.one_of(NORMS, st.just("relu"), st.builds(lambda size: {"linear": size}, SMALL)), max_size=2)
    last = st.sampled_from([[{"linear": output}], [{"linear": {"features": output, "bias": False}}], []])
    return [*draw(image), *draw(to_vector), *draw(vector), *draw(last)]


@st.composite
def specs(draw: Any) -> dict[str, Any]:
    """A spec of small parts, many of which do not fit together."""
    channels, height, width, classes = (draw(st.integers(1, most)) for most in (4, 9, 9, 4))
    pixels = channels * height * width
    task = draw(st.sampled_from(["classify", "classify", "gan", "diffuse"]))
    to_image = ["flatten", {"linear": pixels}, {"reshape": [channels, height, width]}]
    trained = st.fixed_dictionaries(
        {"optimizer": OPTIMIZERS, "schedule": SCHEDULES},
        optional={
            "ema": st.sampled_from([0.5, 0.999]),
            "gradient_clip": st.just(1.0),
            "init": st.sampled_from(["normal", "orthogonal"]),
        },
    )
    if task == "classify":
        options, networks = {"loss": draw(LOSSES)}, {"classifier": draw(layers(classes))}
    elif task == "gan":
        penalties = {name: draw(st.sampled_from([0, 0, 1])) for name in ("r1", "r2", "gradient_penalty")}
        losses = st.sampled_from(["bce", "hinge", "least_squares", "wasserstein", "relativistic"])
        options = {
            "latent_size": 4,
            "loss": draw(losses),
            **penalties,
            "augment": draw(st.lists(AUGMENTATIONS, max_size=1)),
        }
        options["discriminator_steps"] = draw(st.integers(1, 2))
        hidden = draw(st.lists(st.one_of(NORMS, st.just({"linear": 4})), max_size=2))
        networks = {"generator": [*hidden, *to_image], "discriminator": draw(layers(1))}
    else:
        options = {"labels": draw(st.booleans())}
        networks = {"denoiser": []}
    augment = draw(st.lists(AUGMENTATIONS | MIXING if task == "classify" else AUGMENTATIONS, max_size=2))
    unet = {"unet": {"widths": [8], "blocks": 1, "kernel": 3, "embedding": 8}}
    return {
        "zoo": 1,
        "name": "random",
        "task": {task: options},
        "data": {
            "noise": {"image": [channels, height, width], "classes": classes, "train_images": 20, "test_images": 4}
        },
        "augment": augment,
        "networks": {
            role: {"architecture": {"layers": one} if one else unet, **draw(trained)} for role, one in networks.items()
        },
        "train": {**draw(TRAIN), "device": "cpu", "precision": "fp32", "engine": "eager"},
    }


def first_step(source: dict[str, Any], registry: Registry, folder: Path) -> bool:
    """Train the first step where `check` finds nothing against it; return whether it was."""
    builder = Builder(registry)
    loaded = zoo.load_spec(source, registry=registry)
    try:
        report = zoo.check(loaded, registry=registry)
    except SpecError:
        return False
    Training(loaded, report, builder, Run(folder), Reporter()).advance()
    return True


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=specs())
def test_what_passes_trains_its_first_step(source: dict[str, Any], registry: Registry) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first_step(source, registry, Path(folder) / "run")


@pytest.mark.parametrize("case", WARNED)
def test_what_is_only_warned_of_trains(case: str, registry: Registry, tmp_path: Path) -> None:
    assert first_step(WARNED[case][0], registry, tmp_path / "run")
