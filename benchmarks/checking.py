"""How many specs are checked a second: reading, resolving, validating, counting, in one process without torch."""

from __future__ import annotations

import copy
import json
import random
import statistics
import time
from typing import Any

from benchmarks import ratios
from benchmarks.environment import Watch, notes
from benchmarks.runner import Tell
from benchmarks.table import Table, between, middle, number
from zoo import api
from zoo.builder import Builder
from zoo.checking import check
from zoo.plugins import installed
from zoo.spec import shipped
from zoo.spec.load import load_document
from zoo.spec.reader import read_text
from zoo.spec.variables import substitute

OPTIONS, LAYERS = "cifar100-resnet-silu", "paper-classifier"
TITLES = {OPTIONS: "as options of `resnet`", LAYERS: "written as layers, with blocks"}
ALONE = ("paper-classifier", "resnet50")  # whose own time is shown
WIDTHS = {"from": 8, "to": 128, "step": 8}  # that a fit chooses each of three from
SPECS, SHORT_SPECS = 500, 200  # texts of one round
ROUNDS = 5


def measure(count: int, rounds: int, tell: Tell) -> dict[str, Any]:
    """Return the specs a second of each round, and the milliseconds of each shipped spec, as plain data."""
    watch = Watch()
    rates: dict[str, list[float]] = {name: [] for name in TITLES}
    # One builder for the process, as a search or a service has; it has seen one spec of each kind.
    builder = Builder(installed().registry)
    for name in TITLES:
        _check(_texts(name, 1, "warm")[0], builder)
    for round in range(rounds):
        for name in TITLES:
            texts = _texts(name, count, f"{round}")
            began = time.perf_counter()
            for text in texts:
                _check(text, builder)
            rates[name].append(count / (time.perf_counter() - began))
        tell(f"round {round + 1} of {rounds}")
        watch.look()
    fits = [_fitted(4 * count) for _ in range(rounds)]
    return {"count": count, "rates": rates, "fits": fits, "shipped": _shipped(rounds), **watch.to_data()}


def table(result: dict[str, Any]) -> Table:
    """Return the figures."""
    rows = []
    for name, title in TITLES.items():
        rate = ratios.spread(result["rates"][name])
        rows.append(
            [f"the paper's classifier, {title}", middle(rate, 0), between(rate, 0), number(1000 / rate.median, 3)]
        )
    if fits := result.get("fits"):  # earlier results have none
        fitted = ratios.spread(fits)
        rates = [middle(fitted, 0), between(fitted, 0), number(1000 / fitted.median, 3)]
        rows.append(["candidates of a fit, three widths of it", *rates])
    for name in filter(result["shipped"].get, ALONE):
        alone = ratios.spread(result["shipped"][name])
        rows.append([f"{name}, read from its file", number(1000 / alone.median, 0), "", middle(alone, 3)])
    each = {name: statistics.median(times) for name, times in result["shipped"].items()}
    whole = ratios.spread(sum(times) / len(each) for times in zip(*result["shipped"].values(), strict=True))
    rows.append(
        [
            f"the {len(each)} specs that ship, each read from its file",
            number(1000 / whole.median, 0),
            f"{1000 / whole.most:,.0f}–{1000 / whole.least:,.0f}",
            middle(whole, 3),
        ]
    )
    slowest = max(each, key=lambda name: each[name])
    found = [
        f"{len(next(iter(result['rates'].values())))} rounds of {result['count']:,} JSON texts of widths drawn anew, "
        f"one builder for all; of those that ship, {slowest} takes longest: {each[slowest]:.1f} ms",
    ]
    columns = ["specs", "a second", "range", "ms each"]
    return Table("Checking specs", columns, rows, [*found, *notes(result)])


def _fitted(most: int) -> float:
    """Return how many candidates a second `zoo fit` counts."""
    document = load_document(OPTIONS, folders=installed().spec_folders()).data()
    document["networks"]["classifier"]["architecture"]["resnet"]["widths"] = ["${a}", "${b}", "${c}"]
    document["let"] = {name: {"free": WIDTHS} for name in "abc"}
    began = time.perf_counter()
    found = api.fit(document, most=most)
    return found.tried / (time.perf_counter() - began)


def _texts(name: str, count: int, seed: str) -> list[str]:
    """Return JSON texts of the paper's classifier whose widths differ."""
    document = load_document(name, folders=installed().spec_folders()).data()
    draw = random.Random(f"{name} {seed}")
    return [json.dumps(_widened(name, copy.deepcopy(document), draw)) for _ in range(count)]


def _widened(name: str, document: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    stem, *widths = (4 * draw.randint(low, 8 * low) for low in (2, 2, 4, 8))
    architecture = document["networks"]["classifier"]["architecture"]
    if name == OPTIONS:
        architecture["resnet"] |= {"stem": stem, "widths": widths}
        return document
    layers = architecture["layers"]
    layers[0]["conv"]["channels"] = widths[0]  # its first block has no projection
    layers[3]["repeat"]["layers"] = [{"bottleneck": widths[0]}]
    for layer, width in zip(layers[4:6], widths[1:], strict=True):
        layer["stage"]["channels"] = width
    return document


def _check(text: str, builder: Builder) -> None:
    check(builder.resolver.spec(substitute(read_text(text, "spec.json", "json"))), builder)


def _shipped(rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each round that a shipped spec takes, read from its file, one builder a round."""
    found: dict[str, list[float]] = {name: [] for name in sorted(shipped.names())}
    for round in range(rounds + 1):
        builder = Builder(installed().registry)
        for name, times in found.items():
            began = time.perf_counter()
            check(api.load_spec(name, registry=builder.registry), builder)
            if round:  # the first loads modules
                times.append(1000 * (time.perf_counter() - began))
    return found
