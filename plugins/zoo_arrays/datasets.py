"""Data sets of arrays: brought in from files, drawn, and made of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from zoo.api import (
    DataInfo,
    Dataset,
    DatasetOption,
    DataSource,
    Field,
    Finding,
    ImageSet,
    Setting,
    derive_seed,
    make_dataset,
    store,
)

FEATURES = 10
DIGITS = 1e4  # targets are kept to four digits, in which no machine's sine differs


@dataclass(frozen=True, kw_only=True)
class Arrays(store.Stored):
    """Tables and arrays that were brought in with `zoo data add NAME --from FILE`."""


@dataclass(frozen=True, kw_only=True)
class Friedman(DataSource):
    """Ten numbers, evenly drawn from 0 to 1, and 10 sin(pi a b) + 20 (c - 0.5)^2 + 10 d + 5 e of the first five.

    The rest say nothing. Normal noise is added to the target, whose variance without it is 23.8.

    Source: Friedman 1991, Multivariate Adaptive Regression Splines, section 4.3.
    """

    terms = "Drawn by Zoo; free for any use."

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    noise: Annotated[float, Field(ge=0, le=1e3, description="Deviation of what is added to the target.")] = 1.0
    train_items: Annotated[int, Field(ge=2, le=10_000_000)] = 4_000
    test_items: Annotated[int, Field(ge=1, le=10_000_000)] = 1_000

    def info(self) -> DataInfo:
        return DataInfo(
            image=(FEATURES,),
            classes=0,
            train_images=self.train_items,
            test_images=self.test_items,
            # Of the distribution, so that nothing has to be drawn to know them.
            mean=(0.5,) * FEATURES,
            std=(12**-0.5,) * FEATURES,
            values="numbers",
            features=tuple(f"x{index + 1}" for index in range(FEATURES)),
            target="numbers",
            target_shape=(1,),
            target_mean=(14.413332,),
            target_std=((23.8 + self.noise**2) ** 0.5,),
        )

    def load(self) -> Dataset:
        parts = (self._drawn(self.train_items, "train"), self._drawn(self.test_items, "test"))
        made = make_dataset(*parts, ("y",), source="drawn", target="numbers")
        return replace(made, info=self.info())

    def _drawn(self, count: int, purpose: str) -> ImageSet:
        import numpy as np

        random = np.random.Generator(np.random.PCG64(derive_seed(self.seed, purpose)))
        items = random.random((count, FEATURES), dtype=np.float32)
        a, b, c, d, e = items[:, :5].T.astype(np.float64)
        found = 10 * np.sin(np.pi * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e
        found += self.noise * random.standard_normal(count)
        return ImageSet(items, (np.rint(found * DIGITS) / DIGITS).astype(np.float32)[:, None])


@dataclass(frozen=True, kw_only=True)
class WithSuperclasses(DataSource):
    """Another data set in whose items two classes are there at once: their class, and its superclass."""

    of: Annotated[DatasetOption, Field(description="A data set whose classes form groups.")] = "cifar100"

    @property
    def terms(self) -> str:  # type: ignore[override]
        return str(self.of.terms)

    def info(self) -> DataInfo:
        info: DataInfo = self.of.info()
        groups = max(info.superclass_of, default=-1) + 1
        return replace(info, classes=info.classes + groups, superclass_of=(), target="classes")

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        info = self.of.info()
        if info.target != "class" or not info.superclass_of:
            yield Finding("found data whose classes form no groups", "such as cifar100 or shapes", "of")

    def load(self) -> Dataset:
        whole: Dataset = self.of.load()
        names = (*whole.class_names, *whole.superclasses)
        train, test = (self._both(part, whole.info) for part in (whole.train, whole.test))
        made = make_dataset(train, test, names, source=whole.source, target="classes")
        return replace(made, info=self.info())

    def _both(self, part: ImageSet, info: DataInfo) -> ImageSet:
        import numpy as np

        labels = np.zeros((len(part.labels), self.info().classes), dtype=bool)
        rows = np.arange(len(labels))
        labels[rows, part.labels] = True
        labels[rows, info.classes + np.array(info.superclass_of)[part.labels]] = True
        return ImageSet(part.images, labels)
