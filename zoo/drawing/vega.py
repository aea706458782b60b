"""Vega-Lite charts as SVG, drawn offline by vl-convert in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from zoo.distribution import install_command
from zoo.errors import ZooError

PACKAGE = "vl_convert"
EXTRA = install_command("report")
SECONDS = 120.0  # after which the drawing is given up

#: It brings a JavaScript engine, which asks for much address space and ends its process where it gets none.
PROGRAM = """
import json, sys, vl_convert
json.dump([vl_convert.vegalite_to_svg(one, vl_version="5.20") for one in json.load(sys.stdin)], sys.stdout)
"""

_HIDDEN = re.compile(
    r'<path class="(?:fore|back)ground" aria-hidden="true"[^>]*(?:display="none"|d="M0,0h0v0h0Z")[^>]*/>'
)
_TAG = re.compile(r"<[^>]+>")
_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
_ROLE = re.compile(r' (?:aria-roledescription="[^"]*"|role="graphics-[a-z]+"|aria-hidden="true"|pointer-events="none")')
_TITLED = re.compile(r'<path aria-label="([^"]*)"([^>]*)/>')
_LABEL = re.compile(r' aria-label="[^"]*"')


def available() -> bool:
    """Return whether charts can be drawn here."""
    return find_spec(PACKAGE) is not None


def draw(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return each chart as an SVG element. Raises ZooError where the package is missing or fails."""
    if not available():
        raise ZooError(f"charts need the package vl-convert-python: {EXTRA}")
    command = [sys.executable, "-c", PROGRAM]
    try:
        done = subprocess.run(command, input=json.dumps(specs), capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise ZooError(f"the charts could not be drawn ({type(error).__name__}: {error})") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ZooError(f"the charts could not be drawn ({last[:300]})")
    return [_plain(one) for one in json.loads(done.stdout)]


def _plain(svg: str) -> str:
    """Return a drawn chart without what no reader gets, and with its marks' descriptions as tips."""
    svg = _TITLED.sub(r"<path\2><title>\1</title></path>", _HIDDEN.sub("", svg))
    svg = _LABEL.sub("", _ROLE.sub("", svg)).replace(' font-family="sans-serif"', "")
    # A hundredth of a pixel is enough for a place; what is written there is not touched.
    return _TAG.sub(lambda tag: _NUMBER.sub(r"\1", tag[0]), svg)
