"""`zoo` on a table: brought in, shown, trained on, predicted from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_support import Zoo

SPEC = """\
zoo: 1
name: tiny-prices
task: regress
data: {arrays: prices}
networks:
  regressor:
    architecture: {layers: [{linear: 8}, silu, {linear: 1}]}
train: {steps: 4, batch_size: 8, device: cpu, precision: fp32}
"""


@pytest.fixture
def table(here: Path) -> Path:
    lines = [
        "rooms,area,city,price",
        *(f"{i % 5},{i * 1.5},{'oslo' if i % 2 else 'rome'},{i + 0.25}" for i in range(40)),
    ]
    path = here / "prices.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_is_brought_in_trained_on_and_predicted_from(zoo_command: Zoo, table: Path, here: Path) -> None:
    refused = zoo_command("data", "add", "prices", "--from", table, "--target", "price", "--test-fraction", 0.25)
    assert refused.code == 5 and "line 2, column 'city': found 'rome'; wanted a number" in refused.err
    add = ("data", "add", "prices", "--from", table, "--target", "price", "--without", "city", "--test-fraction", 0.25)
    added = zoo_command(*add)
    assert added.code == 0 and "vectors of 2: numbers of 32 bits, as they are" in added.out
    (here / "tiny.yaml").write_text(SPEC)
    assert zoo_command("train", "tiny.yaml", "--run", "run").code == 0
    found = json.loads(zoo_command("predict", "run", table, "--json").out)["items"]
    assert [one["item"] for one in found] == list(range(40)) and set(found[0]["numbers"]) == {"price"}
    shown = zoo_command("predict", "run", table)
    assert shown.code == 0 and "price" in shown.out
    assert "data: {arrays: prices}" in " ".join(zoo_command("data", "list").out.split())
    assert zoo_command("data", "verify", "prices").code == 0


def test_options_of_tables_and_of_images_do_not_mix(zoo_command: Zoo, table: Path, here: Path) -> None:
    images = zoo_command("data", "add", "prices", "--from", table, "--target", "price", "--size", 8)
    assert images.code == 2 and "are for images" in images.err
    tables = zoo_command("data", "add", "prices", "--from", here, "--target", "price")
    assert tables.code == 2 and "--target" in tables.err and ".csv" in tables.err
