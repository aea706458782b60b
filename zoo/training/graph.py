"""Whole steps recorded once and replayed: the host then launches one graph in place of some thousand kernels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from zoo.errors import TrainingError
from zoo.training.trainee import Trainee

Figures = dict[str, Tensor]
Work = Callable[[], Figures]
Record = Callable[[Work], tuple[Callable[[], None], Figures]]

WARM_STEPS = 3  # steps of each variant that run as they are: optimizers make their state, libraries their plans


class Graphs:
    """Runs the device's part of each step: the first few of a variant as they are, the others from a recording.

    A step reads what differs from step to step (indices, rates, seeds) from tensors and generators that stay in
    place, and reads nothing back. `variant` tells apart steps of different operations; each is recorded on its own.
    """

    def __init__(self, record: Record, trainees: Mapping[str, Trainee]) -> None:
        self._record = record
        self._trainees = trainees
        self._warm: dict[Hashable, int] = {}
        self._recordings: dict[Hashable, tuple[Callable[[], None], Figures, dict[str, int]]] = {}

    def __call__(self, variant: Hashable, work: Work) -> Figures:
        """Do one step; return its figures as tensors of their own."""
        if self._warm.get(variant, 0) < WARM_STEPS:
            self._warm[variant] = self._warm.get(variant, 0) + 1
            return work()
        before = self._updates()
        if variant not in self._recordings:
            replay, figures = self._record(work)
            # Recording counts the updates without doing them, a replay does them without counting.
            counted = {role: count - before[role] for role, count in self._updates().items()}
            self._recordings[variant] = replay, figures, counted
            self._count(before, dict.fromkeys(before, 0))
        replay, figures, counted = self._recordings[variant]
        replay()
        self._count(before, counted)
        return {name: value.clone() for name, value in figures.items()}

    def _count(self, before: dict[str, int], more: dict[str, int]) -> None:
        for role, trainee in self._trainees.items():
            trainee.updates = before[role] + more[role]

    def _updates(self) -> dict[str, int]:
        return {role: trainee.updates for role, trainee in self._trainees.items()}


def cuda_recorder(generators: Sequence[torch.Generator]) -> Record:
    """Return what records work as a CUDA graph; the generators are seeded anew before each replay."""

    def record(work: Work) -> tuple[Callable[[], None], Figures]:
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        torch.cuda.synchronize()
        try:
            with torch.cuda.graph(graph, stream=_own_stream()):
                figures = work()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise TrainingError(
                f"train.engine: the step cannot be captured as a CUDA graph ({reason}); choose engine: eager or compile"
            ) from error
        return graph.replay, figures

    return record


def _own_stream() -> torch.cuda.Stream | None:
    """Return the stream of the lane, None outside of one, where any will do.

    Libraries keep their scratch memory by stream, and recordings that are replayed at once must not share it.
    """
    stream = torch.cuda.current_stream()
    return None if stream == torch.cuda.default_stream() else stream


def lane(device: torch.device) -> Callable[[], AbstractContextManager[None]]:
    """Return what opens a lane of the device for all that one training does there, beside the lanes of others.

    On a CUDA device it is a stream of its own with a state of its own for the device's default generator, which a
    replay reads while other lanes may have seeded theirs. Other devices have one lane.
    """
    if device.type != "cuda":
        return nullcontext
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    default, own = torch.cuda.default_generators[device.index or 0], torch.Generator(device)

    @contextmanager
    def enter() -> Iterator[None]:
        before = default.graphsafe_get_state()
        default.graphsafe_set_state(own)
        try:
            with torch.cuda.stream(stream):
                yield
        finally:
            default.graphsafe_set_state(before)

    return enter
