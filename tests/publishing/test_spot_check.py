"""The fixed subset: the same whatever the order of the data, and telling one network from another."""

from __future__ import annotations

import numpy as np
import torch

from zoo.builder import Builder
from zoo.data.dataset import ImageSet
from zoo.evaluation.trained import Trained
from zoo.publishing.certificate import SpotCheck
from zoo.publishing.shelf import Entry
from zoo.publishing.spot_check import differences, spot_check, subset

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (40, 3, 4, 4), dtype=np.uint8)
LABELS = RANDOM.integers(0, 5, 40)


def test_the_subset_does_not_depend_on_the_order() -> None:
    chosen = subset(IMAGES, LABELS, 10, 0)
    order = RANDOM.permutation(40)
    again = subset(IMAGES[order], LABELS[order], 10, 0)
    assert np.array_equal(IMAGES[chosen], IMAGES[order][again])
    assert len(set(chosen.tolist())) == 10


def test_another_seed_is_another_subset_and_fewer_are_the_first() -> None:
    chosen = subset(IMAGES, LABELS, 10, 0)
    assert not np.array_equal(chosen, subset(IMAGES, LABELS, 10, 1))
    assert np.array_equal(chosen[:4], subset(IMAGES, LABELS, 4, 0))


def test_copies_of_an_image_are_in_the_order_of_their_labels() -> None:
    images = np.repeat(IMAGES[:1], 3, axis=0)
    assert subset(images, np.array([2, 0, 1]), 3, 0).tolist() == [1, 2, 0]


def test_a_spot_check_is_found_again(published: Entry, published_gan: Entry, builder: Builder) -> None:
    for entry in (published, published_gan):
        stated = entry.certificate.spot_check
        assert list(differences(stated, spot_check(Trained.load(entry, builder), like=stated))) == []


def test_it_is_that_of_the_images_given(published: Entry, builder: Builder) -> None:
    trained = Trained.load(published, builder)
    test = trained.dataset().test
    order = RANDOM.permutation(len(test.labels))
    stated = published.certificate.spot_check
    found = spot_check(trained, ImageSet(test.images[order], test.labels[order]), like=stated)
    assert found.figures["loss"] == stated.figures["loss"]


def test_another_network_is_told_apart(published: Entry, published_gan: Entry, builder: Builder) -> None:
    for entry, role in ((published, "classifier"), (published_gan, "generator")):
        stated, trained = entry.certificate.spot_check, Trained.load(entry, builder)
        random = torch.Generator().manual_seed(0)
        for parameter in trained.networks[role].parameters():
            torch.nn.init.normal_(parameter, std=2.0, generator=random)
        assert list(differences(stated, spot_check(trained, like=stated)))


def check_of(split: str, images: int, **figures: float | list[float]) -> SpotCheck:
    return SpotCheck(split=split, images=images, seed=0, figures=figures)


def test_two_images_may_be_told_otherwise_and_no_three() -> None:
    stated = check_of("test", 500, top1=0.5)
    assert list(differences(stated, check_of("test", 500, top1=0.504))) == []
    assert list(differences(stated, check_of("test", 500, top1=0.506))) == [
        "top1 is 0.5060; the certificate says 0.5000"
    ]


def test_a_loss_may_differ_by_a_thousandth_and_no_more() -> None:
    stated = check_of("test", 10, loss=2.0)
    assert list(differences(stated, check_of("test", 10, loss=2.001))) == []
    assert list(differences(stated, check_of("test", 10, loss=2.003)))


def test_what_earlier_versions_called_the_loss_is_that_of_training() -> None:
    found = check_of("test", 10, loss=1.7, loss_as_trained=2.2)
    assert list(differences(check_of("test", 10, loss=2.2), found)) == []
    assert list(differences(check_of("test", 10, loss=2.2, loss_as_trained=2.2), found))


def test_half_a_grey_may_differ_and_no_whole_one() -> None:
    stated = check_of("", 2, image_means=[10.0, 100.0])
    assert list(differences(stated, check_of("", 2, image_means=[10.4, 100.4]))) == []
    assert list(differences(stated, check_of("", 2, image_means=[10.0, 101.0]))) == [
        "image_means is 101.0000; the certificate says 100.0000"
    ]


def test_a_figure_that_is_missing_or_shorter_is_a_difference() -> None:
    stated = check_of("", 2, image_means=[10.0, 100.0])
    assert list(differences(stated, check_of("", 2))) == ["image_means was not found again"]
    assert list(differences(stated, check_of("", 1, image_means=[10.0]))) == [
        "image_means has 1 values; the certificate has 2"
    ]
