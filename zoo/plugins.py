"""Plugins: found by entry point in the group `zoo`, loaded one at a time, each drained inside its own `try`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from inspect import isroutine
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

import zoo
from zoo.distribution import GROUP, is_own, unmet
from zoo.errors import PluginError
from zoo.isolation import isolated
from zoo.registry import Component, Provider, Registry
from zoo.text import visible

if TYPE_CHECKING:
    import click

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Hooks:
    """What a plugin can offer. Each hook takes no argument and is called once."""

    @hookspec
    def zoo_components(self) -> Iterable[Component]:  # type: ignore[empty-body]
        """Return the components that the plugin adds, as records."""

    @hookspec
    def zoo_specs(self) -> Iterable[Path]:  # type: ignore[empty-body]
        """Return folders of specs that the plugin ships; each spec is then known by its file's stem."""

    @hookspec
    def zoo_commands(self) -> Iterable[click.Command]:  # type: ignore[empty-body]
        """Return click commands that the plugin adds to `zoo`."""


class Manager(pluggy.PluginManager):
    """pluggy's manager; of what stands in a module it looks at the functions alone, since each look takes long."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        if isinstance(plugin, ModuleType) and not isroutine(vars(plugin).get(name)):
            return None
        return super().parse_hookimpl_opts(plugin, name)


@dataclass
class Plugin:
    """One plugin and what it offered; `error` says why it was dropped, or is empty."""

    provider: Provider
    components: list[Component] = field(default_factory=list)
    specs: list[Path] = field(default_factory=list)
    commands: list[click.Command] = field(default_factory=list)
    error: str = ""
    module: str = ""  # of its entry point

    def packages(self) -> set[str]:
        """Return the top-level packages that its code is in, Zoo's own left out."""
        modules = [self.module, *(one.target.partition(":")[0] for one in self.components)]
        return {one.partition(".")[0] for one in modules} - {"", "zoo"}


@dataclass
class Installed:
    """All plugins of this environment and the registry of the sound ones.

    `clashes` say which of their names were another plugin's already.
    """

    plugins: list[Plugin]
    registry: Registry
    clashes: list[str] = field(default_factory=list)

    @property
    def broken(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.error]

    def spec_folders(self) -> list[Path]:
        """Return the folders of specs that plugins ship."""
        return [folder for plugin in self.plugins for folder in plugin.specs]

    def commands(self) -> dict[str, tuple[click.Command, Provider]]:
        """Return the plugins' commands by name, with their providers; of two of one name the first."""
        found: dict[str, tuple[click.Command, Provider]] = {}
        for plugin in self.plugins:
            for command in plugin.commands:
                found.setdefault(getattr(command, "name", None) or repr(command), (command, plugin.provider))
        return found


def discover(points: Iterable[EntryPoint] | None = None) -> list[Plugin]:
    """Load every plugin that is installed and selected: Zoo's own, then others, in the order of their names.

    `ZOO_PLUGINS=name,name` selects. A plugin that fails is returned with its error and offers nothing.
    """
    # Many plugins come in one package, whose metadata is parsed anew by each question for its name or version.
    package = cache(Package.of)

    def order(point: EntryPoint) -> tuple[bool, str]:
        # What Zoo ships comes first, so that no plugin takes the place of a name that specs know.
        return point.dist is None or not package(point.dist).own, point.name

    # An environment may hold Zoo twice, under its name and under the one that it had before.
    points = reversed(list(entry_points(group=GROUP) if points is None else points))
    found = sorted({(point.name, point.value): point for point in points}.values(), key=order)
    wanted = {name.strip() for name in os.environ.get("ZOO_PLUGINS", "").split(",") if name.strip()}
    unknown = wanted - {point.name for point in found}
    if unknown:
        known = ", ".join(point.name for point in found)
        raise PluginError(f"ZOO_PLUGINS names {', '.join(sorted(unknown))}; installed are: {known or 'none'}")
    return [_load(point, package) for point in found if not wanted or point.name in wanted]


def assemble(plugins: list[Plugin]) -> Installed:
    """Return the registry of the sound plugins.

    A component whose name is another plugin's already is known as `plugin:name` alone. With `ZOO_STRICT_PLUGINS=1` that
    is a PluginError, and so is a broken plugin.
    """
    registry, clashes = Registry(), []
    commands: dict[str, Provider] = {}
    for plugin in plugins:
        for component in plugin.components:
            if taken := registry.taken(component, plugin.provider):
                component = replace(component, name=f"{plugin.provider.plugin}:{component.name}")
                clashes.append(f"{taken}; it is known as {component.name!r} here")
            registry.add(component, plugin.provider)
        for name in (getattr(one, "name", None) or repr(one) for one in plugin.commands):
            if name in commands:
                clashes.append(
                    f"command {name!r} of plugin {plugin.provider} is already that of plugin {commands[name]}; "
                    "it is left out; choose plugins with ZOO_PLUGINS=name,name"
                )
            commands.setdefault(name, plugin.provider)
    wrong = [f"plugin {plugin.provider}: {plugin.error}" for plugin in plugins if plugin.error] + clashes
    if wrong and os.environ.get("ZOO_STRICT_PLUGINS", "") not in ("", "0"):
        raise PluginError("\n".join(wrong))
    return Installed(plugins, registry, clashes)


@lru_cache(maxsize=1)
def installed() -> Installed:
    """Return the plugins of this environment; a broken one, and a name that two claim, is told once on stderr."""
    found = assemble(discover())
    dropped = [f"plugin {plugin.provider} was dropped: {plugin.error}" for plugin in found.broken]
    for text in (*dropped, *found.clashes):
        print(visible(f"warning: {text}"), file=sys.stderr)
    return found


class Package(NamedTuple):
    """What a plugin was installed with: name and version, what it wants, and whether it is Zoo itself."""

    name: str
    version: str
    requires: tuple[str, ...]
    own: bool

    @classmethod
    def of(cls, distribution: Distribution) -> Package:
        """Read a distribution's metadata."""
        metadata = distribution.metadata
        requires = tuple(metadata.get_all("Requires-Dist") or ())
        return cls(metadata["Name"], metadata["Version"], requires, is_own(distribution))


def _load(point: EntryPoint, of: Callable[[Distribution], Package]) -> Plugin:
    package = of(point.dist) if point.dist else None
    provider = Provider(point.name, package.name, package.version) if package else Provider(point.name)
    if package and not package.own and (wanted := unmet(package.requires)):
        return Plugin(provider, error=f"it wants {wanted}, and this is {zoo.__version__}; pip install '{wanted}'")
    what = f"the plugin {provider}"
    try:
        with isolated(what):
            module = point.load()
    except Exception as error:
        return Plugin(provider, error=f"its import failed: {_reason(error)}")
    try:
        with isolated(what):
            return _drained(point, module, provider)
    except Exception as error:
        return Plugin(provider, error=_reason(error))


def _drained(point: EntryPoint, module: Any, provider: Provider) -> Plugin:
    """Return what the hooks of an imported plugin offer."""
    manager = Manager(GROUP)
    manager.add_hookspecs(Hooks)
    manager.register(module, name=point.name)
    _refuse_misspelled(module, manager)
    plugin = Plugin(provider, module=point.module)
    plugin.components = _drain(manager, "zoo_components", Component)
    plugin.specs = [Path(folder) for folder in _drain(manager, "zoo_specs", (str, Path))]
    plugin.commands = _drain(manager, "zoo_commands", object)
    Registry.of(plugin.components, provider.plugin)
    return plugin


def _drain(manager: pluggy.PluginManager, hook: str, wanted: Any) -> list[Any]:
    items: list[Any] = []
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        offered = implementation.function()
        if isinstance(offered, (str, bytes, Path)) or (offered is not None and not isinstance(offered, Iterable)):
            raise PluginError(f"{hook} returned {offered!r}; wanted a list, also of one")
        for item in offered or ():
            if not isinstance(item, wanted):
                raise PluginError(f"{hook} returned {item!r}; wanted {getattr(wanted, '__name__', 'a path')} records")
            items.append(item)
    return items


def _refuse_misspelled(module: Any, manager: pluggy.PluginManager) -> None:
    """Refuse a hook that does not exist, marked or not: pluggy alone ignores an unmarked or misspelled one."""
    manager.check_pending()
    known = {name for name in dir(Hooks) if name.startswith("zoo_")}
    marked = {impl.function.__name__ for name in known for impl in getattr(manager.hook, name).get_hookimpls()}
    for name, value in vars(module).items():
        if not name.startswith("zoo_") or not callable(value):
            continue
        if name not in known:
            raise PluginError(f"unknown hook {name!r}; the hooks are {', '.join(sorted(known))}")
        if name not in marked:
            raise PluginError(f"hook {name!r} is not marked with @zoo.hookimpl")


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, PluginError) else f"{type(error).__name__}: {text}".rstrip(": ")
