"""Text of others, such as names of files and classes, made fit to be printed."""

from __future__ import annotations

import re

# C0, DEL and C1 control characters, and what turns the direction of writing: they would move the cursor, colour the
# terminal, or show another text than there is.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str, *, keep: str = "\n\t") -> str:
    """Return `text` with every control character but those of `keep` written as an escape, as JSON has it: \\u001b."""
    if text.isprintable():
        return text
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else f"\\u{ord(found[0]):04x}", text)


def shortened(text: str, most: int = 100) -> str:
    """Return `text`, cut where it is longer than `most` letters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def without_password(text: str) -> str:
    """Return `text` with the passwords of addresses in it left out: user:***@host, password=***."""
    text = re.sub(r"(?<=://)([^\s:/@]*):\S*@", r"\1:***@", text)
    return re.sub(r"(?i)(password=)[^&\s]+", r"\1***", text)
