"""The Fréchet distance of two sets of features, once their moments are known: Zoo's against clean-fid's."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

from benchmarks import ratios
from benchmarks.environment import Watch, lacking, notes
from benchmarks.ratios import Spread
from benchmarks.runner import Tell
from benchmarks.table import Table, between, middle, number

CLEAN_FID, COLD, CACHED = "clean-fid", "zoo", "zoo, root of the reference kept"
FEATURES, SAMPLES, SHORT_FEATURES = 2048, 10_000, 512
ROUNDS = 3


def measure(features: int, samples: int, rounds: int, tell: Tell, seed: int = 0) -> dict[str, Any]:
    """Return seconds and distances of each round, as plain data."""
    missing = lacking("cleanfid")
    watch = Watch()
    ways = _ways(features, samples, seed, with_clean_fid=not missing)
    watch.skip()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    distances: dict[str, float] = {}
    for round in range(rounds):
        order = list(ways)
        for name in order[round % len(order) :] + order[: round % len(order)]:
            began = time.perf_counter()
            distances[name] = ways[name]()
            seconds[name].append(time.perf_counter() - began)
        tell(f"round {round + 1} of {rounds}")
        watch.look()
    reasons = {CLEAN_FID: missing} if missing else {}
    return {
        "features": features,
        "samples": samples,
        "seconds": seconds,
        "distances": distances,
        "reasons": reasons,
        **watch.to_data(),
    }


def speed(result: dict[str, Any], name: str) -> Spread | None:
    """Return how many times as fast as clean-fid's a way is."""
    if CLEAN_FID not in result["seconds"]:
        return None
    return ratios.spread(ratios.ratios(result["seconds"], name, CLEAN_FID))


def difference(result: dict[str, Any], name: str) -> float | None:
    """Return the relative difference from clean-fid's distance."""
    distances = result["distances"]
    if CLEAN_FID not in distances:
        return None
    return float(abs(distances[name] - distances[CLEAN_FID]) / abs(distances[CLEAN_FID]))


def table(result: dict[str, Any]) -> Table:
    """Return the figures."""
    rows = []
    for name, seconds in result["seconds"].items():
        apart = difference(result, name)
        ratio = speed(result, name)
        rows.append(
            [name, number(ratios.spread(seconds).median, 3), middle(ratio), between(ratio)]
            + ["–" if apart is None else f"{apart:.0e}"]
        )
    found = [
        f"{result['features']:,} features of {result['samples']:,} drawn samples, "
        f"{len(next(iter(result['seconds'].values())))} rounds; finding the moments is not part of it"
    ]
    found += [f"{name}: not run, {reason}" for name, reason in result["reasons"].items()]
    columns = ["", "s", f"× {CLEAN_FID}", "range", "relative difference"]
    return Table("Fréchet distance", columns, rows, [*found, *notes(result)])


def _ways(features: int, samples: int, seed: int, *, with_clean_fid: bool) -> dict[str, Callable[[], float]]:
    import torch

    from zoo_features.distances import frechet, moments, root

    random = torch.Generator().manual_seed(seed)
    mixing = torch.randn(features, features, generator=random) / features**0.5
    sets = []
    for shift in (0.0, 0.1):
        drawn = torch.randn(samples, features, generator=random) @ mixing
        sets.append(moments(drawn.relu_() + shift))
    real, fake = sets
    kept = root(real.covariance)
    ways: dict[str, Callable[[], float]] = {}
    if with_clean_fid:
        from cleanfid.fid import frechet_distance

        arrays = [one.numpy() for pair in (real, fake) for one in (pair.mean, pair.covariance)]

        def clean_fid() -> float:
            with contextlib.redirect_stdout(io.StringIO()):
                return float(frechet_distance(*arrays))

        ways[CLEAN_FID] = clean_fid
    ways[COLD] = lambda: frechet(real, fake)
    ways[CACHED] = lambda: frechet(real, fake, real_root=kept)
    return ways
