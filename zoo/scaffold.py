"""A plugin package to begin with, written from the templates beside this file."""

from __future__ import annotations

import importlib.util
import keyword
from pathlib import Path
from string import Template

from zoo import __version__
from zoo.distribution import NAME as DISTRIBUTION
from zoo.errors import ZooError
from zoo.registry import NAME

TEMPLATES = Path(__file__).parent / "templates" / "plugin"


def create_plugin(name: str, folder: Path) -> list[Path]:
    """Write the package zoo-NAME into `folder` and return its files.

    Raises ZooError for a name that no plugin can have, for one whose package is installed already, and for a folder
    that exists; then nothing is written.
    """
    if not NAME.match(name) or keyword.iskeyword(name):
        raise ZooError(
            f"{name!r} cannot name a plugin; a name is lower case, with digits and underscores after the first letter"
        )
    top = folder / f"zoo-{name}"
    if top.exists():
        raise ZooError(f"{top}: it exists; choose another name or --folder, or delete it")
    if importlib.util.find_spec(f"zoo_{name}") is not None:
        raise ZooError(f"a plugin with the package zoo_{name} is installed already; choose another name")
    values, written = {"name": name, "zoo": DISTRIBUTION, "version": __version__}, []
    try:
        for template in sorted(TEMPLATES.rglob("*.tmpl")):
            target = top / _renamed(template.relative_to(TEMPLATES).with_suffix(""), name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(template.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
            written.append(target)
    except OSError as error:
        raise ZooError(f"{top}: it cannot be written ({error.strerror}); choose another --folder") from error
    return written


def _renamed(path: Path, name: str) -> Path:
    parts = [f"zoo_{name}" if part == "package" else part for part in path.parts]
    return Path(*parts[:-1], f"{name}-shapes.yaml" if parts[-1] == "spec.yaml" else parts[-1])
