"""From finished runs to an entry: what it holds, and what is refused."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from publishing_support import CLASSIFIER, edit, rewrite
from safetensors.torch import load_file
from support import changed

import zoo
from zoo.builder import Builder
from zoo.errors import BudgetError, DataError, RunError, ShelfError
from zoo.evaluation.run import evaluate_run
from zoo.evaluation.trained import Trained
from zoo.publishing.certificate import verify
from zoo.publishing.publish import publish
from zoo.publishing.shelf import Entry, find
from zoo.spec import shipped
from zoo.spec.load import load_spec
from zoo.spec.reader import read
from zoo.spec.schema import hash_of
from zoo.training.loop import train
from zoo.training.run import Run

Take = Callable[..., Run]


# What an entry holds


def test_an_entry_is_a_folder_of_its_own(published: Entry) -> None:
    assert published.folder == Path("shelf/tiny")
    names = {path.name for path in published.folder.iterdir()}
    assert names == {"spec.yaml", "weights.safetensors", "certificate.json", "README.md", "predictions.png"}
    assert sorted(path.name for path in Path("shelf").glob("[!.]*")) == ["tiny", "tiny-gan"]


def test_an_entry_is_what_its_certificate_says(published: Entry, published_gan: Entry, builder: Builder) -> None:
    assert verify(published.folder, builder) == []
    assert verify(published_gan.folder, builder) == []


def test_an_entry_says_whose_weights_it_began_from(take: Take, builder: Builder) -> None:
    before = take("seed-0")
    written = changed(CLASSIFIER, networks__classifier__init={"trained": {"source": "seed-0", "without": ["5"]}})
    spec = load_spec(written, registry=builder.registry)
    entry = publish([train(spec, builder, Path("after")).folder], builder, name="after", to=Path("shelf"))
    origin = entry.certificate.began_from["classifier"]
    assert origin["sha256"] == Trained.load(before, builder).sha256
    assert "The classifier began from tiny (weights `" in (entry.folder / "README.md").read_text()
    assert verify(entry.folder, builder) == []
    judged = zoo.judge_submission("cifar100-classify-100k", entry.folder, registry=builder.registry)
    assert "networks.classifier.init: trained" in [one.found for one in judged.rulings if one.state == "broken"]
    assert "began_from" not in published_text(before, builder)


def published_text(run: Run, builder: Builder) -> str:
    return (publish([run.folder], builder, name="plain", to=Path("shelf")).folder / "certificate.json").read_text()


def test_the_spec_is_that_of_the_run_to_the_letter(published: Entry) -> None:
    assert published.spec_path.read_bytes() == Path("seed-0/spec.yaml").read_bytes()
    assert published.certificate.spec_hash == Run(Path("seed-0")).facts()["spec_hash"]


def test_figures_have_mean_deviation_count_and_values_of_each_seed(published: Entry) -> None:
    values = {str(seed): (Run(Path(f"seed-{seed}")).result() or {})["test"]["top1"] for seed in range(3)}
    figure = published.certificate.figure("test", "top1")
    assert figure is not None
    assert (figure.values, figure.n) == (values, 3)
    assert figure.mean == pytest.approx(statistics.fmean(values.values()))
    assert figure.std == pytest.approx(statistics.stdev(values.values()))


def test_figures_on_what_was_held_out_are_those_of_the_last_step(published: Entry) -> None:
    last = [line for line in Run(Path("seed-1")).metrics() if "validation_top1" in line][-1]
    figure = published.certificate.figure("validation", "top1")
    assert figure is not None and figure.values["1"] == last["validation_top1"]


def test_a_figure_that_one_run_knows_says_that_it_is_one(take: Take, builder: Builder) -> None:
    runs = [take("seed-0"), take("seed-1")]
    evaluate_run(runs[1], builder, ["train"])
    figure = publish([run.folder for run in runs], builder).certificate.figure("train", "top1")
    assert figure is not None
    assert (figure.n, figure.std, list(figure.values)) == (1, None, ["1"])


def test_the_lowest_seed_ships_whatever_the_order(take: Take, builder: Builder) -> None:
    folders = [take("seed-2").folder, take("seed-1").folder]
    certificate = publish(folders, builder).certificate
    assert (certificate.seeds, certificate.shipped_seed) == ([1, 2], 1)
    assert certificate.shipped_because == "it is the lowest of the seeds; no figure was asked"


def test_the_weights_are_the_averaged_network_and_nothing_else(published: Entry) -> None:
    held = load_file(next(Path("seed-0/checkpoints").glob("*-00000006.safetensors")))
    averaged = {name: one for name, one in held.items() if ".average.module." in name}
    shipped = load_file(published.weights())
    assert len(shipped) == len(averaged) > 0
    for name, tensor in averaged.items():
        assert torch.equal(tensor, shipped[name.replace(".average.module.", ".network.")])


def test_what_is_loaded_says_the_same_as_the_run(published: Entry, builder: Builder) -> None:
    images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    one, other = (Trained.load(source, builder) for source in (published, Run(Path("seed-0"))))
    assert torch.equal(one.probabilities(images), other.probabilities(images))
    assert one.step == other.step == 6


def test_all_networks_of_a_game_ship(published_gan: Entry, builder: Builder) -> None:
    certificate = published_gan.certificate
    assert list(certificate.parameters) == ["total", "generator", "discriminator"]
    assert certificate.parameters["total"] == sum(list(certificate.parameters.values())[1:])
    trained, run = (Trained.load(source, builder) for source in (published_gan, Run(Path("gan"))))
    assert torch.equal(trained.draw(range(3)), run.draw(range(3)))
    assert torch.equal(trained.judge(trained.draw(range(3))), run.judge(run.draw(range(3))))


def test_a_distance_keeps_what_it_was_measured_with(published_gan: Entry) -> None:
    (measured,) = published_gan.certificate.measurements
    assert measured["extractor"] == "zoo:tiny"
    assert (measured["trained_with_seed"], measured["seeds"], measured["generated_images"]) == (0, [0, 1], 30)
    figure = published_gan.certificate.figure("test", measured["name"])
    assert figure is not None and (figure.mean, figure.n, figure.std) == (measured["mean"], 1, None)
    assert published_gan.certificate.figure("test", f"{measured['name']}_std") is None


def test_the_record_names_no_folder_and_no_host(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    words = ["/usr/bin/zoo", "train", "/home/ada/tiny.yaml", "--run", "/home/ada/runs/1", "--set", "train.seed=0"]
    run.write_facts({**run.facts(), "command": words})
    certificate = publish([run.folder], builder).certificate
    assert certificate.command == "zoo train tiny.yaml --set train.seed=0"
    assert set(certificate.machine) == {"processor", "cores", "memory_gib", "system"}


def test_the_card_tells_what_must_be_known(published: Entry) -> None:
    card = (published.folder / "README.md").read_text()
    for title in ("Intended use and limits", "Figures", "Cost", "What is not comparable", "Data", "Training"):
        assert f"\n## {title}\n" in card
    assert "| test | top1 | " in card and "zoo predict tiny IMAGE..." in card
    assert "n counts trainings: seeds 0, 1, 2." in card
    assert "measured on 4 times over all trainings: 3 after the last step, 1 for the spot check below." in card
    assert "Drawn by Zoo; free for any use." in card and "(predictions.png)" in card


def test_the_card_of_a_generator_says_that_its_distance_is_no_fid(published_gan: Entry) -> None:
    card = (published_gan.folder / "README.md").read_text()
    assert "They are no FID." in card and "zoo sample tiny-gan" in card
    assert "One training: what another seed would give is not known." in card
    assert "(samples.png)" in card and (published_gan.folder / "samples.png").is_file()


def test_notes_stand_on_the_card(take: Take, builder: Builder) -> None:
    entry = publish([take("seed-0").folder], builder, name="noted", notes=["The paper measured otherwise."])
    assert "- The paper measured otherwise.\n" in (entry.folder / "README.md").read_text()
    assert entry.certificate.name == "noted"


def test_a_run_of_several_seeds_is_published_whole(take: Take, builder: Builder) -> None:
    certificate = publish([several(take, builder).folder], builder).certificate
    assert certificate.seeds == [0, 1, 2]
    assert certificate.test_looks == {"0": {"train": 1, "publish": 1}, "1": {"train": 1}, "2": {"train": 1}}


def several(take: Take, builder: Builder) -> Run:
    """Return a run of three seeds, which were trained before."""
    one = take("seed-0", "run/seed-0")
    for seed in (1, 2):
        take(f"seed-{seed}", f"run/seed-{seed}")
    spec = load_spec(one.spec_path, overrides=["train.seeds=3"], registry=builder.registry)
    run = Run(Path("run"))
    run.begin(spec, {"data": one.facts()["data"], "seeds": [0, 1, 2]})
    return run


def test_a_run_from_before_an_option_existed_is_published(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    written = read(run.spec_path).data()
    del written["task"]["classify"]["normalize"]
    run.spec_path.write_text(json.dumps(written))
    reseal(run, hash_of(written))
    entry = publish([run.folder], builder)
    assert entry.certificate.spec_hash == hash_of(written) != entry.spec(builder.registry).hash
    assert verify(entry.folder, builder) == []


def reseal(run: Run, spec_hash: str) -> None:
    """Let a run be one of another spec, as if it had been trained by it."""
    run.write_facts({**run.facts(), "spec_hash": spec_hash})
    rewrite(run.weights(), facts={"spec": spec_hash})


# What is refused


def refused(folders: list[Path], builder: Builder, error: type[zoo.ZooError], message: str, **options: Any) -> None:
    """Hold that publishing says `message`, and leaves nothing behind."""
    before = sorted(Path("shelf").rglob("[!.]*"))
    with pytest.raises(error, match=message):
        publish(folders, builder, **options)
    assert sorted(Path("shelf").rglob("[!.]*")) == before


def test_a_run_that_is_not_finished_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    (run.folder / "result.json").unlink()
    refused([run.folder], builder, RunError, "seed-0: it is not finished: .* step 6 of 6; repeat its `zoo train`")


def test_a_run_of_several_seeds_that_lacks_one_is_refused(take: Take, builder: Builder) -> None:
    run = several(take, builder)
    shutil.rmtree(run.folder / "seed-2")
    refused([run.folder], builder, RunError, "run/seed-2: there is no such folder")


def test_a_result_without_its_last_checkpoint_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    path = run.weights()
    path.rename(path.with_name("step-00000003.safetensors"))
    rewrite(run.weights(), facts={"step": 3})
    refused([run.folder], builder, RunError, "its newest checkpoint is of step 3 of 6")


def test_a_folder_without_a_run_is_refused(take: Take, builder: Builder) -> None:
    take("seed-0")
    refused([Path("nowhere")], builder, RunError, "nowhere: there is no such folder")


def test_a_run_that_breaks_its_budget_now_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    written = read(run.spec_path).data()
    written["budget"]["parameters"]["bound"] = 100
    run.spec_path.write_text(json.dumps(written))
    reseal(run, hash_of(written))
    with pytest.raises(BudgetError, match="tiny: parameters: .* of 100") as caught:
        publish([run.folder], builder)
    assert caught.value.exit_code == 10


def test_a_network_that_was_updated_too_often_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    rewrite(run.weights(), facts={"updates": {"classifier": 7}})
    refused([run.folder], builder, RunError, "classifier was updated 7 times; its spec counts 6")


def test_a_spec_that_was_changed_afterwards_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    edit(run.spec_path, "batch_size: 16", "batch_size: 8")
    refused([run.folder], builder, RunError, "it was changed after the training began")


def test_a_checkpoint_of_another_spec_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    shutil.copyfile(take("seed-1").weights(), run.weights())
    refused([run.folder], builder, RunError, "it was written by another spec")


def test_a_checkpoint_that_was_cut_off_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    content = run.weights().read_bytes()
    run.weights().write_bytes(content[: len(content) // 2])
    refused([run.folder], builder, RunError, "this is no checkpoint that can be read")


def test_weights_that_are_not_finite_are_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    rewrite(run.weights(), tensors=lambda name, one: one * float("nan") if name.endswith("weight") else one)
    refused([run.folder], builder, RunError, "the weights of classifier are not finite")


def test_an_evaluation_of_another_checkpoint_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    evaluate_run(run, builder, ["train"])
    run.write_evaluation({**(run.evaluation() or {}), "checkpoint_sha256": "0" * 64})
    refused([run.folder], builder, RunError, "is about another checkpoint, other data or a changed spec")


def test_an_evaluation_under_a_changed_spec_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    evaluate_run(run, builder, ["train"], overrides=["task.classify.loss=multi_margin"])
    refused([run.folder], builder, RunError, "repeat `zoo evaluate seed-0`, with --set for nothing but metrics")


def test_seeds_of_different_specs_are_refused(take: Take, builder: Builder) -> None:
    one = take("seed-0")
    spec = load_spec(one.spec_path, overrides=["train.batch_size=8", "train.seed=5"], registry=builder.registry)
    other = train(spec, builder, Path("other"))
    message = "other: its spec differs from that of seed-0 in train.batch_size; wanted runs of one spec"
    refused([one.folder, other.folder], builder, RunError, message)


def test_one_seed_twice_is_refused(take: Take, builder: Builder) -> None:
    folders = [take("seed-0").folder, take("seed-0", "again").folder]
    refused(folders, builder, RunError, "again: its seed, 0, is that of seed-0 too; wanted one run of each seed")


def test_a_run_on_other_images_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    facts = run.facts()
    run.write_facts({**facts, "data": "0" * 64, "dataset": {**facts["dataset"], "fingerprint": "0" * 64}})
    refused([run.folder], builder, DataError, "it was trained on other data than shapes: {.*} is here now")


def test_a_run_that_contradicts_itself_about_its_images_is_refused(take: Take, builder: Builder) -> None:
    run = take("seed-0")
    run.write_facts({**run.facts(), "data": "0" * 64})
    refused([run.folder], builder, RunError, "run.json: data: it is not the fingerprint in dataset")


def test_a_name_that_is_taken_is_refused(published: Entry, builder: Builder) -> None:
    before = published.certificate
    refused(
        [Path("seed-0")], builder, ShelfError, "shelf/tiny: there is an entry of this name, and none is overwritten"
    )
    assert Entry(published.folder).certificate == before


def test_a_name_that_ships_is_taken_elsewhere_too(published: Entry, builder: Builder) -> None:
    published.folder.parent.rename("plugin")
    refused([Path("seed-0")], builder, ShelfError, "plugin/tiny: there is", known=[Path("plugin")])


def test_a_name_that_no_entry_can_have_is_refused(take: Take, builder: Builder) -> None:
    refused(
        [take("seed-0").folder], builder, ShelfError, "found the name '../up'; wanted one of lower-case", name="../up"
    )


def test_a_shelf_that_cannot_be_written_is_named(take: Take, builder: Builder) -> None:
    Path("file").write_text("")
    with pytest.raises(ShelfError, match="file/tiny: it cannot be written .*; name another folder with --to"):
        publish([take("seed-0").folder], builder, to=Path("file"))


# Finding


def test_a_name_is_the_entry_before_the_run_of_its_spec(published: Entry, builder: Builder) -> None:
    found = find("tiny", builder.registry)
    assert isinstance(found, Entry) and found.folder == published.folder


def test_a_folder_is_what_lies_in_it(published: Entry, builder: Builder) -> None:
    assert isinstance(find("shelf/tiny", builder.registry), Entry)
    assert isinstance(find("seed-0", builder.registry), Run)
    Path("seed-0").rename("tiny")
    assert isinstance(find("tiny", builder.registry), Run)


def test_a_run_that_an_earlier_version_measured_is_a_run(stock: Path, builder: Builder) -> None:
    Path("seed-0/certificate.json").write_text("{}")
    assert isinstance(find("seed-0", builder.registry), Run)


def test_a_name_that_is_nothing_names_the_closest_entry(published: Entry, builder: Builder) -> None:
    with pytest.raises(RunError, match="tinny: there is no such folder and no published entry; did you mean 'tiny'?"):
        find("tinny", builder.registry)


def test_of_two_entries_of_one_name_the_own_one_is_left_out(
    published: Entry, builder: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree("shelf", "plugin")
    found = find("tiny", builder.registry, [Path("plugin")])
    assert isinstance(found, Entry) and found.folder == Path("plugin/tiny")
    told = "warning: shelf/tiny: an entry called 'tiny' is there already, plugin/tiny; this one is left out\n"
    assert capsys.readouterr().err.startswith(told)


def test_what_a_killed_publication_left_is_no_entry(published: Entry, stock: Path, builder: Builder) -> None:
    left = Path("shelf/.x1.part")
    shutil.copytree("shelf/tiny", left / "other")
    assert "other" not in shipped.entries()
    publish([Path("seed-1")], builder, name="third")
    assert not left.exists()


def test_entries_of_a_plugin_are_found(published: Entry, builder: Builder) -> None:
    Path("shelf").rename("plugin")
    found = find("tiny", builder.registry, [Path("plugin")])
    assert isinstance(found, Entry) and found.folder == Path("plugin/tiny")


def test_an_entry_without_weights_says_so(published: Entry, builder: Builder) -> None:
    (published.folder / "weights.safetensors").unlink()
    with pytest.raises(ShelfError, match="shelf/tiny: there is no weights.safetensors; this entry is damaged"):
        Trained.load(published, builder)


def test_weights_that_are_not_those_of_the_certificate_are_not_loaded(published: Entry, builder: Builder) -> None:
    rewrite(published.folder / "weights.safetensors", facts={"step": 5})
    with pytest.raises(ShelfError, match=r"shelf/tiny: weights.safetensors has .*; this entry is damaged"):
        Trained.load(published, builder)


def test_a_judge_can_be_an_entry(published: Entry, builder: Builder) -> None:
    judged = "metrics=[{frechet_distance: {extractor: {zoo: tiny}, samples: 30}}]"
    run = Run(Path("gan"))
    figures = evaluate_run(run, builder, overrides=[judged])["test"]
    (name,) = [name for name in figures if name.startswith("frechet_distance[zoo:tiny@")]
    # The judge of before was the run of the same weights, so that the figure stands once.
    assert [one["name"] for one in (run.evaluation() or {})["measurements"]] == [name]


def test_names_of_classes_need_no_data(published: Entry, builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = Trained.load(published, builder)

    def missing(self: Trained) -> Any:
        raise DataError("not here")

    monkeypatch.setattr(Trained, "dataset", missing)
    assert trained.class_names[14] == "square_pale"
