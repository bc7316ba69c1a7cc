"""Any number of crops through a network that takes a few fixed numbers of them."""

from typing import Callable, List, Sequence

import numpy as np


def run_in_passes(
    run: Callable[[np.ndarray], List[np.ndarray]], crops: np.ndarray, sizes: Sequence[int]
) -> List[np.ndarray]:
    """Return the arrays that `run` gives for any number of crops.

    Args:
        run: function of crops (N, S, S, 3), N being one of sizes, to arrays (N, ...).
        crops: (M, S, S, 3).
        sizes: numbers of crops that a pass may have, ascending. The last pass has the smallest size that is large
            enough for the remaining crops, and is padded with black crops, whose results are dropped.
    """
    passes = []
    for start in range(0, max(1, len(crops)), sizes[-1]):
        part = crops[start : start + sizes[-1]]
        padded = np.zeros((next(size for size in sizes if size >= len(part)),) + crops.shape[1:], crops.dtype)
        padded[: len(part)] = part
        passes.append([output[: len(part)] for output in run(padded)])
    return [np.concatenate(parts) for parts in zip(*passes)]
