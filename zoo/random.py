"""Randomness: one seed per purpose and step, derived from the seed of the spec."""

from __future__ import annotations


def derive_seed(seed: int, purpose: str, step: int = 0) -> int:
    """Return a seed below 2**63, a pure function of its arguments."""
    import hashlib

    digest = hashlib.blake2b(f"{seed}/{purpose}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
