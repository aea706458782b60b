"""Write docs/pictures/results.svg: classifiers under the first challenge beside others. `make docs` runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.api import load_challenge
from zoo.drawing.vega import draw
from zoo.plugins import installed
from zoo.publishing.shelf import entries

PICTURE = Path(__file__).parent / "pictures" / "results.svg"
CHALLENGE = "cifar100-classify-100k"
NAMES = {"paper": "the paper", "best_public": "best public"}
GREY, OURS, THEIRS = "#808080", "#2f8f5b", "#c2742c"  # readable on white and on black


def rows() -> list[dict[str, Any]]:
    """Return a row for each shelf entry within the challenge, and for each reference of it."""
    challenge = load_challenge(CHALLENGE)
    found = []
    for name, entry in entries(installed().spec_folders()).items():
        certificate = entry.certificate
        figure = certificate.figure("test", challenge.metric.figure)
        if certificate.task in challenge.tasks and figure is not None:
            minutes = sum(certificate.seconds.values()) / len(certificate.seconds) / 60
            row = {"name": name, "whose": "Zoo", "parameters": certificate.parameters["total"], "minutes": minutes}
            found.append(row | {"accuracy": 100 * figure.mean, "n": figure.n})
    for name, one in challenge.references.items():
        row = {"name": NAMES.get(name, name), "whose": "others", "parameters": one.parameters, "minutes": None}
        found.append(row | {"accuracy": 100 * one.value, "n": 1})
    return found


def chart(data: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the picture: accuracy against parameters, and against the minutes of a training."""
    lowest, highest = (edge([row["accuracy"] for row in data]) for edge in (min, max))
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": "test accuracy, %",
        "scale": {"domain": [lowest - 2, highest + 2]},
    }
    color = {
        "field": "whose",
        "type": "nominal",
        "scale": {"domain": ["Zoo", "others"], "range": [OURS, THEIRS]},
        "legend": {"title": None, "orient": "top"},
    }
    others = [row for row in data if row["minutes"] is None]
    timed = [row for row in data if row["minutes"] is not None]
    label = {"type": "text", "fontSize": 11}
    parameters = {"field": "parameters", "type": "quantitative", "title": "trainable parameters"}
    parameters["scale"] = {"domain": [92_000, 100_000]}
    parameters["axis"] = {"format": ",d", "values": [92_000, 94_000, 96_000, 98_000, 100_000]}
    minutes = {"field": "minutes", "type": "quantitative", "title": "minutes of a training, two CPU cores or one"}
    minutes["scale"] = {"type": "log", "domain": [3, 400]}
    minutes["axis"] = {"values": [5, 10, 30, 60, 120, 240]}

    def points(x: dict[str, Any], values: list[dict[str, Any]]) -> list[dict[str, Any]]:
        place = {"x": x, "y": y, "color": color}
        marks = [{"data": {"values": values}, "mark": {"type": "point", "filled": True, "size": 80}, "encoding": place}]
        for row in values:
            left = x is parameters or row["minutes"] > 20
            side = {"align": "right", "dx": -9} if left else {"align": "left", "dx": 9}
            named = {**place, "text": {"field": "name", "type": "nominal"}}
            marks.append({"data": {"values": [row]}, "mark": {**label, **side}, "encoding": named})
        return marks

    level = {"y": y, "color": color}
    at_the_edge = {"x": {"value": 4}, "text": {"field": "name", "type": "nominal"}}
    rules = [
        {"data": {"values": others}, "mark": {"type": "rule", "strokeDash": [4, 4]}, "encoding": level},
        {"data": {"values": others}, "mark": {**label, "align": "left", "dy": -8}, "encoding": level | at_the_edge},
    ]
    title = {
        "labelColor": GREY,
        "titleColor": GREY,
        "gridColor": GREY,
        "gridOpacity": 0.15,
        "titleFontWeight": "normal",
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "config": {"view": {"stroke": None}, "axis": title, "legend": {"labelColor": GREY}},
        "hconcat": [
            {"width": 380, "height": 260, "layer": points(parameters, data)},
            {"width": 380, "height": 260, "layer": [*rules, *points(minutes, timed)]},
        ],
    }


if __name__ == "__main__":
    PICTURE.write_text(draw([chart(rows())])[0] + "\n", encoding="utf-8")
