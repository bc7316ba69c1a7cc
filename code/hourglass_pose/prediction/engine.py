"""Engine: the common interface of the libraries that run a network."""

from typing import Dict, List, Tuple

import numpy as np


class Engine:
    """A network that is open and ready to run.

    Engines take passes of fixed sizes; `run_in_passes` splits and pads other numbers of crops.
    """

    description = ''
    """One line for the log: the device or the library, and the precision."""
    batch_size = 1
    """Persons of one pass."""
    gives_joints = False
    """Whether `run` gives joints, in crop pixels, and scores in place of the last stack's logits."""
    gives_person = False
    """Whether the last array that `run` gives is the person logits."""

    def pass_sizes(self, crops_per_person: int) -> Tuple[int, ...]:
        """Return the numbers of crops that `run` may be called with, ascending."""
        raise NotImplementedError

    def prepare(self, crops_per_person: int) -> None:
        """Build what one person needs, so that a network that does not fit is refused when it is opened."""

    def run(self, crops: np.ndarray) -> List[np.ndarray]:
        """Return [the last stack's logits (N, H, W, J)], or [joints (N, J, 2), scores (N, J)].

        If gives_person, another array follows: float32 (N,), one logit a crop, above 0 where it shows one whole person
        in its middle. It is of the crop alone; a flip test takes the mean with that of the mirrored crop.

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
        """Release the device."""
