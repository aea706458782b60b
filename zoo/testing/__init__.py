"""Hold a plugin's components to the contracts of their kinds, by one test that pytest runs for each.

from zoo.testing import checks

@checks("zoo-shiny")
def test_contract(check):
    check()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.plugins import Installed, Plugin, installed
from zoo.registry import Component, Registry


class Unchecked(Exception):
    """Raised by a check that cannot be made here; pytest tells it as skipped."""


@dataclass(frozen=True)
class Check:
    """One thing that a component, a spec or a plugin has to keep. Calling it raises AssertionError unless it does."""

    subject: str
    contract: str
    run: Callable[[], None]

    def __str__(self) -> str:
        return f"{self.subject}: {self.contract}"

    def __call__(self) -> None:
        try:
            self.run()
        except Unchecked as reason:
            import pytest

            pytest.skip(f"{self}: {reason}")
        except AssertionError as error:
            raise AssertionError(f"{self}: {error}") from error


def checks(package: str, *, options: Mapping[str, Mapping[str, Any]] | None = None) -> Any:
    """Return a decorator that runs a test of one argument, `check`, once for each thing that a plugin has to keep.

    package: the name of a distribution or of a plugin in it. options: for components that cannot do without, by
    `kind/name`; others are tried with their defaults, and those without a default with a value that their type allows.
    """
    import pytest

    return pytest.mark.parametrize("check", checks_of(package, options=options), ids=str)


def checks_of(
    package: str, *, options: Mapping[str, Mapping[str, Any]] | None = None, found: Installed | None = None
) -> list[Check]:
    """Return all checks of a package's plugins."""
    found = found or installed()
    plugins = [one for one in found.plugins if package in (one.provider.plugin, one.provider.distribution)]
    if not plugins:
        known = ", ".join(sorted({one.provider.distribution or one.provider.plugin for one in found.plugins}))
        return [Check(package, "it is installed", lambda: _fail(f"it is not; installed are: {known}"))]
    made = [Check(f"plugin {one.provider.plugin}", "it is sound", _sound(one)) for one in plugins]
    for plugin in plugins:
        made += checks_of_components(plugin.components, found.registry, options or {})
        made += _of_specs(plugin)
    return made


def checks_of_components(
    components: Iterable[Component], registry: Registry, options: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Check]:
    """Return the checks of some components, which find others by the registry."""
    from zoo.testing.kinds import contracts

    made = []
    for one in components:
        given = (options or {}).get(f"{one.kind}/{one.name}")
        for contract, run in contracts(one, registry, given):
            made.append(Check(f"{one.kind} {one.name}", contract, run))
    return made


def _of_specs(plugin: Plugin) -> list[Check]:
    from zoo.testing.kinds import spec_works

    files = [path for folder in plugin.specs if folder.is_dir() for path in sorted(folder.iterdir())]
    return [
        Check(f"spec {path.stem}", "it can work and keeps its limits", lambda path=path: spec_works(path))  # type: ignore[misc]
        for path in files
        if path.suffix in (".yaml", ".yml", ".json")
    ]


def _sound(plugin: Plugin) -> Callable[[], None]:
    def run() -> None:
        assert not plugin.error, plugin.error
        for folder in plugin.specs:
            assert folder.is_dir(), f"zoo_specs names {folder}, which is no folder"

    return run


def _fail(text: str) -> None:
    raise AssertionError(text)
