"""The plugin $name: what it adds to Zoo."""

from pathlib import Path

from zoo import Component, hookimpl


@hookimpl
def zoo_components():
    """Return the components. Targets are text, so that listing them imports nothing."""
    yield Component("architecture", "${name}_net", "zoo_$name.networks:net", summary="A plain convolutional network.")
    yield Component("activation", "${name}_bend", "zoo_$name.activations:Bend", summary="x * tanh(scale * x)")


@hookimpl
def zoo_specs():
    """Return the folders of specs that come with the plugin."""
    return [Path(__file__).parent / "specs"]
