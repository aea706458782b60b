"""Built-in plugin: places outside the run folder that metrics are written to, and what watches weights."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl

TRACKERS = {
    "tensorboard": ("TensorBoard", "Event files for TensorBoard, in the run's folder.", "https://www.tensorflow.org/tensorboard"),
    "mlflow": ("MLflow", "A run in an MLflow store: a database file, or a server.", "https://mlflow.org"),
    "trackio": ("Trackio", "A run in Trackio's database on this machine.", "https://github.com/gradio-app/trackio"),
    "wandb": ("WandB", "A run of Weights & Biases, kept here until `wandb sync`.", "https://wandb.ai"),
}  # fmt: skip


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return the trackers and the callback."""
    for name, (target, summary, source) in TRACKERS.items():
        yield Component("tracker", name, f"zoo_trackers.trackers:{target}", summary, source)
    summary = "Logs how far weights have moved since the last look, as a share of their length."
    yield Component("callback", "update_ratios", "zoo_trackers.ratios:UpdateRatios", summary)
