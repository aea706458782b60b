"""The metrics: features of generated and of real images, held against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from zoo.api import (
    DataError,
    Evidence,
    ExtractorOption,
    Field,
    Finding,
    GenerativeTask,
    Measurement,
    Setting,
    content_hash,
)
from zoo_features import distances
from zoo_features.extractors import Extractor, Inception, facts, features_of

if TYPE_CHECKING:
    from torch import Tensor

Samples = Annotated[int, Field(ge=2, le=10_000_000, description="Images that are generated.")]
Seeds = Annotated[int, Field(ge=1, le=1000, description="How often they are; from 2 on there is a deviation.")]


@dataclass(frozen=True, kw_only=True)
class FeatureMetric:
    """Base: `samples` generated images against all real ones of the split, for the seeds 0, 1, ..."""

    samples: Samples = 10_000
    seeds: Seeds = 1

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        if not isinstance(setting.task, GenerativeTask):
            task = setting.spec.task.name
            yield Finding(f"found a metric of images that a network makes; {task} makes none", "no metrics")

    def measured(
        self,
        evidence: Evidence,
        extractor: Extractor,
        compare: Callable[[Tensor, Tensor, int], Mapping[str, float]],
        **more: Any,
    ) -> Iterator[Measurement]:
        """Yield a measurement for each name that `compare` (real, generated, seed) returns."""
        extractor.admit(other_data=evidence.other_data)
        real = evidence.real
        reference = content_hash(real)
        real_features = features_of(extractor, real, reference, evidence.device)
        if len(real_features) != len(real):
            raise DataError(f"{extractor.name} gave {len(real_features)} features for {len(real)} real images")
        found: dict[str, list[float]] = {}
        for seed in range(self.seeds):
            images = evidence.generated(self.samples, seed)
            features = features_of(extractor, images, content_hash(images), evidence.device)
            for name, value in compare(real_features, features, seed).items():
                found.setdefault(name, []).append(value)
        stated = {
            **facts(extractor),
            "dimensions": real_features.shape[1],
            "split": evidence.split,
            "reference_sha256": reference,
            "reference_images": len(real),
            "generated_images": self.samples,
            "bits": 8,
            **more,
        }
        for name, values in found.items():
            yield Measurement(named(name, extractor), tuple(values), tuple(range(self.seeds)), stated)


def named(figure: str, extractor: Extractor) -> str:
    """Return the name that a figure of this extractor goes by: the field's, where it has one, or one with its label."""
    for ours, theirs in extractor.figures.items():
        if figure.startswith(ours):
            return figure.replace(ours, theirs)
    return figure if isinstance(extractor, Inception) else f"{figure}[{extractor.label}]"


@dataclass(frozen=True, kw_only=True)
class FrechetDistance(FeatureMetric):
    """The Frechet distance between normal distributions fitted to the features.

    Raises DataError with fewer images on a side than twice the features: covariances would be singular.
    """

    extractor: ExtractorOption

    def __call__(self, evidence: Evidence) -> list[Measurement]:
        return list(self.measured(evidence, self.extractor, self._compare))

    def _compare(self, real: Tensor, fake: Tensor, seed: int) -> dict[str, float]:
        _enough(real, fake)
        return {"frechet_distance": distances.frechet(distances.moments(real), distances.moments(fake))}


@dataclass(frozen=True, kw_only=True)
class KernelDistance(FeatureMetric):
    """The squared maximum mean discrepancy under a cubic kernel: the mean over random subsets, without bias."""

    extractor: ExtractorOption
    subsets: Annotated[int, Field(ge=1, le=100_000)] = 100
    subset_size: Annotated[int, Field(ge=2, le=1_000_000)] = 1000

    def __call__(self, evidence: Evidence) -> list[Measurement]:
        def compare(real: Tensor, fake: Tensor, seed: int) -> dict[str, float]:
            mean, std = distances.kernel_distance(real, fake, subsets=self.subsets, size=self.subset_size, seed=seed)
            return {"kernel_distance": mean} | ({} if std is None else {"kernel_distance_subset_std": std})

        more = {"subsets": self.subsets, "subset_size": self.subset_size}
        return list(self.measured(evidence, self.extractor, compare, **more))


@dataclass(frozen=True, kw_only=True)
class NeighbourhoodFigures(FeatureMetric):
    """Precision, recall, density and coverage: shares of images within each other's nearest neighbours."""

    extractor: ExtractorOption = "inception"
    nearest: Annotated[int, Field(ge=1, le=1000, description="Neighbours that make up a neighbourhood.")] = 5

    def __call__(self, evidence: Evidence) -> list[Measurement]:
        def compare(real: Tensor, fake: Tensor, seed: int) -> dict[str, float]:
            return distances.neighbourhood(real, fake, nearest=self.nearest)._asdict()

        return list(self.measured(evidence, self.extractor, compare, nearest=self.nearest))


@dataclass(frozen=True, kw_only=True)
class Fid(FeatureMetric):
    """The Frechet inception distance with clean-fid's resize; lower is better.

    Comparable with figures of the same number of generated images against the same reference alone.
    """

    weights: Annotated[str | None, Field(description="Path of the Inception weights; null: they are looked for.")] = (
        None
    )

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        yield from super().check(setting)
        least, test = 2 * Inception.dimensions, setting.info.test_images
        if self.samples < least:
            yield Finding(f"found {self.samples:,}", f"at least {least:,}, twice Inception's features", "samples")
        if test < least:
            found = f"found {test:,} test images, too few for the covariance of Inception's features"
            yield Finding(found, f"at least {least:,}; kid, or the split train", warning=True)

    def __call__(self, evidence: Evidence) -> list[Measurement]:
        metric = FrechetDistance(samples=self.samples, seeds=self.seeds, extractor=Inception(weights=self.weights))
        return metric(evidence)


@dataclass(frozen=True, kw_only=True)
class Kid(FeatureMetric):
    """The kernel inception distance with clean-fid's resize; lower is better."""

    weights: Annotated[str | None, Field(description="Path of the Inception weights; null: they are looked for.")] = (
        None
    )

    def __call__(self, evidence: Evidence) -> list[Measurement]:
        metric = KernelDistance(samples=self.samples, seeds=self.seeds, extractor=Inception(weights=self.weights))
        return metric(evidence)


def _enough(real: Tensor, fake: Tensor) -> None:
    for what, features in (("real", real), ("generated", fake)):
        count, dimensions = features.shape
        if count < 2 * dimensions:
            raise DataError(
                f"found {count:,} {what} images for features of {dimensions:,} values; their covariance would be "
                f"nonsense; wanted at least {2 * dimensions:,}, or kernel_distance, which needs fewer"
            )
