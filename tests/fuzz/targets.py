"""Readers of what strangers write, as functions of bytes: each gives something back or raises an error of Zoo's own.

`python tests/fuzz/targets.py NAME --seconds 60` runs one under atheris where that is installed,
which is guided by coverage, else under random changes of the seeds. What is found is mended, and its input put into
`tests/corpus/NAME/` under a name that says what it is; what is read without an error begins with "good".
"""

from __future__ import annotations

import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from support import builtin_registry

from zoo.errors import ZooError

CORPUS = Path(__file__).parent.parent / "corpus"
Target = Callable[[bytes, Path], object]


def spec(data: bytes, folder: Path) -> object:
    """The reader, with extends, variables, and the resolver."""
    from zoo.spec.load import load_spec

    path = folder / "spec.yaml"
    path.write_bytes(data)
    return load_spec(path, registry=builtin_registry())


def expression(data: bytes, folder: Path) -> object:
    """What stands in ${...}."""
    from zoo.spec.expression import ExpressionError, interpolate_text

    try:
        return interpolate_text(data.decode("utf-8", "replace"), {"width": 16, "names": ("a", "b"), "half": 0.5})
    except ExpressionError as error:
        raise ZooError(str(error)) from error


def layers(data: bytes, folder: Path) -> object:
    """Lists of layers, down to the graph and its costs."""
    from zoo.builder import Builder
    from zoo.checking import check
    from zoo.spec.load import load_spec

    try:
        written = json.loads(data)
    except (ValueError, RecursionError):
        return None
    registry = builtin_registry()
    given = {
        "zoo": 1,
        "name": "layers",
        "task": "classify",
        "data": {"noise": {"image": [1, 8, 8], "classes": 3, "train_images": 6, "test_images": 3}},
        "networks": {"classifier": {"architecture": {"layers": written}}},
        "train": {"steps": 1, "batch_size": 2},
    }
    return check(load_spec(given, registry=registry), Builder(registry)).to_data()


def archive(data: bytes, folder: Path) -> object:
    """A zip of pictures."""
    from zoo.data.importer import import_images

    path = folder / "pictures.zip"
    path.write_bytes(data)
    return import_images(path, size=8, skip_corrupt=True)


def picture(data: bytes, folder: Path) -> object:
    """An image file for a network."""
    from zoo.data.decoding import decode_file

    path = folder / "picture"
    path.write_bytes(data)
    return decode_file(path, 3, 8, 8)


def checkpoint(data: bytes, folder: Path) -> object:
    """A checkpoint's facts and tensors."""
    from zoo.training.checkpoint import read

    path = folder / "step-00000001.safetensors"
    path.write_bytes(data)
    return read(path)


def stored(data: bytes, folder: Path) -> object:
    """A set of the store."""
    import os

    from zoo.data.store import load

    os.environ["ZOO_DATA"] = str(folder)
    (folder / "mine.safetensors").write_bytes(data)
    return load("mine")


def certificate(data: bytes, folder: Path) -> object:
    """The certificate of an entry."""
    from zoo.publishing.certificate import Certificate

    (folder / "certificate.json").write_bytes(data)
    return Certificate.read(folder)


def record(data: bytes, folder: Path) -> object:
    """The facts, figures and metrics of a run."""
    from zoo.training.run import Run

    for name in ("run.json", "result.json", "evaluation.json", "metrics.jsonl"):
        (folder / name).write_bytes(data)
    run = Run(folder)
    for read in (run.facts, run.result, run.evaluation, run.metrics, lambda: run.data):
        with contextlib.suppress(ZooError):
            read()
    return None


TARGETS: dict[str, Target] = {
    one.__name__: one for one in (spec, expression, layers, archive, picture, checkpoint, stored, certificate, record)
}


def tried(name: str, data: bytes) -> ZooError | None:
    """Run a target once; return the error of Zoo's own that it ended with. Raises what it may not."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            TARGETS[name](data, Path(folder))
        except ZooError as error:
            str(error)
            return error
    return None


def seeds(name: str) -> list[Path]:
    """Return what the corpus has for a target."""
    return sorted((CORPUS / name).iterdir()) if (CORPUS / name).is_dir() else []


def changed(data: bytes, draw: random.Random) -> bytes:
    """Return data with a few changes such as fuzzers make."""
    found = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(found) + 1)
        size = min(draw.choice((1, 1, 2, 4, 16)), max(len(found) - at, 0))
        kind = draw.randrange(5)
        if kind == 0 and size:
            found[at : at + size] = draw.randbytes(size)
        elif kind == 1:
            del found[at : at + size]
        elif kind == 2:
            found[at:at] = found[at : at + 16] * draw.randint(1, 3)
        elif kind == 3 and size:
            found[at] ^= 1 << draw.randrange(8)
        else:
            found[at:at] = draw.choice((b"\x00", b"-1", b"1e999", b"null", b"[", b"{", b"}", b'"', b"9" * 30, b"\xff"))
    return bytes(found)


def search(name: str, seconds: float, seed: int = 0) -> tuple[int, list[Path]]:
    """Try changed seeds for some time; return how many, and the files of those that ended as they may not."""
    draw, kept, found = random.Random(seed), [path.read_bytes() for path in seeds(name)] or [b""], []
    until, count = time.monotonic() + seconds, 0
    known: set[str] = set()
    while time.monotonic() < until:
        data = changed(draw.choice(kept), draw)
        count += 1
        try:
            tried(name, data)
        except Exception as error:
            where = f"{type(error).__name__}: {error}"[:60]
            if where not in known:
                known.add(where)
                path = Path(tempfile.gettempdir()) / f"zoo-fuzz-{name}-{len(known)}-{type(error).__name__}"
                path.write_bytes(data)
                found.append(path)
                print(f"{path}: {where}", file=sys.stderr)
    return count, found


def main() -> None:
    import argparse

    given = argparse.ArgumentParser()
    given.add_argument("name", choices=TARGETS)
    given.add_argument("--seconds", type=int, default=60)
    chosen = given.parse_args()
    try:
        import atheris
    except ImportError:
        count, found = search(chosen.name, chosen.seconds)
        print(f"{chosen.name}: {count:,} changed seeds in {chosen.seconds} s, without atheris; {len(found)} found")
        return
    with atheris.instrument_imports(include=["zoo", "zoo_core", "zoo_torch", "zoo_images", "zoo_classifier"]):
        for path in seeds(chosen.name):
            tried(chosen.name, path.read_bytes())
    folder = tempfile.mkdtemp(prefix=f"zoo-fuzz-{chosen.name}-")
    # What is new goes into the first folder, what crashed beside it: into the corpus it is put by hand, with a name.
    options = [f"-max_total_time={chosen.seconds}", f"-artifact_prefix={folder}-", "-max_len=65536", "-timeout=20"]
    atheris.Setup([sys.argv[0], *options, folder, str(CORPUS / chosen.name)], lambda data: run(chosen.name, data))
    atheris.Fuzz()


def run(name: str, data: bytes) -> None:
    """Run a target for atheris, which wants nothing back."""
    tried(name, data)


if __name__ == "__main__":
    main()
