"""`zoo data`: data sets in, shown, out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli import options
from zoo.cli.group import Group

if TYPE_CHECKING:
    from zoo.data.layout import LeftOut


OF_IMAGES = {"ground": "white", "skip_corrupt": False}  # options that say something by themselves


@click.group(cls=Group, short_help="Bring in, show and remove data sets.")
def data() -> None:
    """Bring in, show and remove data sets."""


@data.command("list", short_help="List the data sets that a spec can name.")
@options.as_json
def list_sets(as_json: bool) -> None:
    """List the data sets that a spec can name, and whether they are on this machine."""
    from zoo.cli import units
    from zoo.cli.sets import known_sets
    from zoo.cli.terminal import Terminal

    found = known_sets()
    if as_json:
        options.print_json(found)
        return
    rows = []
    for one in found:
        info = one["info"]
        facts = ("missing", "", "", "", "")
        if info:
            counts = (units.count(info["train_images"]), units.count(info["test_images"]))
            classes = units.count(info["classes"]) if info["classes"] else ""
            facts = ("here", units.shape(info["image"]), classes, *counts)
        rows.append((one["name"], *facts, one["summary"] if info else one["problem"]))
    terminal = Terminal()
    terminal.table(
        ("name", "state", "image", "classes", "train", "test", "note"),
        rows,
        right=("classes", "train", "test"),
        fold=("note",),
        drop=("image", "test", "train", "classes"),
    )


@data.command(short_help="Bring in a data set.")
@click.argument("name")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A folder or zip of train/<class>/* and test/<class>/*, or of <class>/* with --test-fraction; or a file of a "
    "table or of arrays.",
)
@click.option(
    "--size",
    type=click.IntRange(1, 4096),
    metavar="N",
    help="Cut the largest square out of each image's middle and scale it to N x N pixels.",
)
@options.ground
@options.levels
@click.option("--skip-corrupt", is_flag=True, help="Leave out images that cannot be taken.")
@click.option(
    "--test-fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="F",
    help="Cut this share of each class out for testing, where there is no test folder or file.",
)
@click.option("--target", "targets", multiple=True, metavar="COLUMN", help="What is to be learnt; can be repeated.")
@click.option(
    "--as",
    "kind",
    type=click.Choice(("class", "classes", "numbers")),
    help="What the target is: one class, whether each of several is there, numbers.",
)
@click.option("--without", multiple=True, metavar="COLUMN", help="A column to leave out; can be repeated.")
@click.option("--items", metavar="ARRAY", help="The array that holds the items, where there are several.")
@click.option("--tokens", type=click.IntRange(1), metavar="N", help="The items are tokens, whole numbers below N.")
@click.option("--test", type=click.Path(path_type=Path), metavar="FILE", help="A file of the test items.")
@options.as_json
def add(name: str, source: Path | None, as_json: bool, **how: Any) -> None:
    """Bring in the data set NAME from a folder, zip or file; cifar10 and cifar100 are downloaded without --from.

    A set of your own is then `data: {images: NAME}` in a spec. Images of every kind that Pillow reads are taken, also
    in folders below those of the classes. Files that are left out are counted, with the reason.

    A table (.csv, .tsv, .parquet, a matrix in .npy) or arrays (.npy, .npz, .safetensors) become `data: {arrays: NAME}`:
    the columns or arrays that --target names are what is to be learnt, the others the items.
    """
    from zoo.cli.progress import counting
    from zoo.cli.sets import add_arrays, add_images, facts_of, find_download, is_here
    from zoo.cli.terminal import Terminal
    from zoo.data import store
    from zoo.data.arrays import Chosen
    from zoo.data.tables import SUFFIXES

    status, left_out = Terminal("status"), []
    of_arrays = {key: how.pop(key) for key in ("targets", "kind", "without", "items", "tokens", "test")}
    if is_here(name):
        if source is not None:
            raise click.UsageError(f"the data set {name!r} is here already; `zoo data remove {name}` makes room for it")
        status.line(f"the data set {name!r} is here already")
    elif source is None:
        if how != dict.fromkeys(how) | OF_IMAGES:
            raise click.UsageError("--size, --ground, --range, --skip-corrupt and --test-fraction are for --from PATH")
        if any(of_arrays.values()):
            raise click.UsageError("--target, --as, --without, --items, --tokens and --test are for --from FILE")
        fetch = find_download(name)
        status.line(f"downloading {name}")
        store.save(name, fetch())
    elif source.suffix.lower() in SUFFIXES:
        fraction = how.pop("test_fraction")
        if how != dict.fromkeys(how) | OF_IMAGES:
            raise click.UsageError("--size, --ground, --range and --skip-corrupt are for images")
        test, tokens = of_arrays.pop("test"), of_arrays.pop("tokens") or 0
        add_arrays(name, source, Chosen(**of_arrays, tokens=tokens), test=test, test_fraction=fraction)
    else:
        if any(of_arrays.values()):
            raise click.UsageError(
                f"--target, --as, --without, --items, --tokens and --test are for files of {', '.join(SUFFIXES)}"
            )
        with counting(status, "images") as progress:
            found = add_images(name, source, progress=progress, **how)
        left_out = [one._asdict() for one in (*found.passed_over, *found.corrupt)]
        for what, some in (("file", found.passed_over), ("corrupt image", found.corrupt)):
            _tell(status, what, some)
    if as_json:
        options.print_json({**facts_of(name), "left_out": left_out})
    else:
        _show(name, Terminal())


@data.command(short_help="Show a data set.")
@click.argument("name")
@options.as_json
def show(name: str, as_json: bool) -> None:
    """Show what is known of a data set: shapes, counts, statistics, names of its classes."""
    from zoo.cli.sets import facts_of
    from zoo.cli.terminal import Terminal

    if as_json:
        options.print_json(facts_of(name))
    else:
        _show(name, Terminal())


@data.command(short_help="Read stored sets whole and compare them with their fingerprints.")
@click.argument("name", required=False)
@options.as_json
@click.pass_context
def verify(context: click.Context, name: str | None, as_json: bool) -> None:
    """Read stored data sets whole: is the content what its fingerprint says?

    NAME is one set; all that are stored unless given. A set that is not what it says exits with 5.
    """
    from zoo.cli.sets import verify_set
    from zoo.cli.terminal import Terminal
    from zoo.data import store
    from zoo.errors import DataError

    documents = []
    for one in store.stored() if name is None else [name]:
        try:
            documents.append(verify_set(one))
        except DataError as error:
            documents.append({"name": one, "path": None, "fingerprint": None, "problems": [str(error)]})
    if as_json:
        options.print_json(documents)
    else:
        terminal = Terminal()
        for found in documents:
            told = "; ".join(found["problems"]) or f"as its fingerprint says, {found['fingerprint'][:16]}"
            terminal.line(f"{found['name']}: {told}", style="bold red" if found["problems"] else "")
        if not documents:
            terminal.line("no data set is stored on this machine")
    context.exit(DataError.exit_code if any(found["problems"] for found in documents) else 0)


@data.command(short_help="Delete a data set from this machine.")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Delete a data set from this machine."""
    from zoo.cli import units
    from zoo.cli.terminal import Terminal, ask
    from zoo.data import store

    path = store.path_of(name)
    if path.exists() and not yes and not ask(f"delete {path} ({units.size(path.stat().st_size)})?"):
        raise click.UsageError("nothing was deleted; say --yes to delete without being asked")
    store.remove(name)
    Terminal().line(f"deleted {path}")


@data.command(short_help="Print the folder of the data sets.")
def path() -> None:
    """Print the folder that data sets are kept in; ZOO_DATA chooses another one."""
    from zoo.data.store import data_folder
    from zoo.text import visible

    click.echo(visible(str(data_folder())))


def _tell(status: Any, what: str, left_out: Iterable[LeftOut]) -> None:
    """Print how many files were left out for which reason, with the names of the first."""
    from zoo.cli import units
    from zoo.errors import listing

    reasons: dict[str, list[str]] = {}
    for name, reason in left_out:
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        status.line(f"{units.some(len(names), what)} left out, {reason}: {listing(names, 3)}")


def _show(name: str, terminal: Any) -> None:
    from zoo.cli import units
    from zoo.cli.sets import facts_of

    facts = facts_of(name)
    info = facts["info"]
    images = info["items"] == "images"
    noun = "images" if images else "items"
    rows = [("name", name)]
    rows += [("image", units.shape(info["image"]))] if images else [("items", _items(info))]
    rows += [("classes", units.count(info["classes"]))] if info["target"] == "class" else [("targets", _targets(info))]
    rows += [
        (f"training {noun}", units.count(info["train_images"])),
        (f"test {noun}", units.count(info["test_images"])),
        ("mean", _listed(info["mean"])),
        ("deviation", _listed(info["std"])),
    ]
    if info["features"]:
        rows.append(("features", ", ".join(info["features"])))
    if info["target"] == "numbers":
        rows += [("mean of the target", _listed(info["target_mean"])), ("its deviation", _listed(info["target_std"]))]
    if facts["path"]:
        rows += [
            ("fingerprint", facts["fingerprint"][:16]),
            ("file", f"{facts['path']} ({units.size(facts['bytes'])})"),
        ]
        rows.append(("names", ", ".join(facts["class_names"])))
        if facts["class_counts"]:
            rows.append((f"{noun} of a class", _counts(facts["class_counts"])))
        rows += _imported(facts.get("imported", {}))
    terminal.table(("data set", "what is known"), rows, fold=("what is known",))


def _items(info: dict[str, Any]) -> str:
    """Say of what kind, shape and type items are."""
    from zoo.cli import units

    if info["items"] == "tokens":
        return f"{info['image'][0]} tokens of {info['tokens']:,}"
    kept = "pixels, given to networks in 0..1" if info["values"] == "pixels" else "numbers of 32 bits, as they are"
    return f"{info['items']} of {units.shape(info['image'])}: {kept}"


def _targets(info: dict[str, Any]) -> str:
    from zoo.cli import units

    if info["target"] == "classes":
        return f"any of {info['classes']:,} classes"
    return f"numbers: {units.shape(info['target_shape'])}" if info["target"] == "numbers" else "none"


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.5f}" if abs(value) < 1e5 else f"{value:.6g}" for value in values)


def _counts(of_class: dict[str, dict[str, int]]) -> str:
    """Return how many images each class has to train and to test with, once where all have as many."""
    texts = {label: f"{one['train']:,} + {one['test']:,}" for label, one in of_class.items()}
    if len(set(texts.values())) == 1:
        return f"{next(iter(texts.values()))} (training + test) in each"
    return f"{', '.join(f'{label} {text}' for label, text in texts.items())} (training + test)"


def _imported(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what was done to the files that a set was made of."""
    if not facts:
        return []
    if "targets" in facts:
        share = facts["test_fraction"]
        return [("test items are", f"{share:g} of the file, cut out")] if share else []
    red, green, blue = facts["ground"]
    under = f"under {facts['transparent']:,} transparent images" if facts["transparent"] else "no image is transparent"
    rows = [("ground", f"#{red:02x}{green:02x}{blue:02x}, {under}")]
    if facts["size"]:
        rows.append(("size", f"the largest square in the middle, scaled to {facts['size']}x{facts['size']}"))
    if facts["levels"]:
        black, white = facts["levels"]
        rows.append(("range", f"greys of more than 8 bits from {black:g} (black) to {white:g} (white)"))
    if facts["test_fraction"]:
        rows.append(("test images are", f"{facts['test_fraction']:g} of each class, cut out"))
    return rows
