"""Figures as people read them."""

from __future__ import annotations


def count(value: int) -> str:
    return f"{value:,}"


def size(value: float) -> str:
    """Return a number of bytes in the largest unit that leaves a number of 1 or more."""
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:,.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """Return seconds as 42 s, 3:07 min or 2:05:09 h."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def shape(value: tuple[int, ...]) -> str:
    return "x".join(map(str, value))


def figure(value: float | int) -> str:
    """Return a figure of an evaluation: whole numbers with commas, others with four digits after the point."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def spread(mean: float, std: float | None) -> str:
    """Return a mean with its deviation, where it has one."""
    return f"{mean:.4f}" if std is None else f"{mean:.4f} ± {std:.4f}"


def plural(noun: str, number: int = 2) -> str:
    return noun if number == 1 else f"{noun}es" if noun.endswith("s") else f"{noun}s"


def some(number: int, noun: str) -> str:
    """Return "1 file was" or "3 files were"."""
    return f"{number:,} {plural(noun, number)} {'was' if number == 1 else 'were'}"
