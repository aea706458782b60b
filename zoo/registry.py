"""The registry: frozen records of everything that a spec can name, and who provides it."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from zoo.errors import PluginError, closest, listing
from zoo.isolation import isolated

NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
FULL_NAME = re.compile(r"([A-Za-z0-9_.-]+:)?[a-z][a-z0-9_]*\Z")  # with the plugin, where the name alone is another's
TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*\Z")

#: What each kind of component is for. Kinds of one family share their names: a `layers` list can use any of them.
KINDS: dict[str, str] = {
    "layer": "a part of a network: its shape, its cost and its module",
    "activation": "a layer that bends each value",
    "norm": "a layer that normalises its input",
    "architecture": "a function from options to layers, or to a module",
    "initializer": "the values that weights begin with",
    "loss": "a function of predictions and targets",
    "adversarial_loss": "what discriminator and generator minimise, functions of the discriminator's logits",
    "optimizer": "a function from parameters to an optimizer",
    "schedule": "the factor on the learning rate, a function of the step",
    "dataset": "images with labels",
    "augmentation": "a random change of a batch of images, drawn for each image",
    "metric": "numbers about the images that a network makes, held against real ones",
    "extractor": "a network that turns images into features to be compared",
    "task": "what is trained and measured: the roles of the networks, a step, an evaluation",
    "limit": "a bound that a spec has to keep",
    "callback": "what is done after every so many steps of a training",
    "tracker": "a place outside the run folder that metrics are written to",
}
LAYER_FAMILY = ("layer", "activation", "norm", "architecture")


@dataclass(frozen=True, slots=True)
class Component:
    """One thing that a spec can name.

    `target` is "package.module:attribute"; it is imported only when the component is used. `source` names the
    paper or page that it comes from.
    """

    kind: str
    name: str
    target: str
    summary: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise PluginError(f"{self.name}: unknown kind {self.kind!r}; wanted one of {', '.join(KINDS)}")
        if not FULL_NAME.match(self.name):
            raise PluginError(
                f"{self.kind} {self.name!r}: a name is lower case, with digits and underscores after the first letter"
            )
        if not TARGET.match(self.target):
            raise PluginError(f"{self.kind} {self.name}: target {self.target!r} is not 'package.module:attribute'")

    def load(self) -> Any:
        """Import the target and return it. Raises PluginError when it cannot be imported."""
        module_name, _, attribute = self.target.partition(":")
        try:
            target: Any = sys.modules.get(module_name) or _imported(module_name, f"the {self.kind} {self.name}")
            for part in attribute.split("."):
                target = getattr(target, part)
        except Exception as error:
            raise PluginError(
                f"{self.kind} {self.name}: {self.target} cannot be imported: {type(error).__name__}: {error}"
            ) from error
        return target


def _imported(name: str, what: str) -> ModuleType:
    with isolated(what):
        return importlib.import_module(name)


@dataclass(frozen=True, slots=True)
class Provider:
    """The plugin that a component comes from: its entry point's name and its distribution with the version."""

    plugin: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        package = f"{self.distribution} {self.version}".strip()
        return f"{self.plugin} ({package})" if package else self.plugin


@dataclass
class Registry:
    """Components by kind and name. An instance is passed to whoever needs one; there is no global registry."""

    _components: dict[tuple[str, str], Component] = field(default_factory=dict)
    _providers: dict[tuple[str, str], Provider] = field(default_factory=dict)
    #: What the signatures of its components say, by identities of these, which stand beside: read once, by resolvers.
    options: dict[int, tuple[Any, Any]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, components: Iterable[Component], provider: str = "local") -> Registry:
        """Return a registry of just these components."""
        registry = cls()
        for component in components:
            registry.add(component, Provider(provider))
        return registry

    def add(self, component: Component, provider: Provider) -> None:
        """Register `component`. Raises PluginError when its name is taken in its kind or family of kinds."""
        if taken := self.taken(component, provider):
            raise PluginError(f"{taken}; uninstall one of them, or choose plugins with ZOO_PLUGINS=name,name")
        self.put(component, provider)

    def put(self, component: Component, provider: Provider) -> None:
        """Register `component` in the place of whatever has its kind and name."""
        self._components[component.kind, component.name] = component
        self._providers[component.kind, component.name] = provider

    def holds(self, component: Component, provider: Provider) -> bool:
        """Whether it is `provider` that has a component of this kind and name."""
        return self._providers.get((component.kind, component.name)) == provider

    def taken(self, component: Component, provider: Provider) -> str:
        """Say who has the name of a component already; nothing where nobody has."""
        for kind in LAYER_FAMILY if component.kind in LAYER_FAMILY else (component.kind,):
            if (kind, component.name) in self._components:
                return (
                    f"{component.kind} {component.name!r} of plugin {provider} is already the {kind} "
                    f"{component.name!r} of plugin {self._providers[kind, component.name]}"
                )
        return ""

    def find(self, kinds: Iterable[str], name: str) -> Component | None:
        """Return the component called `name` of one of `kinds`, or None."""
        for kind in kinds:
            if (kind, name) in self._components:
                return self._components[kind, name]
        return None

    def get(self, kind: str, name: str) -> Component:
        """Return one component. Raises PluginError with the closest name when there is none."""
        found = self.find((kind,), name)
        if found is None:
            names = self.names(kind)
            raise PluginError(f"no {kind} is called {name!r}; {closest(name, names) or 'there are: ' + listing(names)}")
        return found

    def names(self, *kinds: str) -> list[str]:
        """Return the sorted names of `kinds`."""
        return sorted(name for kind, name in self._components if kind in kinds)

    def provider(self, component: Component) -> Provider:
        """Return who provides `component`."""
        return self._providers[component.kind, component.name]

    def __iter__(self) -> Iterator[Component]:
        order = list(KINDS)
        return iter(sorted(self._components.values(), key=lambda one: (order.index(one.kind), one.name)))

    def __len__(self) -> int:
        return len(self._components)
