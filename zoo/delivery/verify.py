"""A file against the network that it was made of: the same answers, and how many of the test images it gets right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from zoo.data.dataset import ImageSet
from zoo.delivery.program import Program
from zoo.errors import DeliveryError

Run = Callable[[Mapping[str, Tensor]], np.ndarray]
BATCHES = (1, 7)  # that a file is tried with; one is none that it was traced with
PART = 250  # images at once where all are measured
#: By how much a file may differ: floats by a share of the largest value, since other libraries add in another order;
#: pixels by one level where the value lay between two.
RELATIVE, LEVEL = 1e-4, 1
#: What int8 may cost, as a share of the test images. More means that something went wrong, not that 8 bits are few.
MOST_LOST = 0.05
SAME = 0.75  # of the images on which an int8 file must name the same class, where it cannot be measured


def agreement(run: Run, program: Program, images: np.ndarray | None) -> dict[str, Any]:
    """Return how far a file lies from eager at two batch sizes; `images`: real ones, else they are drawn.

    Raises DeliveryError when it lies too far, or does not run.
    """
    largest, scale = 0.0, 0.0
    for count in BATCHES:
        given = program.examples(count) if images is None else program.of_images(images[:count])
        expected, found = program.run(given), _run(run, program, given)
        if found.shape != expected.shape or found.dtype != expected.dtype:
            raise _differs(program, f"it gives {found.dtype} {found.shape}; wanted {expected.dtype} {expected.shape}")
        difference = np.abs(found.astype(np.float64) - expected.astype(np.float64))
        largest = max(largest, float(np.nan_to_num(difference, nan=np.inf).max()))
        scale = max(scale, float(np.abs(expected.astype(np.float64)).max()))
    allowed = LEVEL if expected.dtype == np.uint8 else RELATIVE * scale
    if not largest <= allowed:
        raise _differs(program, f"it differs by {largest:.3g} from what Zoo computes; {allowed:.3g} is allowed")
    what = "test images" if images is not None else "drawn images" if program.classifies else "drawn latents"
    return {"on": what, "batches": list(BATCHES), "difference": largest, "allowed": allowed}


def accuracy(run: Run, program: Program, images: ImageSet, expected: np.ndarray) -> dict[str, Any]:
    """Return how many of the images a file gets right, and Zoo itself, and how often both name the same class.

    expected: the classes that Zoo names, as `classes` gives them.
    """
    found = classes(partial(_run, run, program), program, images)
    right, before = (float((named == images.labels).mean()) for named in (found, expected))
    same = float((found == expected).mean())
    return {"images": len(images.labels), "top1": right, "top1_eager": before, "same_class": same}


def classes(run: Run, program: Program, images: ImageSet) -> np.ndarray:
    """Return the class that `run` names for each of the images: (N,)."""
    parts = range(0, len(images.labels), PART)
    given = (program.of_images(np.array(images.images[start : start + PART])) for start in parts)
    return np.concatenate([run(one).argmax(1) for one in given])


def require_close(program: Program, run: Run, measured: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return on how many drawn images an int8 file names the class that Zoo names.

    Raises DeliveryError when it lost more of its accuracy than 8 bits explain.
    """
    given = program.examples(64)
    found, expected = _run(run, program, given), program.run(given)
    same = float((found.argmax(1) == expected.argmax(1)).mean())
    difference = float(np.abs(found - expected).max())
    if measured is not None and measured["top1_eager"] - measured["top1"] > MOST_LOST:
        was, now = measured["top1_eager"], measured["top1"]
        raise _differs(program, f"in int8 it gets {now:.2%} right, in float {was:.2%}; {MOST_LOST:.0%} less is allowed")
    if measured is None and same < SAME:
        raise _differs(program, f"in int8 it names the same class for {same:.0%} of 64 images; wanted {SAME:.0%}")
    return {"on": "drawn images", "batches": [64], "difference": difference, "same_class": same}


def _run(run: Run, program: Program, given: Mapping[str, Tensor]) -> np.ndarray:
    try:
        return run(given)
    except Exception as error:  # whatever the runtime raises, the file does not run
        count = len(next(iter(given.values())))
        raise _differs(program, f"it does not run with a batch of {count}: {error}") from error


def _differs(program: Program, what: str) -> DeliveryError:
    return DeliveryError(f"{program.trained.source.label}: the file was not kept: {what}")
