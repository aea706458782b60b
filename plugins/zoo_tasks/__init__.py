"""Built-in plugin: tasks of numbers, of several labels and of no label, and the metrics over what a task predicts."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl

TASKS = {
    "regress": ("regress:Regress", "Items into numbers; mean absolute error, root mean square error, R2.", ""),
    "multilabel": ("multilabel:Multilabel", "Items into any number of classes; F1 and exact matches.", ""),
    "autoencode": (
        "autoencode:Autoencode",
        "Items into few numbers and back; variational with a weight of its divergence.",
        "Kingma and Welling 2013, arXiv:1312.6114",
    ),
}
METRICS = {
    "top_k": ("TopK", "Share of the items whose class is among the k most probable.", ""),
    "calibration_error": (
        "CalibrationError",
        "How far probability and share of hits lie apart.",
        "Guo et al. 2017, arXiv:1706.04599, equation 3",
    ),
    "confusion": ("Confusion", "How often each class is taken for which.", ""),
    "macro_f1": ("MacroF1", "Mean of the classes' F1.", ""),
    "mean_absolute_error": ("MeanAbsoluteError", "Mean distance of numbers.", ""),
    "root_mean_square_error": ("RootMeanSquareError", "Root of the mean square of the distances.", ""),
    "r2": ("R2", "Share of the variance that is explained.", ""),
}


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return the tasks and the metrics."""
    for name, (target, summary, source) in TASKS.items():
        yield Component("task", name, f"zoo_tasks.{target}", summary, source)
    for name, (target, summary, source) in METRICS.items():
        yield Component("metric", name, f"zoo_tasks.metrics:{target}", summary, source)
