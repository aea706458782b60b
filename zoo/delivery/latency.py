"""How long a network takes to answer: in plain torch and as files, with one thread and with all, in turns."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from zoo.delivery import onnx_file, pt2_file, verify
from zoo.delivery.export import Delivery
from zoo.delivery.program import Program
from zoo.errors import DeliveryError, closest
from zoo.training.run import machine

FORMS = ("eager", "pt2", "onnx", "onnx-int8")
WARM_UP, LEAST_SECONDS, MOST_CALLS = 3, 0.02, 1000  # calls before timing; of one timing at least, and calls at most


@dataclass(frozen=True)
class Timing:
    """Milliseconds per image of one form: the median over rounds, and their quartiles; `ratio`: to the baseline's."""

    form: str
    batch: int
    threads: int
    median: float
    low: float
    high: float
    per_second: float
    ratio: float


def measure(
    made: Delivery,
    *,
    forms: Sequence[str] = (),
    batches: Sequence[int] = (1, 64),
    rounds: int = 15,
    baseline: str = "eager",
) -> dict[str, Any]:
    """Return a Timing for each of `forms`, each of `batches`, one thread and all of them.

    In each round the forms take turns, so that a busy machine meets all of them alike. `baseline`: the form that the
    others are told in. Raises DeliveryError for an unknown form, or where one cannot be made.
    """
    possible = [form for form in FORMS if made.program.classifies or form != "onnx-int8"]
    forms = list(dict.fromkeys([baseline, *(forms or possible)]))
    for form in forms:
        if form not in possible:
            raise DeliveryError(
                f"found the form {form!r}; {closest(form, possible) or 'wanted ' + ', '.join(possible)}"
            )
    rows: list[Timing] = []
    all_threads = torch.get_num_threads()
    with _files(made, forms) as open_form:
        for threads in sorted({1, all_threads}):
            with _threads(threads):
                runs = {form: open_form(form, threads) for form in forms}
                for batch in batches:
                    rows += _rows(runs, made.program, batch, threads, rounds, baseline)
    return {
        "name": made.label,
        "output": made.program.output,
        "baseline": baseline,
        "rounds": rounds,
        "warm_up": WARM_UP,
        "timings": [asdict(one) for one in rows],
        "machine": machine(),
        "versions": onnx_file.versions(),
    }


def _rows(
    runs: dict[str, verify.Run], program: Program, batch: int, threads: int, rounds: int, baseline: str
) -> Iterator[Timing]:
    given = program.examples(batch)
    calls = {form: _calls(lambda run=run: run(given)) for form, run in runs.items()}  # type: ignore[misc]
    times: dict[str, list[float]] = {form: [] for form in runs}
    for _ in range(rounds):
        for form, run in runs.items():
            seconds = _seconds(lambda run=run: run(given), calls[form])  # type: ignore[misc]
            times[form].append(seconds * 1000 / batch)
    for form, found in times.items():
        low, median, high = statistics.quantiles(found, n=4) if len(found) > 1 else found * 3
        # Of each round, since its forms met the same machine.
        ratio = statistics.median(one / other for one, other in zip(found, times[baseline], strict=True))
        yield Timing(form, batch, threads, median, low, high, 1000 / median, ratio)


def _calls(run: Callable[[], object]) -> int:
    """Warm up, and return how many calls one timing takes."""
    for _ in range(WARM_UP):
        seconds = _seconds(run, 1)
    return min(MOST_CALLS, max(1, round(LEAST_SECONDS / max(seconds, 1e-9))))


def _seconds(run: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


@contextlib.contextmanager
def _files(made: Delivery, forms: Sequence[str]) -> Iterator[Callable[[str, int], verify.Run]]:
    """Write the files of `forms` once, and yield what opens a form for some threads."""
    contents: dict[str, bytes] = {}
    for form in forms:
        if form.startswith("onnx"):
            contents[form] = made.onnx(int8=form == "onnx-int8")[0].SerializeToString()
        elif form == "pt2":
            contents[form] = pt2_file.content(made.exported, made.metadata)
    with tempfile.TemporaryDirectory() as folder:

        def open_form(form: str, threads: int) -> verify.Run:
            if form == "eager":
                return made.program.run
            path = Path(folder) / form
            path.write_bytes(contents[form])
            return onnx_file.Onnx(path, threads) if form.startswith("onnx") else pt2_file.Pt2(path)

        yield open_form


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
