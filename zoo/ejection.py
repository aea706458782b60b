"""A spec's networks as one Python file that imports only torch: nobody is locked in."""

from __future__ import annotations

import ast
import inspect
import keyword
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import torch
from torch import nn

from zoo.checking import NetworkReport, Report
from zoo.errors import ZooError
from zoo.network import modules as wired
from zoo.network.from_module import FromModule
from zoo.network.graph import Graph, Step
from zoo.network.layer import Layer
from zoo.network.modules import Rounds, kind_of, wiring
from zoo.network.operations import Operator
from zoo.network.source import WIDTH, Code, call, module_code

ALLOWED = {"torch", *sys.stdlib_module_names}
GENERIC = {"sequence", "repeat", "residual", "branches", "layers"}
LEAST = 60  # letters from which code that stands in several places becomes a function


def eject(report: Report) -> str:
    """Return the text of a module with one function for each network of a checked spec.

    A function makes the network with the state-dict names and shapes that a training of the spec saves. Raises
    ZooError when a network is written in Python, or holds a module that cannot be written down.
    """
    writer = _Writer(set(report.networks))
    with torch.device("meta"):
        modules = {role: one.network.module(one.input) for role, one in report.networks.items()}
        codes = {role: _network_code(role, one) for role, one in report.networks.items()}
    for code in codes.values():
        writer.count(code)
    bodies = {role: list(writer.function(role, codes[role], _told(one))) for role, one in report.networks.items()}
    classes = _Classes()
    if any(code.head == "tied(" for code in codes.values()):
        classes.take("tied", wired)
    for module in modules.values():
        for part in module.modules():
            through = getattr(part, "made_through", None)
            if through is not None:
                classes.take(through.__name__, inspect.getmodule(through))
            if not type(part).__module__.startswith("torch.") and not hasattr(part, "parametrizations"):
                classes.add(type(part))
    kinds = [*classes.sources(), *writer.functions, *("\n".join(body) for body in bodies.values())]
    text = "\n\n\n".join(["\n".join([_docstring(report), "", *classes.imports()]), *kinds]) + "\n"
    _verify(text, modules)
    return text


def _network_code(role: str, one: NetworkReport) -> Code:
    graph = one.network.graph(one.input)
    try:
        code = _labelled(one.network, graph_code(graph))
    except ZooError as error:
        raise ZooError(f"the {role} cannot be written down: {error}") from error
    ties = tuple((f'"{path}": ', Code(f'"{source}"')) for path, source in _ties(graph, "", {}))
    return call("tied", code, Code("{", ties, "}")) if ties else code


def graph_code(graph: Graph) -> Code:
    """Return the code that makes a graph's module, parts included."""
    codes: dict[str, Code] = {}
    for step in graph.steps:
        if not isinstance(step.layer, Operator) and step.name not in codes:
            codes[step.name] = _step_code(graph, step)
    kind = kind_of(graph)
    if kind is None:
        return codes[""]
    if kind is Rounds:
        own = Code("[", tuple(("", Code(f'"{name}"')) for name in graph.own or ()), "]")
        once = codes[graph.steps[0].name]
        return call("Rounds", own, _Rounds("*[", (("", once),), f" for _ in range({len(graph.steps)})]"))
    if kind is nn.Sequential:
        part = graph.steps[0].part if len(graph.steps) > 1 else None
        if part is None or any(step.part is not part for step in graph.steps):
            return call("nn.Sequential", *codes.values())
        once, rounds = codes["0"], len(codes)
        if graph.steps[-1].again:
            return call("nn.Sequential", Code("*[", (("", once),), f"] * {rounds}"))
        return call("nn.Sequential", _Rounds("*[", (("", once),), f" for _ in range({rounds})]"))
    steps, inputs = wiring(graph)
    told = [] if inputs == ["x"] else [Code("[", tuple(("", Code(f'"{name}"')) for name in inputs), "]")]
    modules = Code("{", tuple((f'"{name}": ', code) for name, code in codes.items()), "}")
    return call("Wired", modules, Code("[", tuple(("", Code(f'"{one}"')) for one in steps), "]"), *told)


def _step_code(graph: Graph, step: Step) -> Code:
    if isinstance(step.layer, FromModule):
        raise ZooError("it is written in Python as a torch module, whose source is its plugin's; layers can be ejected")
    if step.again in graph.weights:
        return call("nn.Identity")  # until it is tied
    if step.part is not None:
        return _labelled(step.layer, graph_code(step.part))
    return module_code(step.layer.module(*map(graph.shape_of, step.inputs)))


def _ties(graph: Graph, path: str, named: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the paths of modules that are those of graphs around them, each with the path of that."""
    named = dict(named)
    for step in graph.steps:
        inner = f"{path}{step.name}"
        if step.again in graph.weights:
            yield inner, named[step.again]
            continue
        named.setdefault(step.name, inner)
        if step.part is not None:
            yield from _ties(step.part, f"{inner}." if step.name else path, named)


class _Named(Code):
    """Code that goes by the name of a layer of the spec."""

    label: str


def _labelled(layer: Layer, code: Code) -> Code:
    if layer.label in GENERIC or isinstance(code, _Named):
        return code
    named = _Named(code.head, code.parts, code.tail)
    object.__setattr__(named, "label", layer.label)
    return named


class _Rounds(Code):
    """A list of as many as are asked for, each made anew; its part has no comma after it."""

    def lines(self, indent: int = 0, before: str = "", after: str = "") -> Iterator[str]:
        whole = " " * indent + before + self.flat() + after
        if len(whole) <= WIDTH:
            yield whole
            return
        yield " " * indent + before + "*["
        yield from self.parts[0][1].lines(indent + 4)
        yield " " * (indent + 4) + self.tail.strip()[:-1]
        yield " " * indent + "]" + after


class _Writer:
    """Turns what stands in several places, or bears a name, into functions."""

    def __init__(self, taken: set[str]) -> None:
        self.functions: list[str] = []
        self._uses: Counter[str] = Counter()
        self._labels: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self.taken = taken | set(keyword.kwlist) | {"nn", "torch", "Wired", "Rounds", "Tensor", "tied"}
        self._variants: Counter[str] = Counter()

    def count(self, code: Code, times: int = 1) -> None:
        """Note what the code consists of, and under which names."""
        if not code.parts:
            return
        text = code.flat()
        self._uses[text] += times
        if isinstance(code, _Named) and text not in self._labels:
            self._labels[text] = code.label
            self._variants[code.label] += 1
        for _, part in code.parts:
            self.count(part, 2 if isinstance(code, _Rounds) else 1)

    def function(self, name: str, code: Code, told: str = "") -> Iterator[str]:
        """Yield a function that makes what `code` makes; the functions that it calls are written before it."""
        body = self._outlined(code, top=True)
        yield f"def {name}() -> nn.Module:"
        if told:
            yield f'    """{told}"""'
        yield from body.lines(4, "return ")

    def _outlined(self, code: Code, top: bool = False) -> Code:
        """Return the code with calls of functions in place of what became one."""
        if not code.parts:
            return code
        text = code.flat()
        worth = len(text) >= LEAST and code.head.endswith("(") and (self._uses[text] > 1 or text in self._labels)
        if worth and not top:
            if text not in self._names:
                inner = self._with_parts(code)
                if len(inner.flat()) < LEAST:
                    return inner
                name = self._name(self._labels.get(text, "block"))
                self._names[text] = name
                self.functions.append("\n".join([f"def {name}() -> nn.Module:", *inner.lines(4, "return ")]))
            return Code(f"{self._names[text]}()")
        return self._with_parts(code)

    def _with_parts(self, code: Code) -> Code:
        kind = _Rounds if isinstance(code, _Rounds) else Code
        return kind(code.head, tuple((prefix, self._outlined(part)) for prefix, part in code.parts), code.tail)

    def _name(self, label: str) -> str:
        label = label if label.isidentifier() else "block"
        number = 1
        several = self._variants[label] != 1
        name = f"{label}_{number}" if several else label
        while name in self.taken:
            number += 1
            name = f"{label}_{number}"
        self.taken.add(name)
        return name


class _Classes:
    """The classes of modules that torch has not, with what their sources need."""

    def __init__(self) -> None:
        self._sources: dict[str, str] = {}
        self._imports: set[str] = {"from torch import nn"}

    def add(self, kind: type) -> None:
        self.take(kind.__name__, inspect.getmodule(kind))

    def sources(self) -> list[str]:
        return list(self._sources.values())

    def imports(self) -> list[str]:
        """Return the lines that import, in the order in which formatters want them."""
        merged: dict[str, set[str]] = {}
        plain = []
        for line in self._imports:
            if line.startswith("from "):
                module, _, names = line.removeprefix("from ").partition(" import ")
                merged.setdefault(module, set()).add(names)
            else:
                plain.append(line)
        lines = [*plain, *(f"from {module} import {', '.join(sorted(names))}" for module, names in merged.items())]
        standard = [line for line in lines if line.split()[1].split(".")[0] != "torch"]
        standard.sort(key=lambda line: (line.startswith("from"), line))
        torch_lines = sorted((line for line in lines if line not in standard), key=lambda line: line.startswith("from"))
        return [*standard, *([""] if standard else []), *torch_lines]

    def take(self, name: str, module: ModuleType | None) -> None:
        """Take in the source of a class or a function, and whatever of its own module it names."""
        if name in self._sources:
            return
        if module is None or module.__file__ is None:
            raise ZooError(f"the source of {name} is not to be found")
        tree = ast.parse(inspect.getsource(module))
        defined = {one.name: one for one in tree.body if isinstance(one, (ast.ClassDef, ast.FunctionDef))}
        constants: dict[str, ast.AST] = {}
        for one in tree.body:
            if isinstance(one, (ast.Assign, ast.AnnAssign)):
                targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                constants |= {target.id: one for target in targets if isinstance(target, ast.Name)}
        found = defined.get(name) or constants.get(name)
        if found is None:
            raise ZooError(f"the source of {name} does not stand at the top of {module.__name__}")
        source = ast.get_source_segment(inspect.getsource(module), found, padded=True) or ""
        imported = _imports(tree)
        for node in ast.walk(found):
            if not isinstance(node, ast.Name) or node.id == name:
                continue
            if node.id in imported:
                root = imported[node.id].split()[1].split(".")[0]
                if root not in ALLOWED:
                    raise ZooError(
                        f"{module.__name__}.{name} uses {node.id} of the package {root}; a file that imports only "
                        "torch cannot hold it"
                    )
                self._imports.add(imported[node.id])
            elif node.id in defined or node.id in constants:
                self.take(node.id, module)
        self._sources[name] = textwrap.dedent(source)


def _imports(tree: ast.Module) -> dict[str, str]:
    """Return the line that imports each name, those for type checkers included."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                shown = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                found[alias.asname or alias.name.split(".")[0]] = shown
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            for alias in node.names:
                shown = f"from {node.module} import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                found[alias.asname or alias.name] = shown
    return found


def _told(one: NetworkReport) -> str:
    shapes = (f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})" for shape in (one.input, one.output))
    return f"{' to '.join(shapes)}, without the batch; {one.cost.parameters:,} parameters."


def _docstring(report: Report) -> str:
    roles = " and ".join(f"the {role}" for role in report.networks)
    first = next(iter(report.networks))
    return "\n".join(
        [
            f'"""{roles[0].upper()}{roles[1:]} of the spec {report.spec.name} ({report.spec.hash[:8]}).',
            "",
            "Weights of a training, as torch tensors by name, fit in:",
            f"{first}().load_state_dict(weights).",
            '"""',
            "",
            "from __future__ import annotations",
        ]
    )


def _verify(text: str, modules: dict[str, nn.Module]) -> None:
    """Run the text, and hold what it makes against the networks. Raises ZooError at the first difference."""
    names: dict[str, Any] = {"__name__": "ejected"}
    exec(compile(text, "<ejected>", "exec"), names)
    for role, module in modules.items():
        with torch.device("meta"):
            made = names[role]().state_dict()
        wanted = module.state_dict()
        shapes = ({name: tuple(one.shape) for name, one in state.items()} for state in (wanted, made))
        for one, other in zip(*(list(state.items()) for state in shapes), strict=False):
            if one != other:
                raise ZooError(f"the {role} as it was written down differs: found {other[0]} {other[1]}, wanted {one}")
        if len(made) != len(wanted):
            raise ZooError(f"the {role} as it was written down has {len(made)} tensors; wanted {len(wanted)}")
