"""The model card: a certificate, told to a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zoo.data.dataset import DataInfo
from zoo.publishing.certificate import Certificate, Figure

MOST_CLASSES = 5  # shown as the best, and as the worst
LEFT_OUT = ("accuracy_mean", "accuracy_std")  # the paper's form, which the certificate keeps


def card(certificate: Certificate, predicts: str, info: DataInfo, pictures: Mapping[str, str]) -> str:
    """Return the card as Markdown. predicts: what the networks say of an item, or "images" of those that make some;
    info: of the data that they were trained on; pictures: what each file shows.
    """
    name = certificate.name
    sections = {
        "Intended use and limits": _limits(certificate, predicts, info),
        "Figures": _figures(certificate),
        "Cost": _cost(certificate),
        "What is not comparable": _listed_caveats(certificate, predicts),
        "Data": _data(certificate),
        "Training": _training(certificate),
        "Pictures": "\n\n".join(f"![{shown}]({file})\n\n{_sentence(shown)}" for file, shown in pictures.items()),
    }
    parts = [f"# {name}", certificate.summary, f"```\nzoo evaluate {name}\n{_use(predicts, name, info)}```"]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _use(predicts: str, name: str, info: DataInfo) -> str:
    if predicts == "items":
        return ""
    return f"zoo sample {name}\n" if predicts == "images" else f"zoo predict {name} {info.noun[:-1].upper()}...\n"


def _limits(certificate: Certificate, predicts: str, info: DataInfo) -> str:
    data = next(iter(certificate.data.component))
    if info.items == "images":
        channels, height, width = info.image
        size = f"{width}x{height} pixels in {channels} {'channel' if channels == 1 else 'channels'}"
    else:
        size = info.item_words()
    if predicts in ("numbers", "items", "classes") or info.items != "images":
        what = {
            "class": f"names one of {len(certificate.data.classes)} classes of each item",
            "classes": f"says of {len(certificate.data.classes)} classes whether each is there",
            "numbers": f"predicts {', '.join(certificate.data.classes) or info.target_words()}",
            "items": "encodes items as fewer numbers, and decodes them again",
        }[predicts]
        return (
            f"It {what}, as learnt from the data set {data} ({size}). It was made to study what a small budget "
            "reaches, not to decide about anybody. The figures are of the data's own test items and say little of "
            "others."
        )
    if predicts == "images":
        return (
            f"It draws images like those of the data set {data}, of {size}. It was made to study what a small budget "
            "reaches; its images are no evidence of anything, and carry whatever is wrong with the data. A generator "
            "can come near to images that it was trained on: `zoo sample --nearest` shows how near."
        )
    return (
        f"It tells the {len(certificate.data.classes)} classes of the data set {data} apart, in images of {size}; "
        "others are cut and scaled to that. Whatever an image shows, it names one of these classes, and its "
        "probabilities are not calibrated. It was made to study what a small budget reaches, not to decide about "
        "anybody. The figures are of the data's own test images and say little of photographs from elsewhere."
    )


def _figures(certificate: Certificate) -> str:
    rows = [
        f"| {split} | {name} | {_value(name, one)} | {one.n} |"
        for split, figures in certificate.figures.items()
        for name, one in figures.items()
        if name not in LEFT_OUT
    ]
    lines = ["| images | figure | mean ± standard deviation | n |", "|---|---|---|---|", *rows]
    text = [
        "\n".join(lines) if rows else "None was measured.",
        f"n counts trainings: seeds {_listed(certificate.seeds)}. The weights of seed "
        f"{certificate.shipped_seed} ship: {certificate.shipped_because}. {_looks(certificate)}",
    ]
    if certificate.measurements:
        text.append(_measurements(certificate))
    if certificate.per_class:
        ordered = sorted(certificate.per_class.items(), key=lambda one: (-one[1], one[0]))
        best, worst = ordered[:MOST_CLASSES], ordered[-MOST_CLASSES:][::-1]
        text.append(f"Best classes: {_shares(best)}. Worst: {_shares(worst)}.")
    return "\n\n".join(text)


def _value(name: str, figure: Figure) -> str:
    scale, unit = (100, " %") if name.startswith(("top1", "top5")) else (1, "")
    spread = "" if figure.std is None else f" ± {figure.std * scale:.{2 if unit else 4}f}"
    return f"{figure.mean * scale:.{2 if unit else 4}f}{spread}{unit}"


def _looks(certificate: Certificate) -> str:
    occasions = certificate.looks()
    if not occasions:
        return "The test images were not measured on."
    meaning = {
        "train": "after the last step",
        "evaluate": "by `zoo evaluate`",
        "publish": "for the spot check below",
        "export": "by files of `zoo export`",
    }
    told = ", ".join(f"{count} {meaning.get(occasion, occasion)}" for occasion, count in occasions.items())
    return f"Test images were measured on {sum(occasions.values())} times over all trainings: {told}."


def _measurements(certificate: Certificate) -> str:
    lines = [
        "| measured | training seed | mean ± deviation over draws | draws | images | extractor |",
        "|---|---|---|---|---|---|",
    ]
    for one in certificate.measurements:
        spread = "" if one.get("standard_deviation") is None else f" ± {one['standard_deviation']:.4f}"
        extractor = f"{one.get('extractor', '')}@{str(one.get('extractor_sha256', ''))[:8]}".strip("@")
        lines.append(
            f"| {one['name']} | {one['trained_with_seed']} | {one['mean']:.4f}{spread} | {len(one['values'])} "
            f"| {one.get('generated_images', '')} against {one.get('reference_images', '')} | {extractor} |"
        )
    return "\n".join(lines)


def _shares(classes: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in classes)


def _cost(certificate: Certificate) -> str:
    roles = [role for role in certificate.parameters if role != "total"]
    lines = ["| network | parameters | multiply-adds |", "|---|---|---|"]
    for role in roles + (["total"] if len(roles) > 1 else []):
        lines.append(f"| {role} | {certificate.parameters[role]:,} | {certificate.macs[role]:,} |")
    limits = "; ".join(
        f"{one.network + ' ' if one.network else ''}{one.limit} {one.figure:,} of {one.bound}"
        for one in certificate.budget
    )
    size = f"`{certificate.weights.file}`: {certificate.weights.bytes:,} bytes."
    for role, one in certificate.frozen.items():
        lines.append(f"\n{role} is not trained and not counted: {one['init']}, SHA-256 `{one['sha256'][:16]}`.")
    return "\n".join(lines) + f"\n\nBudget, counted again when this was published: {limits or 'none'}.\n\n{size}"


def _listed_caveats(certificate: Certificate, predicts: str) -> str:
    return "\n".join(f"- {one}" for one in _caveats(certificate, predicts)) or "Nothing is known."


def _caveats(certificate: Certificate, predicts: str) -> Iterator[str]:
    yield from certificate.notes
    for seed, one in certificate.chosen.items():
        best = f"the best of {one['validations']} validations by {one['figure']}, at step {one['step']:,}"
        kept = f"the weights are those of {best}" if one["keep"] == "best" else f"{best}, was not kept"
        ended = ", and training ended when they got no better" if one["enough"] else ""
        yield f"Seed {seed}: {kept}{ended}. Its validation figures were chosen by, which flatters them."
    if len(certificate.seeds) == 1:
        yield "One training: what another seed would give is not known."
    extractors = {one["extractor"] for one in certificate.measurements if one.get("extractor")}
    for extractor in sorted(extractors - {"inception"}):
        yield (
            f"Distances in the features of {extractor} compare generators under this one judge, with as many images "
            "and the same reference. They are no FID."
        )
    if predicts == "images" and not certificate.measurements:
        yield "No distance to real images was measured."
    if any(name.endswith("_flip") for figures in certificate.figures.values() for name in figures):
        yield "Figures with `_flip` look at each image's mirror image too; they compare with none that does not."


def _data(certificate: Certificate) -> str:
    component, options = next(iter(certificate.data.component.items()))
    shown = f"`{component}`" + (
        f" with {', '.join(f'{key} {value}' for key, value in options.items())}" if options else ""
    )
    terms = certificate.data.terms or "Their terms are not known to Zoo."
    return f"{shown}, SHA-256 of the content `{certificate.data.fingerprint[:16]}`. {terms}"


def _training(certificate: Certificate) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in certificate.machine.items())
    versions = ", ".join(f"{name} {value}" for name, value in certificate.versions.items())
    seconds = ", ".join(f"seed {seed}: {round(value):,} s" for seed, value in certificate.seconds.items())
    commit = f", commit `{certificate.git['commit'][:12]}`" if certificate.git else ""
    return (
        f"{certificate.steps:,} steps, {certificate.images_seen:,} images seen, on {certificate.engine} ({seconds}). "
        f"Machine: {machine}. Versions: {versions}{commit}. Spec `{certificate.spec_hash[:16]}`.\n\n"
        f"{_origins(certificate)}It was trained by\n\n```\n{certificate.command}\n```\n\n"
        "and `spec.yaml` here holds the same recipe with every default filled in: `zoo train` of that file repeats "
        "it.\n\n"
        f"Spot check: {_spot_check(certificate)}"
    )


def _origins(certificate: Certificate) -> str:
    """Say of which networks weights began with those of another training, and what that had seen."""
    told = []
    for role, one in certificate.began_from.items():
        left = f", all but {', '.join(one['left'])}" if one["left"] else ""
        weights = f"weights `{one['sha256'][:16]}`{left}"
        told.append(f"The {role} began from {one['source']} ({weights}), which had seen {one['data']}.")
    return "".join(f"{one}\n\n" for one in told)


def _spot_check(certificate: Certificate) -> str:
    check = certificate.spot_check
    if not check.split:
        return (
            f"the brightness of the first {check.images} images of drawing seed {check.seed} stands in the "
            "certificate, and Zoo's own tests find it again."
        )
    shown = ", ".join(
        f"{name} {value:.4f}"
        for name, value in check.figures.items()
        if isinstance(value, float) and name not in LEFT_OUT
    )
    return f"on {check.images} fixed test images these weights have {shown}; Zoo's own tests find that again."


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
