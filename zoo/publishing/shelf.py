"""The shelf: published entries by name, each a folder with spec, weights, certificate and card."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.data.identity import Identity
from zoo.errors import RunError, ShelfError, SpecError, closest
from zoo.publishing.certificate import WEIGHTS, Certificate, file_problems
from zoo.registry import Registry
from zoo.spec import shipped
from zoo.spec.load import load_spec
from zoo.spec.reader import FORMATS
from zoo.spec.schema import Spec
from zoo.training.run import Run, default_folder

CARD = "README.md"
#: What a browser shows, by the end of a file's name.
PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".svg": "image/svg+xml"}


class Entry:
    """A published entry. Opening one reads nothing; it gives trained networks as a run does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def label(self) -> str:
        """What the entry is called: the name of its folder."""
        return self.folder.name

    @property
    def samples(self) -> Path:
        """A folder of the user's: an entry is not written to."""
        return Path("samples") / self.label

    @cached_property
    def certificate(self) -> Certificate:
        """What the entry says of itself. Raises ShelfError when it cannot be read."""
        return Certificate.read(self.folder)

    @property
    def data(self) -> Identity | None:
        # Before the certificate is written, the entry is only being made.
        return self.certificate.data.identity() if shipped.is_entry(self.folder) else None

    @property
    def frozen(self) -> Mapping[str, Mapping[str, str]]:
        return self.certificate.frozen if shipped.is_entry(self.folder) else {}

    @property
    def began_from(self) -> Mapping[str, Mapping[str, Any]]:
        return self.certificate.began_from if shipped.is_entry(self.folder) else {}

    @property
    def spec_path(self) -> Path:
        return self.folder / shipped.SPEC

    def spec(self, registry: Registry, overrides: Sequence[str] = ()) -> Spec:
        return load_spec(self.spec_path, overrides=overrides, registry=registry)

    def seeds(self) -> dict[int, Run]:
        """Return nothing: one training's weights ship."""
        return {}

    def looks(self) -> dict[str, int]:
        """Return how often test images were measured on before it was published, by occasion, over all trainings."""
        return self.certificate.looks()

    def pictures(self) -> dict[Path, str]:
        """Return the pictures of its folder, each with what the card says that it shows."""
        try:
            card = (self.folder / CARD).read_text(encoding="utf-8")
        except (OSError, ValueError):
            card = ""
        said = {file: text for text, file in re.findall(r"^!\[(.+)\]\((.+)\)$", card, re.MULTILINE)}
        return {
            path: said.get(path.name, path.stem.replace("-", " ").replace("_", " "))
            for path in sorted(self.folder.iterdir())
            if path.suffix.lower() in PICTURES
        }

    def weights(self) -> Path:
        if shipped.is_entry(self.folder):
            for problem in file_problems(self.folder, self.certificate.weights):
                raise ShelfError(f"{self.folder}: {problem}; this entry is damaged")
        return self.folder / WEIGHTS


def entries(folders: Sequence[Path] = ()) -> dict[str, Entry]:
    """Return every entry by its name: those that ship, those in `folders`, and those in the working folder's shelf."""
    return {name: Entry(folder) for name, folder in sorted(shipped.entries(folders).items())}


def find(name: str | Path, registry: Registry, folders: Sequence[Path] = ()) -> Run | Entry:
    """Return the run or the entry that `name` stands for.

    A folder is what lies in it. A name is the shelf's entry where there is one; otherwise it is a spec, by name or
    file, and stands for the run in the folder that the spec trains in. Raises RunError when there is no such run.
    """
    folder = Path(name)
    if folder.is_dir():
        return Entry(folder) if shipped.is_entry(folder) else Run.open(folder)
    if str(name) in (known := shipped.entries(folders)):
        return Entry(known[str(name)])
    try:
        folder = default_folder(load_spec(str(name), registry=registry, folders=folders))
    except SpecError:
        if folder.suffix.lower() in FORMATS:
            raise
        if not folder.exists():
            hint = closest(str(name), known) or "wanted the folder of a run, or a name of `zoo list shelf`"
            raise RunError(f"{name}: there is no such folder and no published entry; {hint}") from None
    return Run.open(folder)
