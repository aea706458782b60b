"""The leaderboard: what is ranked among what, and the page that shows it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from entries import CHALLENGE, GENERATOR_CHALLENGE, GENERATOR_DATA, SPEC_DATA, publish
from hypothesis import given
from hypothesis import strategies as st
from support import builtin_registry, changed

import zoo
from zoo.challenges.chart import Axis, Box, svg
from zoo.challenges.leaderboard import Board, Ranking, Row
from zoo.challenges.load import load_challenge
from zoo.challenges.page import page
from zoo.registry import Registry

LARGER = changed(SPEC_DATA, networks__classifier__architecture__resnet__stem=8)
JUDGE, OTHER = "frechet_distance[zoo:judge@12345678]", "frechet_distance[zoo:other@87654321]"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with two challenges; entries go into its folder shelf."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shapes.yaml").write_text(CHALLENGE.replace(", layer/conv", ""))
    (tmp_path / "noise.yaml").write_text(GENERATOR_CHALLENGE)
    return tmp_path


def board(registry: Registry, *challenges: str) -> Board:
    return zoo.leaderboard(challenges, registry=registry)


def standing(ranking: Ranking) -> list[tuple[int | None, str]]:
    return [(row.rank, row.name) for row in ranking.rows]


def measured(name: str, value: float, **facts: Any) -> dict[str, Any]:
    about = {"split": "test", "generated_images": 50, "reference_images": 100, "extractor": name, **facts}
    return {"name": name, "mean": value, "standard_deviation": None, "values": [value], "seeds": [0], **about}


def test_entries_are_ranked_beside_the_results_of_others(registry: Registry, here: Path) -> None:
    publish(here / "shelf" / "good", SPEC_DATA, {"top1": {0: 0.4, 3: 0.5}})
    publish(here / "shelf" / "poor", SPEC_DATA, {"top1": {0: 0.2}})
    (ranking,) = board(registry, "shapes.yaml").rankings
    assert standing(ranking) == [(1, "good"), (None, "paper"), (2, "poor")]
    good, paper, _ = ranking.rows
    assert (good.value, good.std, good.seeds) == (0.45, pytest.approx(0.0707, abs=1e-4), (0, 3))
    assert (good.parameters, good.steps) == (2_264, 6)
    assert (paper.parameters, paper.source, paper.remark) == (2_500, "Nobody 2030", "n = 1.")


def test_of_equal_figures_the_smaller_network_is_first(registry: Registry, here: Path) -> None:
    publish(here / "shelf" / "a-larger", LARGER, {"top1": {0: 0.4}})
    publish(here / "shelf" / "b-smaller", SPEC_DATA, {"top1": {0: 0.4}})
    (ranking,) = board(registry, "shapes.yaml").rankings
    assert standing(ranking)[:2] == [(1, "b-smaller"), (2, "a-larger")]


def test_an_entry_that_does_not_verify_is_marked_and_not_ranked(registry: Registry, here: Path) -> None:
    publish(here / "shelf" / "sound", SPEC_DATA, {"top1": {0: 0.3}})
    weights = publish(here / "shelf" / "swapped", SPEC_DATA, {"top1": {0: 0.9}}) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    found = board(registry, "shapes.yaml")
    (ranking,) = found.rankings
    assert standing(ranking) == [(1, "sound"), (None, "paper"), (None, "swapped")]
    assert ranking.rows[-1].problems[0].startswith("weights.safetensors has the SHA-256 ")
    assert not found.sound


def test_a_figure_of_fewer_images_is_marked_and_not_ranked(registry: Registry, here: Path) -> None:
    challenge = here / "shapes.yaml"
    challenge.write_text(challenge.read_text().replace("images: 100,", "images: 90,"))
    publish(here / "shelf" / "tiny", SPEC_DATA, {"top1": {0: 0.3}})
    (ranking,) = board(registry, "shapes.yaml").rankings
    assert standing(ranking) == [(None, "paper"), (None, "tiny")]
    assert ranking.rows[-1].problems == ("measured with images: 100",)


def test_an_entry_stands_in_the_challenges_whose_rules_it_keeps(registry: Registry, here: Path) -> None:
    harder = here / "harder.yaml"
    harder.write_text("extends: shapes.yaml\nname: harder\nbudget: {parameters: 2300}\n")
    publish(here / "shelf" / "larger", LARGER, {"top1": {0: 0.4}})
    publish(here / "shelf" / "smaller", SPEC_DATA, {"top1": {0: 0.3}})
    first, second = board(registry, "shapes.yaml", "harder.yaml").rankings
    assert standing(first) == [(1, "larger"), (2, "smaller"), (None, "paper")]
    assert standing(second) == [(1, "smaller"), (None, "paper")]


def test_an_entry_of_no_challenge_stands_outside(registry: Registry, here: Path) -> None:
    publish(here / "shelf" / "longer", changed(SPEC_DATA, budget__steps=200, train__steps=101), {"top1": {0: 0.4}})
    (here / "shelf" / "broken").mkdir()
    (here / "shelf" / "broken" / "certificate.json").write_text("{}")
    broken = "shelf/broken/certificate.json: found format None; this version of Zoo reads 1"
    assert board(registry, "shapes.yaml").reasons == {"broken": broken}
    found = board(registry)
    assert found.reasons["broken"] == broken
    assert found.reasons["longer"] == "it keeps the rules of no challenge, or lacks the figure that counts"
    assert not found.sound


def test_figures_in_other_features_are_never_ranked_together(registry: Registry, here: Path) -> None:
    for name, figure, value in (("a", JUDGE, 3.0), ("b", JUDGE, 2.0), ("c", OTHER, 1.0), ("d", "fid", 95.0)):
        about = [measured(figure, value, extractor="inception")]
        publish(here / "shelf" / name, GENERATOR_DATA, {figure: {0: value}}, measurements=about)
    rankings = {one.figure: standing(one) for one in board(registry, "noise.yaml").rankings}
    assert rankings == {
        "fid": [(None, "paper"), (1, "d")],
        JUDGE: [(1, "b"), (2, "a")],
        OTHER: [(1, "c")],
    }


def test_a_distance_of_fewer_images_is_not_ranked_beside_others(registry: Registry, here: Path) -> None:
    about = [measured(JUDGE, 1.0, generated_images=40)]
    publish(here / "shelf" / "a", GENERATOR_DATA, {JUDGE: {0: 1.0}, f"{JUDGE}_std": {0: 0.1}}, measurements=about)
    _, ranking = board(registry, "noise.yaml").rankings
    assert standing(ranking) == [(None, "a")]
    assert ranking.rows[0].problems == ("measured with images: 40",)


def test_the_frontier_leaves_out_what_is_larger_and_no_better() -> None:
    challenge = load_challenge("cifar100-classify-100k", registry=builtin_registry())
    rows = [Row(str(rank), size, value, rank=rank) for rank, (size, value) in enumerate(
        [(9, 0.7), (5, 0.6), (7, 0.5), (3, 0.4)], start=1
    )]  # fmt: skip
    others = [Row("paper", 2, 0.9, source="x"), Row("unsound", 1, 0.9, problems=("x",))]
    ranking = Ranking(challenge, "top1", (*rows, *others))
    assert [row.name for row in ranking.frontier] == ["4", "2", "1"]


@given(st.lists(st.floats(0.001, 1e7), min_size=1, max_size=8))
def test_an_axis_shows_every_value_and_round_ticks(values: list[float]) -> None:
    axis = Axis.over(values, 0, 100)
    assert all(0 <= axis.at(value) <= 100 for value in values)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 6
    assert all(axis.low <= tick <= axis.high * (1 + 1e-9) for tick in ticks)


def test_labels_keep_clear_of_each_other() -> None:
    challenge = load_challenge("cifar100-classify-100k", registry=builtin_registry())
    rows = tuple(Row(f"an-entry-{rank}", 99_000 + rank, 0.6 - rank / 300, rank=rank) for rank in range(1, 6))
    picture = ElementTree.fromstring(svg(Ranking(challenge, "top1", rows)))
    boxes = []
    for text in picture.iter("{http://www.w3.org/2000/svg}text"):
        if "label" in text.attrib["class"]:
            x, y, width = float(text.attrib["x"]), float(text.attrib["y"]), 6.6 * len(text.text or "")
            left = x - (
                width if "end" in text.attrib["class"] else width / 2 if "middle" in text.attrib["class"] else 0
            )
            boxes.append(Box(left + 1, y - 9, left + width - 1, y + 3))
    assert len(boxes) == 5
    assert not any(one.meets(other) for index, one in enumerate(boxes) for other in boxes[:index])


def test_the_page_needs_no_other_file(registry: Registry, here: Path) -> None:
    entry = publish(here / "shelf" / "tiny", SPEC_DATA, {"top1": {0: 0.3, 1: 0.4}})
    (entry / "predictions.png").write_bytes(b"\x89PNG-of-sorts")
    text = page(board(registry, "shapes.yaml"))
    assert 'src="data:image/png;base64,iVBORy1vZi1zb3J0cw=="' in text
    assert "35.00 ± 7.07 %" in text
    assert "Nobody 2030" in text
    assert "prefers-color-scheme: dark" in text
    for outside in ("<script", "<link", "@import", "url(", 'src="http', "href="):
        assert outside not in text


def test_what_stands_in_a_file_is_escaped_on_the_page(registry: Registry, here: Path) -> None:
    challenge = here / "shapes.yaml"
    challenge.write_text(challenge.read_text().replace("Nobody 2030, remark", '"<b>Nobody</b> & Co", remark'))
    text = page(board(registry, "shapes.yaml"))
    assert "&lt;b&gt;Nobody&lt;/b&gt; &amp; Co" in text
    assert "<b>Nobody" not in text
