"""The leaderboard as one HTML file: no scripts, no other files, light or dark as the reader's machine is."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape

from zoo.challenges.chart import svg
from zoo.challenges.judging import shown
from zoo.challenges.leaderboard import Board, Ranking, Row
from zoo.challenges.schema import Challenge
from zoo.publishing import shelf

PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".svg": "image/svg+xml"}
MOST_BYTES = 2**20  # of one picture; a larger one would make the page slow to open
STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --faint: #616e7c; --paper: #fff; --rule: #d5dae0; --line: #2f6f9f;
  --mark: #b3261e; --card: #f5f7fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --faint: #9aa5b1; --paper: #15191e; --rule: #323f4b;
  --line: #6cb2e4; --mark: #f2857c; --card: #1f252c; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: var(--ink); background: var(--paper);
  margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { font-size: 1.3rem; margin: 2.5rem 0 .25rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; } .faint, figcaption, footer { color: var(--faint); font-size: .9rem; }
a { color: var(--line); } code { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } svg { display: block; width: 100%; max-width: 36rem; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; margin: .5rem 0; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--rule); vertical-align: top;
  white-space: nowrap; }
th { color: var(--faint); font-weight: 600; } .number { text-align: right; font-variant-numeric: tabular-nums; }
tr.reference td { color: var(--faint); }
tr.reference td:nth-child(2)::before { content: "\\25c7  "; color: var(--mark); }
tr.unsound td { color: var(--mark); white-space: normal; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: .5rem 0; max-width: min(100%, 27rem); }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
details { background: var(--card); border-radius: 6px; padding: .5rem .8rem; margin: .6rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; } ul { margin: .25rem 0; padding-left: 1.2rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: .75rem; }
svg text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: var(--ink); }
svg .tick, svg .axis, svg .other { fill: var(--faint); }
svg .label { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
svg .middle { text-anchor: middle; } svg .end { text-anchor: end; }
svg .grid { stroke: var(--rule); stroke-width: .7; } svg .entry { fill: var(--line); }
svg .spread { stroke: var(--line); stroke-width: 1.5; }
svg .frontier { fill: none; stroke: var(--line); stroke-width: 1.5; stroke-dasharray: 5 3; opacity: .75; }
svg .reference { fill: var(--paper); stroke: var(--mark); stroke-width: 1.6; }
"""


def page(board: Board) -> str:
    """Return the board as the text of an HTML file."""
    sections = "".join(_challenge(board, one) for one in _challenges(board))
    outside = "".join(f"<li><b>{escape(name)}</b>: {escape(why)}</li>" for name, why in board.reasons.items())
    if outside:
        sections += f"<section><h2>In no challenge</h2><ul>{outside}</ul></section>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Leaderboard</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><h1>Leaderboard</h1>
<p>Trained networks within a budget. Each is ranked among those that keep the rules of one challenge, and among figures
that were measured alike.</p>{sections}
<footer>Spec, weights, counts, limits and figures of every entry were held against its certificate when this page was
made; an entry that is not as its certificate says is marked and has no rank. "Measured here": where this page was made,
the weights that ship gave the figure again; of several seeds one has weights that ship. That a network was trained
within its steps, and on nothing else, is a declaration of who published it. ± is the standard deviation over trainings
from different seeds. <code>zoo reproduce NAME</code> trains an entry again.</footer></body></html>
"""


def _challenges(board: Board) -> list[Challenge]:
    return list({ranking.challenge.name: ranking.challenge for ranking in board.rankings}.values())


def _challenge(board: Board, challenge: Challenge) -> str:
    rankings = [one for one in board.rankings if one.challenge.name == challenge.name]
    limits = "; ".join(
        f"{name} {limit.options['bound']}" if "bound" in limit.options else name
        for name, limit in challenge.budget.items()
    )
    entries = {row.name: row.entry for one in rankings for row in one.rows if row.entry and not row.problems}
    return (
        f'<section id="{escape(challenge.name)}"><h2>{escape(challenge.title)}</h2><p>{escape(challenge.summary)}</p>'
        f'<p class="faint">Limits: {escape(limits)}. {escape(_sentence(challenge.source))}</p>'
        f"{_rules(challenge)}{''.join(map(_ranking, rankings))}"
        f"{''.join(_entry(entry) for entry in entries.values())}</section>"
    )


def _sentence(source: str) -> str:
    return f"Source: {source}." if source else ""


def _rules(challenge: Challenge) -> str:
    units = [f"{name}: {text}" for name, text in challenge.units.items()]
    rules = [*units, *(f"forbidden: {one}" for one in challenge.forbidden), *challenge.declarations]
    items = "".join(f"<li>{escape(rule)}</li>" for rule in rules)
    return f"<details><summary>The rules</summary><ul>{items}</ul></details>" if rules else ""


def _ranking(ranking: Ranking) -> str:
    head = ("", "name", ranking.short, "parameters", "multiply-adds", "steps", "n", "seeds", "verified")
    cells = "".join(f"<th{_kind(index)}>{escape(text)}</th>" for index, text in enumerate(head))
    remarks = "".join(
        f"<li>{escape(row.name)}: {escape(row.source)}. {escape(row.remark)}</li>" for row in ranking.rows if row.source
    )
    apart = (
        ""
        if ranking.counts
        else '<p class="faint">Compared with one another alone: no other figure has this scale.</p>'
    )
    return (
        f'<h3>{escape(ranking.title)}</h3><p class="faint">{escape(ranking.conditions)}</p>{apart}'
        f'{svg(ranking)}<div class="scroll"><table><thead><tr>{cells}</tr></thead>'
        f"<tbody>{''.join(_row(ranking, row, len(head)) for row in ranking.rows)}</tbody></table></div>"
        + (f'<ul class="faint">{remarks}</ul>' if remarks else "")
    )


def _kind(index: int) -> str:
    return "" if index in (1, 7, 8) else ' class="number"'


def _row(ranking: Ranking, row: Row, columns: int) -> str:
    def counted(number: int | None) -> str:
        return "" if number is None else f"{number:,}"

    values = (
        str(row.rank or ""),
        row.name,
        shown(ranking.challenge.metric, row.value, row.std),
        counted(row.parameters),
        counted(row.macs),
        counted(row.steps),
        counted(len(row.seeds) or None),
        ", ".join(map(str, row.seeds)),
        "" if row.problems else row.verified,
    )
    cells = "".join(f"<td{_kind(index)}>{escape(value)}</td>" for index, value in enumerate(values))
    kind = ' class="reference"' if row.source else ""
    text = f"<tr{kind}>{cells}</tr>"
    if row.problems:
        why = escape("; ".join(row.problems))
        text += f'<tr class="unsound"><td></td><td colspan="{columns - 1}">not verified: {why}</td></tr>'
    return text


def _entry(entry: shelf.Entry) -> str:
    certificate = entry.certificate
    pictures = "".join(_pictures(entry))
    weights, looks = certificate.weights, sum(certificate.looks().values())
    facts = (
        f"Weights {weights.sha256[:16]}, {weights.bytes:,} bytes, of seed {certificate.shipped_seed} "
        f"({certificate.shipped_because}). Looks at the test images, of all trainings: {looks}."
    )
    body = (
        f'<p>{escape(certificate.summary)}</p><p class="faint">{escape(facts)}</p>'
        f'<p><code>{escape(certificate.command)}</code></p><div class="pictures">{pictures}</div>'
    )
    return f"<details{' open' if pictures else ''}><summary><b>{escape(entry.label)}</b></summary>{body}</details>"


def _pictures(entry: shelf.Entry) -> Iterator[str]:
    """Yield the pictures of an entry's folder as figures that hold their own data."""
    for path in sorted(entry.folder.iterdir()):
        kind = PICTURES.get(path.suffix.lower())
        if kind is None or path.stat().st_size > MOST_BYTES:
            continue
        data = base64.b64encode(path.read_bytes()).decode()
        caption = path.stem.replace("-", " ").replace("_", " ")
        yield f'<figure><img alt="{escape(caption)}" src="data:{kind};base64,{data}">'
        yield f"<figcaption>{escape(caption)}</figcaption></figure>"
