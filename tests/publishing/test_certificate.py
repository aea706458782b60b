"""What a certificate says is read strictly, and what does not hold is said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from publishing_support import change, edit, rewrite

from zoo.builder import Builder
from zoo.errors import ShelfError
from zoo.publishing.certificate import Certificate, Figure, verify
from zoo.publishing.shelf import Entry


def test_a_certificate_is_read_as_it_was_written(published: Entry, tmp_path: Path) -> None:
    certificate = Certificate.read(published.folder)
    certificate.write(tmp_path)
    assert Certificate.read(tmp_path) == certificate
    assert (tmp_path / "certificate.json").read_bytes() == (published.folder / "certificate.json").read_bytes()


def test_figures_of_one_value_have_no_deviation() -> None:
    assert Figure.of({"3": 0.5}) == Figure(mean=0.5, std=None, n=1, values={"3": 0.5})
    assert Figure.of({"0": 1.0, "1": 3.0}) == Figure(mean=2.0, std=2**0.5, n=2, values={"0": 1.0, "1": 3.0})


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("format", 2, "found format 2; this version of Zoo reads 1"),
        ("seeds", "0", "seeds: found '0', which cannot stand there"),
        ("weights.sha256", "abc", "weights.sha256: found 'abc', which cannot stand there"),
        ("figures.test.top1.mean", "high", "figures.test.top1.mean: found 'high', which cannot stand there"),
        ("spot_check.images", -1, "spot_check.images: found -1, which cannot stand there"),
        ("praise", "great", "praise: found 'great', which cannot stand there"),
    ],
)
def test_a_certificate_of_another_form_is_refused(where: str, value: Any, message: str, published: Entry) -> None:
    change(published.folder, where, value)
    with pytest.raises(ShelfError, match=rf"certificate\.json: {re.escape(message)}"):
        Certificate.read(published.folder)


def test_a_missing_field_is_named(published: Entry) -> None:
    path = published.folder / "certificate.json"
    data = json.loads(path.read_text())
    del data["seeds"]
    path.write_text(json.dumps(data))
    with pytest.raises(ShelfError, match="seeds: found nothing, which cannot stand there"):
        Certificate.read(published.folder)


def test_what_is_no_json_is_refused(published: Entry, builder: Builder) -> None:
    (published.folder / "certificate.json").write_text("{")
    (problem,) = verify(published.folder, builder)
    assert "certificate.json: it cannot be read" in problem


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("parameters.total", 5, r"parameters \(total\): the spec has [\d]+; the certificate says 5"),
        ("parameters.helper", 5, r"parameters \(helper\): the spec has none; the certificate says 5"),
        ("macs.classifier", 5, r"macs \(classifier\): the spec has \d+; the certificate says 5"),
        ("steps", 5, "the spec trains 6 steps; the certificate says 5"),
        ("updates.classifier", 60, "classifier was updated 60 times; the budget counts 6"),
        ("budget.0.figure", 5, "the limits are not those of the spec, or their figures are others"),
        ("budget.0.kept", False, r"the limit parameters \(<10000\) is broken with \d"),
        ("spec_hash", "0" * 64, r"the spec has the hash \w{8}; the certificate says 00000000"),
        ("figures.test.top1.mean", 0.99, "test top1: mean, deviation and n are not those of its values"),
        ("figures.test.top1.std", None, "test top1: mean, deviation and n are not those of its values"),
        ("figures.test.top1.n", 30, "test top1: mean, deviation and n are not those of its values"),
        ("figures.test.top1.values", {"9": 0.99}, "test top1: its values are of the seeds 9"),
        ("shipped_seed", 7, r"the weights of seed 7 ship, which is none of the seeds \[0, 1, 2\]"),
        ("test_looks", {}, "the looks at the test images are not counted for each seed"),
        (
            "weights.file",
            "others.safetensors",
            "the certificate speaks of the weights 'others.safetensors'; those of an entry are loaded from weights",
        ),
    ],
)
def test_a_wrong_statement_is_found(where: str, value: Any, message: str, published: Entry, builder: Builder) -> None:
    change(published.folder, where, value)
    assert any(
        re.fullmatch(message, problem) or re.match(message, problem) for problem in verify(published.folder, builder)
    )


def test_a_changed_byte_of_the_weights_is_found(published: Entry, builder: Builder) -> None:
    path = published.folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (problem,) = verify(published.folder, builder)
    assert re.match(r"weights\.safetensors has the SHA-256 \w{8}\.\.\.; the certificate says \w{8}", problem)


def test_weights_that_were_cut_off_are_found(published: Entry, builder: Builder) -> None:
    path = published.folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    (problem,) = verify(published.folder, builder)
    assert re.match(r"weights\.safetensors has [\d,]+ bytes; the certificate says [\d,]+", problem)


def test_a_changed_spec_is_found_with_its_count(published: Entry, builder: Builder) -> None:
    edit(published.spec_path, "widths: [4, 8]", "widths: [4, 6]")
    problems = verify(published.folder, builder)
    assert any("the spec has the hash" in problem for problem in problems)
    assert any("parameters (total)" in problem for problem in problems)


def test_a_spec_that_cannot_work_is_found(published: Entry, builder: Builder) -> None:
    edit(published.spec_path, "widths: [4, 8]", "widths: []")
    assert any("the spec cannot be checked" in problem for problem in verify(published.folder, builder))


def test_weights_of_another_size_are_found_though_their_hash_is_right(published: Entry, builder: Builder) -> None:
    path = published.folder / "weights.safetensors"
    rewrite(path, tensors=lambda name, one: one.repeat(2) if name.endswith("bias") else one)
    from zoo.publishing.certificate import sha256_of

    change(published.folder, "weights.sha256", sha256_of(path))
    change(published.folder, "weights.bytes", path.stat().st_size)
    (problem,) = verify(published.folder, builder)
    assert re.match(r"weights\.safetensors holds [\d,]+ values of classifier; its parameters and buffers are", problem)


def test_verifying_loads_no_torch(published: Entry) -> None:
    import subprocess
    import sys

    from support import ROOT

    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
from pathlib import Path
from support import builtin_registry
from zoo.builder import Builder
from zoo.publishing.certificate import verify
assert verify(Path("shelf/tiny"), Builder(builtin_registry())) == []
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
