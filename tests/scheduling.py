"""How tests are dealt to workers: one that kills its worker has failed, and the rest goes on."""

from __future__ import annotations

from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController


class OnceOnly(LoadGroupScheduling):
    """Deals groups of tests as xdist's `loadgroup` does, but no test a second time.

    xdist puts all that a dead worker held back into the queue, the test that killed it too, which then kills one worker
    after the other.
    """

    def remove_node(self, node: WorkerController) -> str | None:
        """Take a worker out, deal what it has not done to others, and return the test that it died in."""
        left = {scope: unit for scope, unit in self.assigned_work.pop(node).items() if not all(unit.values())}
        if not left:
            return None
        unit = next(iter(left.values()))
        died_in = next(test for test, done in unit.items() if not done)
        unit[died_in] = True
        self.workqueue.update({scope: one for scope, one in left.items() if not all(one.values())})
        for other in self.assigned_work:
            self._reschedule(other)
        return died_in
