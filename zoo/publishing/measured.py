"""What the weights of an entry gave when they were measured on this machine, beside what its certificate says.

Kept in a folder beside the data sets, by the hashes of weights, data and spec and by the versions that computed, so
that it costs once. Nothing heavy is imported unless something is measured.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zoo
from zoo.builder import Builder
from zoo.data import store
from zoo.files import json_text, write_text
from zoo.publishing.certificate import Certificate

if TYPE_CHECKING:
    from zoo.evaluation.run import Evaluation
    from zoo.evaluation.trained import Trained
    from zoo.publishing.shelf import Entry

ROUND = 1  # counted up when figures are computed otherwise
HERE, NOT_HERE = "measured here", "not measured here"
#: What other arithmetic may change. Weights are measured in fp32 everywhere; the networks that ship gave the figures of
#: another CPU again to 1e-8. Coarser products (TF32 on a GPU) tip images whose two best classes are nearly equal: bf16,
#: the coarsest, moved the accuracy of those networks by 8 of 10,000 images and a loss by 0.0014. So an accuracy or a
#: loss may move by a thousandth, at least two images, and a thousandth of itself.
SHARE, FEW, RELATIVE = 1e-3, 2, 1e-3
#: A mean logit, which bf16 moved by 0.0135; and a distance between images that are rounded to 8 bits.
LOGIT, DRAWN, LEAST = 2e-2, 1e-2, 0.1
CLASS = 5e-2  # a class of 100 images moved by 4 under bf16
AGREE = 1e-6  # between the figures of classes and the whole, which are means of the same numbers
#: With what a figure of generated images has to be measured again to be comparable.
ALIKE = ("seeds", "generated_images", "reference_images", "reference_sha256", "extractor_sha256", "resize")
_RECENT: dict[Path, dict[str, Any]] = {}  # what this process measured, where the folder cannot be written


@dataclass(frozen=True)
class Here:
    """Figures by split as they were measured here, and in what the certificate differs, a sentence each."""

    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def says(self, split: str, name: str) -> str:
        """Return whether a figure was measured here."""
        return HERE if name in self.figures.get(split, {}) else NOT_HERE


def recall(certificate: Certificate) -> Here:
    """Return what was measured here of an entry; nothing where nothing was, or its weights, data or spec are others."""
    found = _read(certificate)
    figures: dict[str, dict[str, float]] = found.get("figures", {})
    return Here(figures, tuple(_problems(certificate, found)) if found else ())


def keep(entry: Entry, trained: Trained, evaluation: Evaluation) -> None:
    """Keep what was measured of an entry, where it is what its certificate speaks of: these data, this spec.

    A folder that cannot be written costs time later, not the figure.
    """
    from zoo.evaluation.run import measured_spec

    certificate = entry.certificate
    plain = measured_spec(entry.spec(trained.builder.registry), trained.task)
    if evaluation.data != certificate.data.fingerprint or measured_spec(trained.spec, trained.task) != plain:
        return
    before = _read(certificate)
    figures: dict[str, dict[str, Any]] = before.get("figures", {})
    drawn = {name for one in evaluation.measured for name in one.figures()}
    for split, found in evaluation.figures.items():
        kept = {name: value for name, value in found.items() if isinstance(value, float) and name not in drawn}
        figures[split] = figures.get(split, {}) | kept
    for one in evaluation.measured:
        split = str(one.facts.get("split", ""))
        stated = _stated(certificate, split, one.name)
        facts = {**one.facts, "seeds": list(one.seeds)}
        if stated is not None and all(stated.get(key) == facts.get(key) for key in ALIKE):
            figures.setdefault(split, {})[one.name] = one.mean
    classes = before.get("classes") or {}
    if evaluation.figures.get("test", {}).get("per_class"):
        classes = {"top1": evaluation.figures["test"]["per_class"], "images": evaluation.class_images["test"]}
    images = before.get("images", {}) | {split: sum(counts) for split, counts in evaluation.class_images.items()}
    _write(certificate, {"figures": figures, "classes": classes, "images": images})


def measure(entry: Entry, builder: Builder) -> Here:
    """Measure an entry's weights on the test images, keep what was found, and return it; what is known is not repeated.

    Figures of generated images are measured again with what the certificate says. Raises DataError where the data are
    not here, and what loading raises.
    """
    from zoo.evaluation.metric import is_over_predictions
    from zoo.evaluation.run import evaluate
    from zoo.evaluation.trained import Trained

    certificate = entry.certificate
    known = recall(certificate)
    if all(known.says("test", name) == HERE for name in certificate.figures.get("test", {})):
        return known
    own = [one.data() for one in entry.spec(builder.registry).metrics if is_over_predictions(one, builder)]
    metrics = [*own, *_metrics(certificate, builder)]
    trained = Trained.load(entry, builder, [f"metrics={json.dumps(metrics)}"])
    keep(entry, trained, evaluate(trained, ("test",)))
    return recall(certificate)


def differences(
    certificate: Certificate, figures: Mapping[str, Mapping[str, Any]], images: Mapping[str, int]
) -> Iterator[str]:
    """Yield, a sentence each, where figures by split differ from those of the weights that ship by more than arithmetic
    explains. images: by split, on how many they were measured.
    """
    seed = str(certificate.shipped_seed)
    for split, stated in certificate.figures.items():
        for name, figure in stated.items():
            found, value = figures.get(split, {}).get(name), figure.values.get(seed)
            if found is None or value is None:
                continue
            if not abs(found - value) <= _allowed(certificate, split, name, value, images.get(split, 0)):
                yield f"{split} {name} is {found:.4f} here; the certificate says {value:.4f}"


def _allowed(certificate: Certificate, split: str, name: str, value: float, images: int) -> float:
    """Return by how much a figure may differ."""
    if _stated(certificate, split, name) is not None:
        return DRAWN * max(LEAST, abs(value))
    if certificate.figure(split, "top1") is None:
        return LOGIT * (1 + abs(value))
    return max(SHARE, FEW / max(1, images)) + RELATIVE * abs(value)


def _problems(certificate: Certificate, found: Mapping[str, Any]) -> Iterator[str]:
    yield from differences(certificate, found["figures"], found["images"])
    classes, top1 = found["classes"], certificate.figure("test", "top1")
    if not classes or not certificate.per_class or top1 is None:
        return
    counts = dict(zip(certificate.data.classes, classes["images"], strict=True))
    whole = sum(share * counts.get(name, 0) for name, share in certificate.per_class.items()) / sum(counts.values())
    if abs(whole - top1.mean) > AGREE:
        yield f"its classes are right in {whole:.4f} of the test images together; as a whole it says {top1.mean:.4f}"
    if len(certificate.seeds) > 1:
        return  # those are means over trainings whose weights are not here
    for name, one, count in zip(certificate.data.classes, classes["top1"], classes["images"], strict=True):
        stated = certificate.per_class.get(name)
        if one is not None and (stated is None or abs(stated - one) > max(CLASS, FEW / max(1, count))):
            yield f"class {name} is right in {one:.4f} here; the certificate says {stated}"


def _stated(certificate: Certificate, split: str, name: str) -> Mapping[str, Any] | None:
    """Return the measurement of a figure of generated images by the weights that ship."""
    for one in certificate.measurements:
        if (one.get("split"), one.get("name"), one.get("trained_with_seed")) == (split, name, certificate.shipped_seed):
            return one
    return None


def _metrics(certificate: Certificate, builder: Builder) -> Iterator[dict[str, Any]]:
    """Yield the metrics, as a spec writes them, that measure an entry's figures of generated images again.

    A figure is called by its metric, with its extractor in brackets.
    """
    for one in certificate.measurements:
        component = builder.registry.find(("metric",), str(one.get("name")).partition("[")[0])
        if component is None or one.get("trained_with_seed") != certificate.shipped_seed:
            continue
        known = builder.resolver.options(component).by_name
        facts = {**one, "samples": one.get("generated_images"), "seeds": len(one.get("seeds", ()))}
        kind, _, name = str(one.get("extractor")).partition(":")
        facts["extractor"] = {kind: name} if name else kind
        yield {component.name: {key: facts[key] for key in known if facts.get(key) is not None}}


def _key(certificate: Certificate) -> Path:
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = "missing"
    parts = (certificate.weights.sha256, certificate.data.fingerprint, certificate.spec_hash)
    text = " ".join((*parts, zoo.__version__, torch, str(ROUND)))
    return store.data_folder() / "measured" / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def _read(certificate: Certificate) -> dict[str, Any]:
    try:
        found = json.loads(_key(certificate).read_text(encoding="utf-8"))
        figures, classes = found["figures"], found["classes"]
        sound = all(math.isfinite(value) for split in figures.values() for value in split.values())
        sound &= all(isinstance(count, int) for count in found["images"].values())
        sound &= not classes or len(classes["top1"]) == len(classes["images"]) == len(certificate.data.classes)
    except OSError:
        return _RECENT.get(_key(certificate), {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # what is damaged is measured again
    return found if sound else {}


def _write(certificate: Certificate, found: dict[str, Any]) -> None:
    _RECENT[_key(certificate)] = found
    with contextlib.suppress(OSError):
        write_text(_key(certificate), json_text(found) + "\n")
