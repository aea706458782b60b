"""`zoo calibrate`: what a metric says of real images that are damaged more and more."""

from __future__ import annotations

import click

from zoo.cli import options


@click.command(short_help="Show how a metric answers to damaged real images.")
@click.argument("metric")
@click.option("--data", "data", default="cifar100", show_default=True, help="The data set, as a spec names it.")
@click.option("--images", type=click.IntRange(2), default=10_000, show_default=True, help="Training images to damage.")
@options.other_data
@options.as_json
def calibrate(metric: str, data: str, images: int, other_data: bool, as_json: bool) -> None:
    """Show how a metric answers to damaged real images.

    METRIC is written as in a spec, such as 'frechet_distance: {extractor: {zoo: RUN}}'. Training images, whole and
    then with blur, noise, compression, other hues, missing classes and copies, are held against the test images: a
    metric that does not get worse from line to line of one damage is blind to it. An extractor that was trained on
    other data than its data set holds here is refused without --other-data.
    """
    from zoo import api
    from zoo.cli import units
    from zoo.cli.terminal import Terminal
    from zoo.data.soundness import load_sound
    from zoo.evaluation.calibration import calibrate as measure
    from zoo.plugins import installed
    from zoo.spec.reader import read_text
    from zoo.spec.schema import TrainSpec
    from zoo.training.allocator import keep_memory
    from zoo.training.engine import choose

    keep_memory()
    builder = api.Builder(installed().registry)
    parts = [
        builder.bind(builder.resolver.component_from((kind,), read_text(text, where, "yaml").data()))
        for kind, text, where in (("metric", metric, "METRIC"), ("dataset", data, "--data"))
    ]
    dataset = load_sound(parts[1], data)
    status = Terminal("status")
    rows = []
    device = choose(TrainSpec(steps=1)).device
    for row in measure(parts[0], dataset, images, device, other_data=other_data):
        status.line(f"{row['damage']}, {row['level']}")
        rows.append(row)
    if as_json:
        found = {"metric": metric, "data": data, "data_fingerprint": dataset.fingerprint, "images": images}
        options.print_json({**found, "rows": rows})
        return
    names = list(rows[0])
    shown = [
        [units.figure(value) if isinstance(value, float) else str(value) for value in row.values()] for row in rows
    ]
    Terminal().table(names, shown, right=names[2:], drop=names[:2:-1])
