"""A notebook as somebody would write it, executed: own components, shown objects, progress in the cell."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

for package in ("nbclient", "nbformat", "ipykernel"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (the extra `notebook`)", allow_module_level=True)

CELLS = [
    """
import zoo
from torch import nn

@zoo.register("architecture")
class Plain(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(48, width), nn.ReLU(), nn.Linear(width, 5))

    def forward(self, images):
        return self.net(images)

spec = {
    "zoo": 1, "name": "cell", "task": "classify",
    "data": {"noise": {"image": [3, 4, 4], "classes": 5, "train_images": 16, "test_images": 8}},
    "networks": {"classifier": {"architecture": {"plain": {"width": 6}}}},
    "train": {"steps": 3, "batch_size": 4, "device": "cpu", "precision": "fp32", "log_every": 1},
}
""",
    "zoo.check(spec)",
    "zoo.check({**spec, 'networks': {'classifier': {'architecture': Plain}}}).networks['classifier']",
    "run = zoo.train(spec, run='run')",
    "run",
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    import nbformat
    from nbclient import NotebookClient

    folder = tmp_path_factory.mktemp("notebook")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    before = dict(os.environ)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "plugins")])
    try:
        NotebookClient(book, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert (Path(folder) / "run" / "result.json").exists()
    return [cell.outputs for cell in book.cells]


def test_a_report_is_a_table(executed: list[Any]) -> None:
    ((output,),) = executed[1:2]
    assert "<table>" in output.data["text/html"]
    assert output.data["text/plain"].startswith("<Report of cell: ")


def test_a_network_is_a_table_of_layers(executed: list[Any]) -> None:
    ((output,),) = executed[2:3]
    assert "<th>layer</th>" in output.data["text/html"]


def test_progress_is_one_output_that_ends_at_the_last_step(executed: list[Any]) -> None:
    (output,) = [one for one in executed[3] if one.output_type == "display_data"]
    assert "step 3 of 3" in output.data["text/html"]
    assert "loss" in output.data["text/html"]


def test_a_run_says_what_came_out(executed: list[Any]) -> None:
    ((output,),) = executed[4:5]
    assert "finished after 3 steps" in output.data["text/html"]
    assert "top1" in output.data["text/html"]
