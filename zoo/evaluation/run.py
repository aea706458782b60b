"""Evaluation of trained networks on the splits of their data, by their task and by the metrics of their spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.builder import Builder
from zoo.data.dataset import Dataset, of_classes
from zoo.data.device import DeviceSet
from zoo.data.sampler import validation_split
from zoo.errors import RunError
from zoo.evaluation.measure import evaluate_networks
from zoo.evaluation.metric import Evidence, Measurement, is_over_predictions, over_predictions
from zoo.evaluation.spread import over_seeds
from zoo.evaluation.trained import Trained
from zoo.spec.schema import Spec
from zoo.training.run import Run, environment, now
from zoo.training.task import GenerativeTask, Task

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Evaluation:
    """Figures by split, and what the metrics among them were measured with; `data` is the images' fingerprint.

    `class_images`: by split, how many images each class has; where an item has no single class, how many there are.
    """

    figures: dict[str, dict[str, Any]]
    measured: list[Measurement]
    data: str
    class_images: dict[str, list[int]]


def splits_of(trained: Trained, splits: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return `splits`; unless given train and test, and test alone for a task that makes images.

    Raises RunError when there are no images of a split.
    """
    if "validation" in (splits or ()) and not trained.spec.train.validation:
        raise RunError(f"{trained.source.label}: it held out no images (train.validation is 0); wanted train or test")
    return tuple(splits or (("test",) if isinstance(trained.task, GenerativeTask) else ("train", "test")))


def evaluate(trained: Trained, splits: Sequence[str], dataset: Dataset | None = None) -> Evaluation:
    """Return the figures on each of `splits`, every image once, without augmentation.

    dataset: the data, where they were loaded already. Raises DataError where they are not here or other ones.
    """
    spec = trained.spec
    dataset = dataset or trained.dataset()
    chosen: dict[str, Any] = {}
    if spec.train.validation:
        rows = validation_split(dataset.train.labels, spec.train.validation, spec.train.seed)
        chosen = dict(zip(("train", "validation"), rows, strict=True))
    figures: dict[str, dict[str, Any]] = {}
    measured: list[Measurement] = []
    metrics = over_predictions(spec, trained.builder)
    drawn = [one for one in spec.metrics if not is_over_predictions(one, trained.builder)]
    class_images: dict[str, list[int]] = {}
    for split in splits:
        images = dataset.test if split == "test" else dataset.train
        held = DeviceSet(images, trained.device, chosen.get(split))
        labels = images.labels if split not in chosen else images.labels[chosen[split]]
        single = trained.info.target == "class"
        class_images[split] = of_classes(labels, trained.info.classes) if single else [len(labels)]
        figures[split] = evaluate_networks(trained.task, trained.networks, held, trained.info, metrics)
        if drawn:
            evidence = Evidence(split, held.pixels(), trained.draw_first, trained.device, other_data=trained.other_data)
            found = [one for metric in drawn for one in trained.builder.bind(metric)(evidence)]
            figures[split] |= {name: value for one in found for name, value in one.figures().items()}
            measured += found
    return Evaluation(figures, measured, dataset.fingerprint, class_images)


def evaluate_run(
    run: Run,
    builder: Builder,
    splits: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
    *,
    other_data: bool = False,
) -> dict[str, Any]:
    """Return the figures of a run's newest checkpoint by split, and write them into the run.

    A look at the test images is counted there. What was measured before of the same checkpoint under the same spec
    stays beside it. other_data: measure on other data than it was trained on, too, of which nothing is written. Raises
    RunError when the run has no checkpoint or held out no images, and DataError for other data.

    Of a run of several seeds each is evaluated: `n`, `mean` and `std` by split, and under `seeds` each one's figures.
    """
    if parts := run.seeds():
        each = {
            seed: evaluate_run(one, builder, splits, overrides, other_data=other_data) for seed, one in parts.items()
        }
        return {**over_seeds(each), "seeds": {str(seed): figures for seed, figures in each.items()}}
    trained = Trained.load(run, builder, overrides, other_data=other_data)
    splits = splits_of(trained, splits)
    dataset = trained.dataset()
    if "test" in splits:
        run.looked("evaluate")
    found = evaluate(trained, splits, dataset)
    if trained.data and trained.data.differences(dataset):
        return found.figures
    record = {
        "name": trained.spec.name,
        "spec": measured_spec(trained.spec, trained.task),
        "checkpoint": trained.checkpoint.name,
        "checkpoint_sha256": trained.sha256,
        "step": trained.step,
        "data": found.data,
    }
    before = run.evaluation() or {}
    kept = before if all(before.get(key) == value for key, value in record.items()) else {}
    figures = {
        split: kept.get("figures", {}).get(split, {}) | found.figures.get(split, {})
        for split in SPLITS
        if split in found.figures or split in kept.get("figures", {})
    }
    measured = [one.to_data() for one in found.measured]
    names = {(one["split"], one["name"]) for one in measured if "split" in one}
    earlier = [one for one in kept.get("measurements", []) if (one.get("split"), one["name"]) not in names]
    run.write_evaluation(
        {**record, "measured": now(), **environment(), "figures": figures, "measurements": [*earlier, *measured]}
    )
    return found.figures


def measured_spec(spec: Spec, task: Task) -> dict[str, Any]:
    """Return the parts of a spec that figures depend on: not what is measured, nor on which device.

    Two evaluations whose parts are equal can stand side by side.
    """
    data = spec.to_data()
    ((name, options),) = data["task"].items()
    options = {key: value for key, value in options.items() if key not in task.reported}
    train = {key: data["train"][key] for key in ("seed", "validation")}
    return {"task": {name: options}, "data": data["data"], "networks": data["networks"], "train": train}
