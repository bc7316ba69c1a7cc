"""Crowd: processes that measure the same at the same time, as those that train together do."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Mapping, Sequence

from hourglass_pose.benchmark.worker import Worker


class Crowd:
    """Workers that measure the same at the same time and count as one, whose slowest decides.

    Args:
        code: folder of the checkout.
        order: what each process builds.
        environments: of each process, besides this one's.

    Raises:
        UserError: one of the processes ends before it is ready.
    """

    def __init__(self, code: str, order: Dict[str, Any], environments: Sequence[Mapping[str, str]]) -> None:
        self.code = code
        self._pool = ThreadPoolExecutor(len(environments))
        # At the same time, as they wait for each other.
        self._workers = list(self._pool.map(lambda environment: Worker(code, order, environment), environments))
        self.parts = self._workers[0].parts

    def __len__(self) -> int:
        return len(self._workers)

    def block(self, index: int, count: int) -> float:
        """Return the mean seconds of a run over `count` runs of a part."""
        return max(self._pool.map(lambda worker: worker.block(index, count), self._workers))

    def cpu_seconds(self) -> float:
        """Return the processor time that the processes have used."""
        return sum(worker.cpu_seconds() for worker in self._workers)

    def close(self) -> None:
        """End the processes, which wait for each other."""
        list(self._pool.map(lambda worker: worker.close(), self._workers))
        self._pool.shutdown()
