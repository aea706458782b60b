"""Pages about several trainings: the table, figures against costs, and what decides in a study."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo import api
from zoo.drawing.page import Block, Chart, Details, Grid, Page, Table
from zoo.registry import Registry
from zoo.reports.study import comparison_page, importance, is_study, study_page
from zoo.sweeps import comparison
from zoo.sweeps.comparison import COSTS, Comparison, Row


def row(registry: Registry, number: int, top1: float | None, parameters: int, lr: float) -> Row:
    spec = api.load_spec("quickstart", registry=registry)
    figures = {} if top1 is None else {"validation_top1": {0: top1}}
    costs = dict.fromkeys(COSTS, parameters)
    return Row(f"runs/study/trial-{number:04}", "", spec, figures, costs, [1.0], 0, True, {"optimizer.adam.lr": lr})


def four(registry: Registry) -> Comparison:
    rows = [
        row(registry, 0, 0.3, 1000, 1e-4),
        row(registry, 1, 0.5, 2000, 1e-3),
        row(registry, 2, 0.4, 3000, 1e-2),
        row(registry, 3, None, 4000, 1e-1),
    ]
    rows[0].pareto = rows[1].pareto = True
    directions = {"validation_top1": "maximize", **dict.fromkeys(COSTS, "minimize")}
    return Comparison(rows, ["validation_top1"], directions)


def of_kind(page: Page, kind: type) -> list:  # type: ignore[type-arg]
    def inside(blocks: list[Block]) -> list[Block]:
        return [
            found
            for one in blocks
            for found in ([one] if isinstance(one, kind) else inside([*one.blocks]) if isinstance(one, (Grid, Details)) else [])
        ]  # fmt: skip

    return inside([*page.head, *(block for section in page.sections for block in section.blocks)])


def test_the_best_stand_first_and_those_without_a_figure_last(registry: Registry) -> None:
    (table,) = of_kind(comparison_page(four(registry)), Table)
    assert table.columns == ["run", "validation_top1", "n", "parameters", "multiply-adds", "lr"]
    assert [one[0] for one in table.rows] == ["trial-0001\xa0*", "trial-0002", "trial-0000\xa0*", "trial-0003"]
    assert [one[1] for one in table.rows] == ["0.5000", "0.4000", "0.3000", ""]


def test_figures_against_costs_mark_what_no_other_beats(registry: Registry) -> None:
    first, second = of_kind(comparison_page(four(registry)), Chart)
    assert (first.title, second.title) == (
        "Validation top1 against parameters",
        "Validation top1 against multiply-adds",
    )
    marks = first.spec["data"]["values"]
    assert [(one["name"], one["x"], one["y"], one["best"]) for one in marks] == [
        ("trial-0000", 1000, 0.3, True),
        ("trial-0001", 2000, 0.5, True),
        ("trial-0002", 3000, 0.4, False),
    ]
    assert first.alt.endswith("Not beaten by any other: trial-0000, trial-0001.")


@pytest.fixture
def study(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a study whose figure is its learning rate alone."""
    optuna = pytest.importorskip("optuna", reason="studies need optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    monkeypatch.setattr("zoo.reports.study.compare", lambda *_, **__: four(registry))
    found = optuna.create_study(
        study_name="s",
        storage=f"sqlite:///{tmp_path / 'study.db'}",
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    found.optimize(lambda one: one.suggest_float("a.lr", 0, 1) + 0 * one.suggest_int("a.width", 1, 9), n_trials=20)
    return tmp_path


def test_what_decides_is_optunas_importance(study: Path) -> None:
    assert is_study(study)
    shares = importance(study)
    assert list(shares) == ["lr", "width"]
    assert shares["lr"] > 0.8
    assert abs(sum(shares.values()) - 1) < 1e-6


def test_a_study_shows_importance_threads_and_costs(study: Path, registry: Registry) -> None:
    page = study_page(study, api.Builder(registry))
    titles = [chart.title for chart in of_kind(page, Chart)]
    assert titles[:2] == ["Importance", "Values of the trials"]
    (threads,) = [chart for chart in of_kind(page, Chart) if chart.title == "Values of the trials"]
    assert threads.alt == "A line for each of 3 trials through its values to validation_top1; the best is trial-0001."
    places = {(one["trial"], one["axis"]): one["place"] for one in threads.spec["data"]["values"]}
    # The learning rates lie apart by magnitude.
    assert [places[f"trial-000{n}", "lr"] for n in range(3)] == pytest.approx([0, 0.5, 1])
    assert places["trial-0001", "validation_top1"] == 1
    assert threads.wide is not None


def test_a_study_in_a_database_elsewhere_has_no_importance(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "sweep.json").write_text("{}")
    assert is_study(tmp_path)
    with pytest.raises(api.ZooError, match="the study lies in a database elsewhere"):
        importance(tmp_path)


def test_stars_go_by_a_figure_that_all_have(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(registry, 0, 0.3, 1000, 1e-4), row(registry, 1, None, 2000, 1e-3)]
    rows[0].figures["test_top1"], rows[1].figures["test_top1"] = {0: 0.2}, {0: 0.4}
    monkeypatch.setattr(comparison, "_found", lambda source, *_: [("", rows[int(source)])])
    monkeypatch.setattr(comparison, "_add", lambda found, _, one, __: found.update({one.label: one}))
    assert comparison.compare(["0", "1"], api.Builder(registry)).by == "test_top1"
