"""`zoo export`: a trained network as one file for where it will run, which is run before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from zoo.cli import options

MOST_NAMES = 6  # of layers that stayed in float


@click.command(short_help="Write a trained network as one file for where it will run.")
@click.argument("name")
@click.option("--to", "to", type=click.Choice(("onnx", "pt2")), default="onnx", show_default=True, help="The target.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="A new file to write.")
@click.option(
    "--outputs",
    type=click.Choice(("probabilities", "logits", "images")),
    show_default="probabilities; images of a generator",
    help="What the file gives.",
)
@click.option(
    "--pixels",
    type=click.Choice(("uint8", "float")),
    default="uint8",
    show_default=True,
    help="Images as bytes, or as floats in 0..1.",
)
@click.option("--label", "classes", metavar="CLASS", help="The one class that a generator's file makes.")
@click.option("--int8", is_flag=True, help="Quantize a classifier to 8 bits, calibrated on training images.")
@click.option("--opset", type=int, help="The opset of an ONNX file; 20 unless given.")
@options.overrides
@options.other_data
@options.as_json
def export(
    name: str,
    to: str,
    out: Path | None,
    outputs: str | None,
    pixels: str,
    classes: str | None,
    int8: bool,
    opset: int | None,
    overrides: Sequence[str],
    other_data: bool,
    as_json: bool,
) -> None:
    """Write a trained network as one file for where it will run.

    NAME is a published entry, or the folder of a run. The file takes images as they are and gives what was asked for,
    for any number at once: normalisation, and of a diffusion all its steps, are inside, and so are the names of the
    classes. It is run against Zoo with two batch sizes, on test images where they are here, and one that does not agree
    is not kept. A classifier's file is measured on all test images. What was found is written beside it, as FILE.json.
    """
    from zoo import api
    from zoo.cli.commands.sample import class_numbers
    from zoo.cli.terminal import Terminal
    from zoo.delivery.export import default_path, delivery

    trained = api.load(name, overrides=overrides, other_data=other_data)
    path = out or default_path(trained, to, int8=int8)
    if path.exists():
        raise click.UsageError(f"{path} is there already; choose another name with --out, or remove it")
    label = class_numbers(trained, [classes], 1)[0] if classes is not None else None
    say = Terminal("status").line
    made = delivery(trained, outputs=outputs, pixels=pixels, label=label, say=say).write(
        to, path, opset=opset, int8=int8
    )
    if as_json:
        options.print_json({"path": str(made.path), **made.facts})
        return
    _tell(made.facts, Terminal())
    Terminal().line(str(made.path))


def _tell(facts: dict[str, Any], terminal: Any) -> None:
    agreed = facts["agreement"]
    batches = " and ".join(map(str, agreed["batches"]))
    terminal.line(f"size: {facts['bytes']:,} bytes")
    terminal.line(f"differs from Zoo by {agreed['difference']:.2g} at most ({agreed['on']}, batches of {batches})")
    if "test" in facts:
        test = facts["test"]
        terminal.line(
            f"the file's top-1 on {test['images']:,} test images: {test['top1']:.2%} (Zoo: {test['top1_eager']:.2%}); "
            f"the same class for {test['same_class']:.2%}"
        )
    if "not_measured" in facts:
        terminal.line(f"not measured on test images: {facts['not_measured']}")
    if "int8" in facts:
        kept = facts["int8"]["float_layers"]
        shown = ", ".join(kept[:MOST_NAMES]) + (f" and {len(kept) - MOST_NAMES} more" if len(kept) > MOST_NAMES else "")
        terminal.line(f"in int8: {facts['int8']['quantized_layers']} operations; in float: {shown or 'none'}")
