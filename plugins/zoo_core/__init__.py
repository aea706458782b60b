"""Built-in plugin: what every spec builds on, composites of layers and the limits of a budget."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl

COMPOSITES = {
    "scope": ("Scope", "Layers one after another whose names mean nothing outside."),
    "sequence": ("Sequence", "Layers one after another."),
    "repeat": ("Repeat", "The same layers several times."),
    "branches": ("Branches", "Parallel paths, added, multiplied or concatenated."),
    "residual": ("Residual", "Layers whose output is added to their input or its shortcut."),
}
NAMING = {
    "name": ("NameValue", "Gives the value that passes a name."),
    "from": ("From", "Goes on from a named value."),
    "add": ("Add", "Adds named values."),
    "multiply": ("Multiply", "Multiplies by named values."),
    "subtract": ("Subtract", "Takes named values away."),
    "concat": ("Concat", "Puts named values behind, along an axis."),
    "modulate": ("Modulate", "Scales and shifts each channel by named values."),
    "weights": ("Weights", "A layer whose weights bear a name, or that layer again."),
    "output": ("Output", "Gives the value that passes as a named output of the network."),
}
FORMS = {
    "for": ("each", "The layers once for each item of a list."),
    "let": ("let", "Names for values, in the layers inside."),
    "when": ("when", "Layers that stand there where a condition holds."),
}
LIMITS = {
    "parameters": "Trainable parameters; shared ones count once.",
    "macs": "Multiply-adds of one forward pass for one input.",
    "memory": "Bytes of activations at the peak of one forward pass for one input.",
    "steps": "Optimizer updates of each network.",
    "file_size": "Bytes of the saved weights.",
    "weights": "Bytes of the weights on a device, in int8 or fp32.",
    "arena": "Bytes of activations on a device at the peak of one forward pass, in int8 or fp32.",
}


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return the composites, the architecture that is written as layers, and the limits."""
    for name, (target, summary) in COMPOSITES.items():
        yield Component("layer", name, f"zoo.network.composites:{target}", summary)
    for name, (target, summary) in NAMING.items():
        yield Component("layer", name, f"zoo.network.naming:{target}", summary)
    for name, (target, summary) in FORMS.items():
        yield Component("layer", name, f"zoo_core.forms:{target}", summary)
    yield Component("architecture", "layers", "zoo_core.architectures:layers", "A network written as its layers.")
    yield Component("architecture", "trained", "zoo_core.trained:architecture", "A network that was trained before.")
    for name, summary in LIMITS.items():
        yield Component("limit", name, f"zoo_core.limits:{name}", summary)
