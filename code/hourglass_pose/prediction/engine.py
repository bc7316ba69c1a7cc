"""Engine: what runs a network, whatever library does the arithmetic."""

from typing import Callable, Dict, List, Sequence, Tuple

import numpy as np


class Engine:
    """A network that is open and ready to run.

    Engines take whole passes of fixed sizes; `run_in_passes` cuts and pads.
    """

    description = ''
    """One line for the log: the device or the library, and the precision."""
    batch_size = 1
    """Persons of one pass."""
    gives_joints = False
    """Whether `run` gives joints, in crop pixels, and scores in place of the last stack's logits."""

    def pass_sizes(self, crops_per_person: int) -> Tuple[int, ...]:
        """Return the numbers of crops that `run` may be called with, ascending."""
        raise NotImplementedError

    def prepare(self, crops_per_person: int) -> None:
        """Build what predicting one person needs, so that mistakes show when a network is opened."""

    def run(self, crops: np.ndarray) -> List[np.ndarray]:
        """Return [the last stack's logits (N, H, W, J)], or [joints (N, J, 2), scores (N, J)].

        crops: (N, S, S, 3) RGB, uint8 or float32 in [0, 1].
        """
        raise NotImplementedError

    def run_stacks(self, crops: np.ndarray) -> List[np.ndarray]:
        """Return [the network's output of every stack it gives (N, S, H, W, J)]; crops as in `run`."""
        raise NotImplementedError

    def versions(self) -> Dict[str, str]:
        """Return {library: version} for the results."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the device back."""


def run_in_passes(
    run: Callable[[np.ndarray], List[np.ndarray]], crops: np.ndarray, sizes: Sequence[int]
) -> List[np.ndarray]:
    """Return the arrays that `run` gives for any number of crops.

    sizes: numbers of crops that a pass may have, ascending. The last pass is the smallest that holds the rest, filled
    up with black crops.
    """
    passes = []
    for start in range(0, max(1, len(crops)), sizes[-1]):
        part = crops[start : start + sizes[-1]]
        padded = np.zeros((next(size for size in sizes if size >= len(part)),) + crops.shape[1:], crops.dtype)
        padded[: len(part)] = part
        passes.append([output[: len(part)] for output in run(padded)])
    return [np.concatenate(parts) for parts in zip(*passes)]
