"""The data sets that a spec can name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from zoo.api import (
    DataError,
    DataInfo,
    Dataset,
    DataSource,
    Field,
    Finding,
    ImageSet,
    Setting,
    derive_seed,
    make_dataset,
    store,
)
from zoo_images.superclasses import CIFAR100_SUPERCLASSES

CIFAR_TERMS = (
    "The CIFAR sets (Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images) come without a licence; "
    "their authors offer them for download and ask to be cited. They are labelled parts of 80 Million Tiny Images: "
    "photographs from the web, whose rights stay with their owners, and which were withdrawn in 2020 because of "
    "derogatory labels and offensive images. Research and teaching are their usual use; whoever intends another has to "
    "judge it."
)


def _groups(class_names: tuple[str, ...], superclasses: dict[str, tuple[str, ...]]) -> tuple[int, ...]:
    group_of = {name: index for index, group in enumerate(superclasses.values()) for name in group}
    return tuple(group_of[name] for name in class_names)


class Archive(DataSource):
    """A public data set of fixed content that is kept in the store under its own name."""

    public = True
    name: ClassVar[str]
    torchvision: ClassVar[str]
    known: ClassVar[DataInfo]
    class_names: ClassVar[tuple[str, ...]]  # in the order of the official labels, which is that of the alphabet
    superclasses: ClassVar[dict[str, tuple[str, ...]]] = {}

    def info(self) -> DataInfo:
        return self.known

    def fingerprint(self) -> str | None:
        return store.read_facts(self.name)["fingerprint"] if self.name in store.stored() else None

    def load(self) -> Dataset:
        if self.name not in store.stored():
            raise DataError(
                f"{self.name} is not on this machine; run `zoo data add {self.name}`, which downloads the official "
                f"archive, or `zoo data add {self.name} --from PATH` with a folder or zip of "
                "train/<class>/* and test/<class>/*"
            )
        dataset = store.load(self.name)
        self.require(dataset)
        return dataset

    def require(self, dataset: Dataset) -> None:
        """Raise DataError unless `dataset` has the shape, counts and classes of this data set."""
        for what in ("image", "classes", "train_images", "test_images"):
            found, wanted = getattr(dataset.info, what), getattr(self.known, what)
            if found != wanted:
                raise DataError(f"this is not {self.name}: it has {what} {found}; wanted {wanted}")
        for found, wanted in zip(dataset.class_names, self.class_names, strict=True):
            if found != wanted:
                raise DataError(f"this is not {self.name}: it has the class {found!r} in the place of {wanted!r}")

    def finish(self, dataset: Dataset) -> Dataset:
        """Return an imported set with its superclasses. Raises DataError when it is another set."""
        self.require(dataset)
        info = replace(dataset.info, superclass_of=self.known.superclass_of)
        return replace(dataset, info=info, superclasses=tuple(self.superclasses))

    def download(self) -> Dataset:
        """Download the official archive by torchvision's own class and return the set. Raises DataError."""
        import torchvision

        fetch = getattr(torchvision.datasets, self.torchvision)
        with tempfile.TemporaryDirectory() as folder:
            try:
                train, test = (fetch(folder, train=split, download=True) for split in (True, False))
            except Exception as error:  # the network, the archive or the disk; torchvision has no class for these
                raise DataError(
                    f"{self.name} cannot be downloaded ({error}); bring it in from a folder or zip with "
                    f"`zoo data add {self.name} --from PATH`"
                ) from error
        names = tuple(train.classes)
        return self.finish(make_dataset(_image_set(train), _image_set(test), names, source=fetch.url))


@dataclass(frozen=True, kw_only=True)
class CIFAR100(Archive):
    """CIFAR-100: 500 training and 100 test images in each of 100 classes, which form 20 superclasses."""

    terms = CIFAR_TERMS
    name = "cifar100"
    torchvision = "CIFAR100"
    class_names = tuple(sorted(name for group in CIFAR100_SUPERCLASSES.values() for name in group))
    superclasses = CIFAR100_SUPERCLASSES
    known = DataInfo(
        image=(3, 32, 32),
        classes=100,
        train_images=50_000,
        test_images=10_000,
        mean=(0.507075, 0.486549, 0.440918),
        std=(0.267334, 0.256438, 0.276150),
        superclass_of=_groups(class_names, superclasses),
    )


@dataclass(frozen=True, kw_only=True)
class CIFAR10(Archive):
    """CIFAR-10: 5,000 training and 1,000 test images in each of 10 classes."""

    terms = CIFAR_TERMS
    name = "cifar10"
    torchvision = "CIFAR10"
    class_names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    known = DataInfo(
        image=(3, 32, 32),
        classes=10,
        train_images=50_000,
        test_images=10_000,
        mean=(0.491400, 0.482159, 0.446531),
        std=(0.247032, 0.243485, 0.261588),
    )


@dataclass(frozen=True, kw_only=True)
class Images(store.Stored):
    """Images that were brought in with `zoo data add NAME --from PATH`."""


@dataclass(frozen=True, kw_only=True)
class Shapes(DataSource):
    """Drawn images in 100 classes, 10 shapes in 10 colourings; the same bytes for the same options everywhere."""

    terms = "Drawn by Zoo; free for any use."

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    train_images: Annotated[int, Field(ge=100, le=1_000_000)] = 20_000
    test_images: Annotated[int, Field(ge=100, le=1_000_000)] = 4_000

    def info(self) -> DataInfo:
        return DataInfo(
            image=(3, 32, 32),
            classes=100,
            train_images=self.train_images,
            test_images=self.test_images,
            # Of the training images that the default options draw; a test holds them against those.
            mean=(0.350497, 0.352080, 0.341187),
            std=(0.195701, 0.190023, 0.186772),
            superclass_of=tuple(index // 10 for index in range(100)),
        )

    def load(self) -> Dataset:
        from zoo_images.shapes import COLOURINGS, SHAPES, draw

        train = ImageSet(*draw(self.train_images, self.seed, "train"))
        test = ImageSet(*draw(self.test_images, self.seed, "test"))
        names = tuple(f"{shape}_{colouring}" for shape in SHAPES for colouring in COLOURINGS)
        made = make_dataset(train, test, names, source="drawn")
        return replace(made, info=self.info(), superclasses=tuple(SHAPES))


@dataclass(frozen=True, kw_only=True)
class Noise(DataSource):
    """Random pixels with random labels, in any shape: to check and to time networks for data that are not here."""

    terms = "Drawn by Zoo; free for any use."

    image: Annotated[
        list[Annotated[int, Field(ge=1, le=2**20)]],
        Field(
            min_length=1,
            max_length=4,
            description="[channels, height, width]; also [features], [channels, length] or four numbers of a volume.",
        ),
    ]
    tokens: Annotated[
        int,
        Field(ge=0, le=2**31, description="Items are whole numbers below this instead, `image` of them; 0: pixels."),
    ] = 0
    classes: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    train_images: Annotated[int, Field(ge=1, le=10_000_000)] = 1000
    test_images: Annotated[int, Field(ge=1, le=10_000_000)] = 100

    def info(self) -> DataInfo:
        channels = 0 if self.tokens else self.image[0]
        return DataInfo(
            image=tuple(self.image),
            classes=self.classes,
            train_images=self.train_images,
            test_images=self.test_images,
            mean=(0.5,) * channels,
            std=(12**-0.5,) * channels,
            tokens=self.tokens,
        )

    def check(self, setting: Setting, /) -> Iterator[Finding]:
        if self.tokens and len(self.image) != 1:
            yield Finding(f"found tokens in the shape {tuple(self.image)}", "a sequence of them: [length]", "image")

    def load(self) -> Dataset:
        import numpy as np

        def part(count: int, purpose: str) -> ImageSet:
            random = np.random.Generator(np.random.PCG64(derive_seed(0, purpose)))
            top, kind = (self.tokens, np.int64) if self.tokens else (256, np.uint8)
            images = random.integers(0, top, (count, *self.image), dtype=kind)
            return ImageSet(images, random.integers(0, self.classes, count))

        names = tuple(f"class_{index}" for index in range(self.classes))
        parts = (part(self.train_images, "train"), part(self.test_images, "test"))
        return replace(make_dataset(*parts, names, source="drawn", tokens=self.tokens), info=self.info())


def _image_set(part: Any) -> ImageSet:
    """Return the images of one of torchvision's data sets, whose `data` is (N, H, W, C) uint8."""
    import numpy as np

    images = np.ascontiguousarray(part.data.transpose(0, 3, 1, 2))
    return ImageSet(images, np.array(part.targets, dtype=np.int64))
