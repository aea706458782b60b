"""Running statistics of norms, taken anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _NormBase


@contextmanager
def cumulative_norms(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Put the networks into training, where their norms forget their statistics and weigh all that comes alike.

    By themselves they weigh the last ten batches or so most, which were made by weights that moved meanwhile. Networks
    are left as they are evaluated.

    Source: the mean in place of the moving average: Izmailov et al. 2018, arXiv:1803.05407, section 3.2.
    """
    networks = list(networks)
    for network in networks:
        network.train()
    norms = [one for network in networks for one in network.modules() if isinstance(one, _NormBase)]
    # Those of frozen parts are not in training.
    kept = {one: one.momentum for one in norms if one.track_running_stats and one.training}
    for one in kept:
        one.reset_running_stats()
        one.momentum = None
    try:
        yield
    finally:
        for one, momentum in kept.items():
            one.momentum = momentum
        for network in networks:
            network.eval()
