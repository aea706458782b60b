"""Pages in a real browser: nothing wider than the window, no complaint, nobody asked, and text that can be read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from report_support import everything

from zoo.drawing.html import html
from zoo.drawing.vega import available, draw

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")
LEAST_CONTRAST = 4.5

#: Run in the page; what it finds is told to the page around it.
PROBE = """
<script>
const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
  .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const numbers = text => text.match(/[\\d.]+/g).map(Number);
function ground(element) {
  for (let one = element; one; one = one.parentElement) {
    const found = numbers(getComputedStyle(one).backgroundColor);
    if (found.length < 4 || found[3] > 0) return found;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
}
addEventListener("load", () => {
  const low = [];
  let texts = 0;
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || ["SCRIPT", "STYLE", "title"].includes(element.tagName)) continue;
    if (!element.getClientRects().length) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const paint = element.closest("svg") ? style.fill : style.color;
    const pair = [luminance(numbers(paint)), luminance(ground(element))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < LEAST) low.push([element.textContent.trim().slice(0, 40), paint, contrast]);
  }
  const unnamed = [...document.querySelectorAll("img:not([alt]), img[alt=''], svg:not([aria-label])")]
    .filter(one => !(one.tagName === "svg" && one.querySelector("title"))).length;
  parent.postMessage(JSON.stringify({
    width: document.documentElement.clientWidth, needed: document.documentElement.scrollWidth, texts, low, unnamed,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    asked: performance.getEntriesByType("resource").map(one => one.name).filter(one => !one.startsWith("data:")),
  }), "*");
});
</script>
"""

#: A window of a browser has a least width, a frame in it has not. What the page tells is printed with the title.
FRAME = """<!doctype html><meta charset="utf-8"><style>:root { color-scheme: light dark } iframe { border: 0 }</style>
<script>addEventListener("message", event => { document.title = event.data })</script>
<iframe src="{page}" width="{width}" height="900"></iframe>
"""

pytestmark = [
    pytest.mark.skipif(not BROWSER, reason="there is no Chromium here"),
    pytest.mark.skipif(not available(), reason="charts need vl-convert-python, which is not here"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page that has every kind of block and chart, with what looks into it."""
    text = html(everything(), draw)
    # The policy forbids scripts, of which the page has none; the probe is one.
    opened = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    path = tmp_path_factory.mktemp("pages") / "page.html"
    path.write_text(opened.replace("</body>", PROBE.replace("LEAST", str(LEAST_CONTRAST)) + "</body>"))
    path.with_name("plain.html").write_text(text)
    return path


def browse(path: Path, width: int, dark: bool) -> tuple[str, str]:
    """Return the document after it was loaded, and what the browser complained of."""
    frame = path.with_name(f"frame-{width}.html")
    frame.write_text(FRAME.replace("{page}", path.name).replace("{width}", str(width)))
    command = [
        BROWSER,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={path.parent / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--window-size=1500,1000",
        "--hide-scrollbars",
        "--enable-logging=stderr",
        "--dump-dom",
        frame.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if ":CONSOLE" in line)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_a_page_can_be_read(page: Path, width: int, dark: bool) -> None:
    document, complaints = browse(page, width, dark)
    found = json.loads(unescape(document.split("<title>")[1].split("</title>")[0]))
    assert complaints == ""
    assert found["dark"] == dark
    assert found["width"] == width
    assert found["needed"] <= width
    assert found["texts"] > 50
    assert found["low"] == []
    assert (found["unnamed"], found["asked"]) == (0, [])


def test_a_page_keeps_its_own_policy(page: Path) -> None:
    _, complaints = browse(page.with_name("plain.html"), 400, False)
    assert complaints == ""
