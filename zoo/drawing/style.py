"""The one stylesheet of all pages: light or dark as the reader's machine is, from 400 pixels on."""

#: Colours by name, light and dark. Text has at least 4.5 to 1 against `paper` and `card`, lines of charts 3 to 1.
COLOURS: dict[str, tuple[str, str]] = {
    "ink": ("#1c2733", "#e6eaee"),
    "faint": ("#52606d", "#a9b4bf"),
    "paper": ("#ffffff", "#14181d"),
    "card": ("#f4f6f9", "#1d232a"),
    "rule": ("#d8dee5", "#323d48"),
    "mark": ("#b3261e", "#f2908a"),
    "good": ("#1f7a45", "#7fd3a0"),
    "c1": ("#2367a6", "#6cb2ea"),
    "c2": ("#b8561a", "#f0a468"),
    "c3": ("#2b7d4d", "#7fd3a0"),
    "c4": ("#8748ad", "#cfa3ee"),
    "c5": ("#0b7480", "#62cfd8"),
    "c6": ("#a8344f", "#f08fa5"),
}
SERIES = [f"var(--{name})" for name in COLOURS if name[0] == "c" and name[1:].isdigit()]


def colours(dark: int) -> str:
    """Return the colours as CSS variables; dark: 0 or 1."""
    return "; ".join(f"--{name}: {pair[dark]}" for name, pair in COLOURS.items())


STYLE = f"""
:root {{ color-scheme: light dark; {colours(0)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {colours(1)} }} }}
@media print {{ :root {{ color-scheme: light; {colours(0)} }} }}
* {{ box-sizing: border-box; }}
body {{ font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: var(--ink);
  background: var(--paper); margin: 0 auto; max-width: 84rem; padding: 1.5rem 1rem 3rem; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem; }}
h2 {{ font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--rule); }}
h3 {{ font-size: 1.05rem; margin: 1.75rem 0 .25rem; }}
p {{ margin: .35rem 0; max-width: 48rem; }}
.faint, figcaption, footer {{ color: var(--faint); font-size: .9rem; }} .warning {{ color: var(--mark); }}
.head {{ font-weight: 600; margin-top: 1.2rem; }}
a {{ color: var(--c1); }} ul {{ margin: .35rem 0; padding-left: 1.2rem; }}
nav {{ display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0 0; font-size: .93rem; }}
dl {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 9.5rem), 1fr)); gap: .6rem 1rem;
  background: var(--card); border-radius: 8px; padding: .9rem 1rem; margin: 1rem 0; }}
dt {{ color: var(--faint); font-size: .85rem; }} dd {{ margin: 0; font-variant-numeric: tabular-nums; }}
pre {{ white-space: pre-wrap; background: var(--card); border-radius: 6px; padding: .75rem;
  font-size: .85rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .93rem; margin: .6rem 0; min-width: min(100%, 30rem); }}
th, td {{ text-align: left; padding: .3rem 1.1rem .3rem 0; border-bottom: 1px solid var(--rule); vertical-align: top;
  overflow-wrap: normal; }}
th {{ color: var(--faint); font-weight: 600; }}
.number {{ text-align: right; font-variant-numeric: tabular-nums; }} td.number {{ white-space: nowrap; }}
td.bar {{ min-width: 7rem; width: 24%; }}
.track {{ display: block; position: relative; height: .5rem; margin-top: .15rem; }}
.track i {{ position: absolute; top: 0; bottom: 0; min-width: 2px; border-radius: 2px; background: var(--c1); }}
.track i.second {{ background: var(--c2); }} .track i.span {{ opacity: .3; }}
.track b {{ position: absolute; top: -.15rem; bottom: -.15rem; border-left: 2px dashed var(--mark); }}
tr.reference td {{ color: var(--faint); }} tr.unsound td {{ color: var(--mark); }}
figure {{ margin: 0; min-width: 0; }}
figcaption b {{ display: block; color: var(--ink); font-size: 1rem; font-weight: 600; }}
figure img, figure svg {{ display: block; width: 100%; max-width: 30rem; height: auto; margin: .4rem 0;
  overflow: visible; }}
figure.span svg {{ max-width: 56rem; }}
figure img {{ width: auto; max-width: 100%; border-radius: 4px; }}
figure img.small {{ width: 5rem; image-rendering: pixelated; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1.6rem 2rem;
  margin: 1rem 0; }}
.charts > .span {{ grid-column: 1 / -1; }}
.small {{ grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: 1rem; }}
details {{ background: var(--card); border-radius: 8px; padding: .6rem .9rem; margin: .8rem 0; max-width: 56rem; }}
summary {{ cursor: pointer; }} details pre {{ padding: 0; }}
footer {{ margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: .75rem; }}
.wide {{ display: none; }}
@media (min-width: 720px) {{ .wide {{ display: block; }} .narrow {{ display: none; }} }}
@media (max-width: 640px) {{ .minor {{ display: none; }} th, td {{ padding-right: .5rem; font-size: .82rem; }}
  td.bar {{ min-width: 5rem; }} }}
svg text {{ font-family: inherit; paint-order: stroke; stroke-linejoin: round; }}
.board text {{ font-size: 12px; fill: var(--ink); }} .board .faint {{ fill: var(--faint); }}
.board .label {{ paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }}
.board .middle {{ text-anchor: middle; }} .board .end {{ text-anchor: end; }}
.board .grid {{ stroke: var(--rule); stroke-width: .7; }} .board .entry {{ fill: var(--c1); }}
.board .spread {{ stroke: var(--c1); stroke-width: 1.5; }}
.board .frontier {{ fill: none; stroke: var(--c1); stroke-width: 1.5; stroke-dasharray: 5 3; opacity: .75; }}
.board .reference {{ fill: var(--paper); stroke: var(--mark); stroke-width: 1.6; }}
"""
