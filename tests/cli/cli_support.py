"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

TINY = """\
zoo: 1
name: tiny
task: classify
data: {shapes: {train_images: 200, test_images: 100}}
networks:
  classifier:
    architecture: {resnet: {stem: 4, widths: [4, 8], depths: [1, 1]}}
train: {steps: 6, batch_size: 16, device: cpu, precision: fp32, log_every: 2, validation: 100, evaluate_every: 3}
budget: {parameters: 10000, steps: 100}
"""


class Outcome(NamedTuple):
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str


Zoo = Callable[..., Outcome]


def write_distribution(site: Path, name: str, version: str, points: dict[str, str]) -> None:
    """Install a distribution with entry points in the group `zoo` into the folder `site`."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"{point} = {module}\n" for point, module in points.items()]
    (folder / "entry_points.txt").write_text("[zoo]\n" + "".join(lines))
