"""What Zoo is called where packages are installed from: the module is `zoo`, the distribution is not.

`zoo` on the Python Package Index is somebody else's framework for remote procedure calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

import zoo

NAME = "speczoo"
EARLIER = "zoo"  # what Zoo was called itself, as environments and plugins from then still say
GROUP = "zoo"  # of the entry points of plugins


def install_command(extra: str = "") -> str:
    """Return the command that installs Zoo, with an extra where one is named."""
    return f"pip install '{NAME}[{extra}]'" if extra else f"pip install {NAME}"


def is_own(distribution: Distribution) -> bool:
    """Whether a distribution is Zoo itself, under today's name or the earlier one."""
    name = distribution.metadata["Name"]
    return name == NAME or (name == EARLIER and any(one.group == GROUP for one in distribution.entry_points))


def namesake() -> tuple[str, bool] | None:
    """Return the version of what is installed as `zoo`, and whether it is Zoo under its earlier name; or None."""
    try:
        found = distribution(EARLIER)
    except PackageNotFoundError:
        return None
    return found.metadata["Version"], is_own(found)


def unmet(requirements: Iterable[str] | None) -> str:
    """Return which requirement of a plugin this version of Zoo does not meet; "" where all are met."""
    for text in requirements or ():
        if not text.startswith((NAME, EARLIER)):
            continue  # read further only where it may be of Zoo: that costs an import
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.name not in (NAME, EARLIER) or (wanted.marker is not None and not wanted.marker.evaluate()):
            continue
        if not wanted.specifier.contains(zoo.__version__, prereleases=True):
            return f"{NAME}{wanted.specifier}"
    return ""
