"""Whether a spec can work, and what it costs: no data, no GPU, no memory for weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, NamedTuple

from zoo.budget import Figures, Verdict
from zoo.builder import Builder
from zoo.data.dataset import DataInfo
from zoo.errors import Position, Problem, ShapeError, SpecError, closest, listing, ordered
from zoo.network.graph import Graph, alike
from zoo.network.layer import Cost, Layer, Shape
from zoo.network.lowering import Composite
from zoo.network.operations import Operator
from zoo.network.parts import innermost
from zoo.options import canonical
from zoo.spec.schema import Spec
from zoo.spec.writer import write_line
from zoo.trainability import unfit


@dataclass(frozen=True, repr=False)
class NetworkReport:
    """One network of a spec: its layers, the shapes (without batch) that it connects, and its cost."""

    role: str
    network: Composite
    input: Shape
    output: Shape
    cost: Cost
    figures: Figures
    frozen: bool = False  # used, and never trained

    def __repr__(self) -> str:
        return f"<NetworkReport of {self.role}: {self.input} to {self.output}, {self.cost.parameters:,} parameters>"

    def _repr_html_(self) -> str:
        from zoo.drawing.cells import of_network

        return of_network(self)


@dataclass(frozen=True, repr=False)
class Report:
    """What `zoo check` found. `kept` says whether every limit is kept.

    `warnings` are what is allowed and surely not meant, in document order; they change no exit code.
    """

    spec: Spec
    networks: dict[str, NetworkReport]
    total: Figures
    verdicts: list[Verdict]
    warnings: tuple[Problem, ...] = ()

    @property
    def kept(self) -> bool:
        return all(verdict.kept for verdict in self.verdicts)

    @property
    def exit_code(self) -> int:
        """0, or the lowest exit code among the broken limits."""
        return min((verdict.exit_code for verdict in self.verdicts if not verdict.kept), default=0)

    def cap(self, role: str) -> tuple[int, str]:
        """Return the most parameters that a network may have, and the limit that says so: its own before that of the
        whole spec. Without a limit, its own parameters and "".
        """
        for verdict in sorted(self.verdicts, key=lambda verdict: verdict.network != role):
            if verdict.limit == "parameters" and verdict.network in (role, ""):
                return verdict.figure + verdict.spare, verdict.bound
        return self.networks[role].cost.parameters, ""

    def broken(self) -> str:
        """Say which limits are broken, one a line; empty when all are kept."""
        lines = [f"{self.spec.name}: {verdict}" for verdict in self.verdicts if not verdict.kept]
        return "\n    ".join(part for part in ("\n".join(lines), self.advice) if part)

    @property
    def advice(self) -> str:
        """What helps a network that is too large, where one is."""
        if any(not one.kept and one.spare < 0 and one.limit != "steps" for one in self.verdicts):
            return "`zoo check --lint` says what could be saved, `zoo fit` finds widths that keep the limits"
        return ""

    def __repr__(self) -> str:
        parameters = f"{self.total.parameters:,} parameters, {self.total.macs:,} MACs"
        broken = [verdict.limit for verdict in self.verdicts if not verdict.kept]
        state = f"breaks {', '.join(broken)}" if broken else "keeps its limits"
        return f"<Report of {self.spec.name}: {parameters}, {state}>"

    def _repr_html_(self) -> str:
        from zoo.drawing.cells import of_report

        return of_report(self)

    def to_data(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "name": self.spec.name,
            "hash": self.spec.hash,
            "kept": self.kept,
            "networks": {
                role: {
                    "architecture": self.spec.networks[role].architecture.name,
                    "input": list(one.input),
                    "output": list(one.output),
                    "buffers": one.cost.buffers,
                    **({"frozen": True} if one.frozen else {}),
                    **one.figures._asdict(),
                }
                for role, one in self.networks.items()
            },
            "total": self.total._asdict(),
            "limits": [vars(verdict) for verdict in self.verdicts],
            "warnings": [one.to_data() for one in self.warnings],
        }


class Row(NamedTuple):
    """One layer of a network as a table shows it; `depth` is how many composites it stands in.

    `times`: as many alike follow each other, each with weights of its own, and stand in this row; `output` is that of
    the last of them, `cost` that of one. `uses`: how often the one runs.
    """

    depth: int
    name: str
    layer: str
    options: str
    output: Shape
    cost: Cost
    uses: int
    times: int = 1


def check(spec: Spec, builder: Builder, info: DataInfo | None = None) -> Report:
    """Return what `spec` costs and whether it keeps its limits. Raises SpecError when it cannot work, DataError when
    the shape of its data is not known on this machine, unless `info` tells it.
    """
    info = info or builder.bind(spec.data).info()
    networks, problems = _networks(spec, builder, info)
    built = {role: (one.network, one.input) for role, one in networks.items()}
    refused, warnings = unfit(spec, builder, built, info)
    if problems or refused:
        raise SpecError([*problems, *refused])
    return _report(spec, builder, networks, ordered([*spec.warnings, *warnings]))


def count(spec: Spec, builder: Builder, info: DataInfo) -> Report:
    """Return the same without asking the components of `spec` whether it can be trained. Raises SpecError when its
    networks cannot be put together.
    """
    networks, problems = _networks(spec, builder, info)
    if problems:
        raise SpecError(problems)
    return _report(spec, builder, networks, spec.warnings)


def _networks(spec: Spec, builder: Builder, info: DataInfo) -> tuple[dict[str, NetworkReport], list[Problem]]:
    """Return the networks that can be put together, and what is wrong with the others."""
    task = builder.bind(spec.task)
    problems = list(_role_problems(spec, task.roles))
    fits = info.items in task.items and info.target in task.targets
    networks: dict[str, NetworkReport] = {}
    for role, section in spec.networks.items():
        if role not in task.roles:
            continue
        terminals = task.terminals(role, info)
        try:
            network = builder.network(section.architecture, *terminals)
            graph = network.graph(terminals.input)
            cost = graph.counts._replace(peak=graph.alone)
        except ShapeError as error:
            # What a task wants of data that it does not take, which is told, says nothing about a network.
            problems += [_shape_problem(one, spec, role) for one in _each_once(error)] if fits else []
            continue
        problems += _part_problems(spec, role, network, terminals.input)
        frozen = role in task.frozen
        if not cost.parameters and not frozen:
            path = f"networks.{role}.architecture"
            problems.append(Problem(_place(spec, path), path, "found nothing to train", "a layer with weights"))
        shapes = partial(_shapes, network, terminals.input)
        steps = 0 if frozen else spec.train.steps * task.updates(role)
        figures = Figures.of(cost, steps, shapes, partial(_graphs, graph))
        networks[role] = NetworkReport(role, network, terminals.input, terminals.output, cost, figures, frozen)
    return networks, problems


def _report(spec: Spec, builder: Builder, networks: dict[str, NetworkReport], warnings: tuple[Problem, ...]) -> Report:
    total = Figures.total([one.figures for one in networks.values() if not one.frozen])
    return Report(spec, networks, total, list(_verdicts(spec, networks, total, builder)), warnings)


def _graphs(graph: Graph) -> list[Graph]:
    return [graph]


def _shapes(network: Composite, input: Shape) -> list[Shape]:
    return [*network.weights(input).values()]


def rows(network: Composite, input: Shape) -> Iterator[Row]:
    """Yield a network's layers from the top down, composites before their parts."""
    graph = network.graph(input)
    yield Row(0, "", network.label, _options(network, input), graph.output, graph.cost, 1)
    yield from _rows(graph, 1)


def _rows(graph: Graph, depth: int) -> Iterator[Row]:
    for _, steps in alike(graph):
        first, last = steps[0], steps[-1]
        if not first.name and (first.layer.at is None or not isinstance(first.layer, Operator)):
            continue  # it is what stands behind the layer around it, or how that joins its branches
        uses, times = (len(steps), 1) if last.again else (1, len(steps))
        name = first.name if times == 1 else f"{first.name}-{last.name}"
        cost = first.cost if first.part is None else _held(first.part, first.cost)
        options = _options(first.layer, graph.shape_of(first.inputs[0]))
        yield Row(depth, name, first.layer.label, options, last.output, cost, uses, times)
        if first.part is not None:
            yield from _rows(first.part, depth + 1)


def _held(part: Graph, cost: Cost) -> Cost:
    """Return the cost of a part with what it holds while it runs."""
    return cost._replace(peak=part.cost.peak, held_peak=part.cost.held_peak, alias=part.cost.alias)


def _options(layer: Layer, input: Shape) -> str:
    """Return the options that differ from their defaults, but not the layers inside."""
    layer = layer.inner(input)
    if not is_dataclass(layer):
        return ""
    shown = []
    for one in fields(layer):
        value = getattr(layer, one.name)
        if isinstance(layer, Operator) and one.name == "kind":
            continue
        if (value not in (one.default, {}) and not isinstance(value, (list, tuple, Layer))) or _numbers(value):
            shown.append(f"{one.name}: {write_line(canonical(value))}")
    return ", ".join(shown)


def _numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(one, int) for one in value)


def _verdicts(spec: Spec, networks: dict[str, NetworkReport], total: Figures, builder: Builder) -> Iterator[Verdict]:
    for limit in spec.budget.values():
        yield builder.verdict(limit, total)
    for role, section in spec.networks.items():
        for limit in section.budget.values():
            verdict = builder.verdict(limit, networks[role].figures)
            yield Verdict(**{**vars(verdict), "network": role})


def _role_problems(spec: Spec, roles: tuple[str, ...]) -> Iterator[Problem]:
    wanted = f"the networks of {spec.task.name}: {', '.join(roles)}"
    for role in spec.networks:
        if role not in roles:
            yield Problem(
                _place(spec, f"networks.{role}"),
                "networks",
                f"found the unknown role {role!r}",
                wanted,
                closest(role, roles),
            )
    for role in roles:
        if role not in spec.networks:
            yield Problem(_place(spec, "networks"), "networks", f"found no {role!r}", wanted)


def _part_problems(spec: Spec, role: str, network: Composite, input: Shape) -> Iterator[Problem]:
    """Yield where a network is told of parts that it has not, or that all of it stays as it is."""
    section = spec.networks[role]
    told = {"freeze": section.freeze, "rates": section.rates}
    if not any(told.values()):
        return
    names = list(network.weights(input))
    parts = {".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 2)}
    top = listing(dict.fromkeys(name.partition(".")[0] for name in names), 12)
    for key, paths in told.items():
        for path in paths:
            if path not in parts:
                at = _place(spec, f"networks.{role}.{key}")
                wanted = f"the name of a weight, or of a part that holds some: {top}, or one inside"
                yield Problem(at, f"networks.{role}.{key}", f"found no part {path!r}", wanted, closest(path, parts))
    if names and all(innermost(name, section.freeze) is not None for name in names):
        yield Problem(
            _place(spec, f"networks.{role}.freeze"), f"networks.{role}.freeze", "found all of it", "something to train"
        )


def _each_once(error: ShapeError) -> Iterator[ShapeError]:
    """Yield what is wrong in each place once, however often it stands in the network, as in a block."""
    seen: set[Position] = set()
    for one in error.each():
        if one.at is None or not one.at.line or one.at not in seen:
            yield one
        if one.at is not None:
            seen.add(one.at)


def _shape_problem(error: ShapeError, spec: Spec, role: str) -> Problem:
    path = f"networks.{role}.architecture"
    return Problem(error.at or _place(spec, path), path, str(error))


def _place(spec: Spec, path: str) -> Position | None:
    """Return where `path` was written, or the nearest part above it that was."""
    while path not in spec.places and path:
        path = path.rpartition(".")[0]
    return spec.places.get(path)
