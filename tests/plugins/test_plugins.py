"""Plugins: found one at a time, and a broken one harms no other."""

from __future__ import annotations

import re
import signal
import sys
import textwrap
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest

import zoo
from zoo.errors import PluginError
from zoo.plugins import GROUP, Plugin, assemble, discover
from zoo.registry import Component, Provider, Registry

SOUND = """
from zoo import Component, hookimpl

@hookimpl
def zoo_components():
    yield Component("activation", "bend", "sound:bend", "Bends.")
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Write modules, load each as a plugin of its own name, and return what came of them by name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def go(**modules: str) -> dict[str, Plugin]:
        points = []
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
            sys.modules.pop(name, None)
            points.append(EntryPoint(name, name, GROUP))
        return {plugin.provider.plugin: plugin for plugin in discover(points)}

    return go


def test_a_sound_plugin_is_loaded(load) -> None:  # type: ignore[no-untyped-def]
    plugin = load(sound=SOUND)["sound"]
    assert plugin.error == ""
    assert plugin.components == [Component("activation", "bend", "sound:bend", "Bends.")]


BROKEN = {
    "import_error": (
        "import nothing_like_this",
        "its import failed: ModuleNotFoundError: No module named 'nothing_like_this'",
    ),
    "exits": ("import sys\nsys.exit(3)", "its import failed: SystemExit: 3"),
    "syntax": ("def (", "its import failed: SyntaxError: invalid syntax (syntax.py, line 1)"),
    "misspelled": (
        "from zoo import hookimpl\n@hookimpl\ndef zoo_component():\n    return []",
        "PluginValidationError: unknown hook 'zoo_component' in plugin",
    ),
    "unmarked": ("def zoo_components():\n    return []", "hook 'zoo_components' is not marked with @zoo.hookimpl"),
    "unmarked_and_misspelled": (
        "def zoo_specz():\n    return []",
        "unknown hook 'zoo_specz'; the hooks are zoo_commands, zoo_components, zoo_specs",
    ),
    "arguments": (
        "from zoo import hookimpl\n@hookimpl\ndef zoo_components(registry):\n    return []",
        "PluginValidationError: Plugin 'arguments' for hook 'zoo_components' hookimpl definition: "
        "zoo_components(registry) Argument(s) {'registry'} are declared in the hookimpl",
    ),
    "raises": (
        "from zoo import hookimpl\n@hookimpl\ndef zoo_components():\n    raise ValueError('no luck')",
        "ValueError: no luck",
    ),
    "raises_midway": (
        "from zoo import Component, hookimpl\n@hookimpl\ndef zoo_components():\n"
        "    yield Component('norm', 'fine', 'a:b')\n    raise KeyError('midway')",
        "KeyError: 'midway'",
    ),
    "wrong_record": (
        "from zoo import hookimpl\n@hookimpl\ndef zoo_components():\n    return ['relu']",
        "zoo_components returned 'relu'; wanted Component records",
    ),
    "bad_name": (
        "from zoo import Component, hookimpl\n@hookimpl\ndef zoo_components():\n    return [Component('norm', 'Best', 'a:b')]",
        "norm 'Best': a name is lower case, with digits and underscores after the first letter",
    ),
    "bad_kind": (
        "from zoo import Component, hookimpl\n@hookimpl\ndef zoo_components():\n    return [Component('norms', 'best', 'a:b')]",
        "best: unknown kind 'norms'; wanted one of layer, activation, norm, architecture, initializer, loss, "
        "adversarial_loss, optimizer, schedule, dataset, augmentation, metric, extractor, task, limit, callback, tracker",
    ),
    "bad_target": (
        "from zoo import Component, hookimpl\n@hookimpl\ndef zoo_components():\n    return [Component('norm', 'best', 'a.b')]",
        "norm best: target 'a.b' is not 'package.module:attribute'",
    ),
    "twice": (
        "from zoo import Component, hookimpl\n@hookimpl\ndef zoo_components():\n"
        "    return [Component('norm', 'best', 'a:b'), Component('norm', 'best', 'a:c')]",
        "norm 'best' of plugin twice is already the norm 'best' of plugin twice",
    ),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_plugin_is_dropped_with_its_reason(name: str, load) -> None:  # type: ignore[no-untyped-def]
    text, reason = BROKEN[name]
    plugins = load(**{name: text, "sound": SOUND})
    assert plugins[name].error.startswith(reason)
    assert plugins[name].components == []
    assert assemble(list(plugins.values())).registry.names("activation") == ["bend"]


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "GeneratorExit", "BaseException('enough')"])
def test_an_import_that_raises_anything_is_one_broken_plugin(error: str, load) -> None:  # type: ignore[no-untyped-def]
    plugins = load(odd=f"raise {error}", sound=SOUND)
    assert plugins["odd"].error.startswith(f"its import failed: {error.partition('(')[0]}")
    assert plugins["sound"].error == ""


def test_what_a_user_interrupts_ends(load) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(KeyboardInterrupt):
        load(slow="import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass")


def test_a_hook_that_interrupts_is_one_broken_plugin(load) -> None:  # type: ignore[no-untyped-def]
    text = "from zoo import hookimpl\n@hookimpl\ndef zoo_specs():\n    raise KeyboardInterrupt"
    assert load(odd=text)["odd"].error == "KeyboardInterrupt, which nobody pressed"


@pytest.mark.parametrize(
    "hang", ["while True: pass", "import time\nwhile True:\n    try: time.sleep(9)\n    except Exception: pass"]
)
def test_an_import_that_hangs_is_given_up(hang: str, load, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ZOO_PLUGIN_SECONDS", "0.05")
    plugins = load(hangs=hang, sound=SOUND)
    assert plugins["hangs"].error == (
        "its import failed: it took more than 0.05 seconds; leave it out with ZOO_PLUGINS=name,name, which names the "
        "others, or give it more with ZOO_PLUGIN_SECONDS"
    )
    assert plugins["sound"].error == ""


def test_what_takes_long_is_told(load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("zoo.isolation.IMPATIENT", 0.02)
    monkeypatch.setenv("ZOO_PLUGIN_SECONDS", "0.1")
    assert load(hangs="while True: pass")["hangs"].error
    assert capsys.readouterr().err == "still importing the plugin hangs; without it: ZOO_PLUGINS=name,name\n"


def test_nothing_that_an_import_prints_reaches_stdout(load, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    text = "import os, sys\nprint('one')\nos.write(1, b'two\\n')\nsys.__stdout__.write('three\\n')"
    load(loud=text)
    print("result")
    out, err = capfd.readouterr()
    assert out == "result\n"
    assert sorted(err.split()) == ["one", "three", "two"]


def test_the_import_of_a_target_is_isolated_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "odd_target.py").write_text("print('loud')\nraise KeyboardInterrupt")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError, match="norm odd: odd_target:Norm cannot be imported: .*KeyboardInterrupt"):
        Component("norm", "odd", "odd_target:Norm").load()
    assert capfd.readouterr() == ("", "loud\n")


def test_signals_are_as_before(load) -> None:  # type: ignore[no-untyped-def]
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    load(sound=SOUND, odd="raise KeyboardInterrupt")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_plugin_for_another_version_of_zoo_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "zoo_new-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-new\nVersion: 1.0\nRequires-Dist: speczoo>=99\n")
    (info / "entry_points.txt").write_text("[zoo]\nnew = zoo_new\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (plugin,) = discover(Distribution.at(info).entry_points)
    assert str(plugin.provider) == "new (zoo-new 1.0)"
    assert plugin.error == f"it wants speczoo>=99, and this is {zoo.__version__}; pip install 'speczoo>=99'"


def test_one_plugin_that_is_installed_twice_is_one(load) -> None:  # type: ignore[no-untyped-def]
    load(sound=SOUND)
    assert len(discover([EntryPoint("sound", "sound", GROUP)] * 2)) == 1


@pytest.mark.parametrize("given", ["'specs'", "5", "Path('specs')"])
def test_a_hook_that_returns_no_list_is_named(given: str, load) -> None:  # type: ignore[no-untyped-def]
    text = f"from pathlib import Path\nfrom zoo import hookimpl\n@hookimpl\ndef zoo_specs():\n    return {given}"
    assert load(odd=text)["odd"].error.endswith("; wanted a list, also of one")
    assert load(odd=text)["odd"].error.startswith("zoo_specs returned ")


def test_of_two_plugins_with_one_name_the_later_is_known_by_its_plugins_name_too(
    load,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugins = list(load(sound=SOUND, other=SOUND).values())
    found = assemble(plugins)
    told = (
        "activation 'bend' of plugin sound is already the activation 'bend' of plugin other; "
        "it is known as 'sound:bend' here"
    )
    assert found.clashes == [told]
    assert found.registry.names("activation") == ["bend", "sound:bend"]
    assert found.registry.provider(found.registry.get("activation", "bend")).plugin == "other"
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match=re.escape(told)):
        assemble(plugins)


def test_layers_activations_and_norms_share_their_names() -> None:
    registry = Registry.of([Component("norm", "bend", "a:b")])
    with pytest.raises(PluginError, match="activation 'bend' of plugin two is already the norm 'bend' of plugin local"):
        registry.add(Component("activation", "bend", "a:b"), Provider("two"))


def test_strict_plugins_make_a_broken_one_an_error(load, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ZOO_STRICT_PLUGINS", "1")
    plugins = load(broken="import nothing_like_this", sound=SOUND)
    with pytest.raises(PluginError, match="plugin broken: its import failed: ModuleNotFoundError"):
        assemble(list(plugins.values()))


def test_plugins_can_be_chosen(load, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ZOO_PLUGINS", "sound")
    assert list(load(broken="import nothing_like_this", sound=SOUND)) == ["sound"]


def test_a_choice_that_is_not_installed_is_an_error(load, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ZOO_PLUGINS", "sound,silent")
    with pytest.raises(PluginError, match="ZOO_PLUGINS names silent; installed are: sound"):
        load(sound=SOUND)


def test_a_provider_shows_package_and_version() -> None:
    assert str(Provider("snake", "zoo-snake", "0.1.0")) == "snake (zoo-snake 0.1.0)"
    assert str(Provider("snake")) == "snake"


def test_an_unknown_name_gets_the_closest(load) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PluginError, match="no norm is called 'batchnorm'; did you mean 'batch_norm'?"):
        Registry.of([Component("norm", "batch_norm", "a:b")]).get("norm", "batchnorm")


def test_a_target_that_does_not_import_is_named() -> None:
    with pytest.raises(PluginError, match="norm gone: nothing.here:Norm cannot be imported: ModuleNotFoundError"):
        Component("norm", "gone", "nothing.here:Norm").load()
