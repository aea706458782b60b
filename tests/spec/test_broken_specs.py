"""Broken specs: each gives exactly its message, with place, finding, wish and hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

import zoo
from zoo.errors import ZooError
from zoo.registry import Registry

GOOD = """\
zoo: 1
name: good
summary: A spec that works.
task: classify
data: shapes
augment:
  - horizontal_flip
  - color_jitter: {brightness: 0.1, hue: 0.05}
networks:
  classifier:
    architecture:
      resnet: {stem: 16, widths: [16, 32], depths: [1, 1], activation: silu}
    optimizer:
      adam: {lr: 0.002}
    schedule: cosine
train: {steps: 100, batch_size: 64}
budget: {parameters: 100000, steps: 1000}
"""
CASES = YAML(typ="safe").load(Path(__file__).with_name("broken_specs.yaml"))


def test_the_good_spec_is_good(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    assert zoo.check(path, registry=registry).kept


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_broken_spec_says_what_is_wrong(
    case: dict[str, str], registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert GOOD.count(case["replace"]) == 1
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_text(GOOD.replace(case["replace"], case["by"]))
    with pytest.raises(ZooError) as caught:
        zoo.check("broken.yaml", registry=registry)
    assert str(caught.value) == case["message"]
