"""Start: the initial values of a run's variables, and the position in its epochs that follows from them."""

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Optional, Tuple

from hourglass_pose.checkpoints.variables import VariableSaver, stored_number
from hourglass_pose.errors import CheckpointError
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.training.run_length import RunLength
from hourglass_pose.training.train_graph import TrainGraph


@dataclass(frozen=True)
class Start:
    """Random weights, or the variables of a checkpoint.

    resumed: folder of our checkpoint from which a run resumes. manifest: its manifest. initial_prefix: prefix of a
    checkpoint whose variables a new run starts with. initialise: function of the session that sets initial values.
    split_hash: digest of the persons, which all processes must share.
    """

    saver: VariableSaver
    split_hash: str
    resumed: Optional[str] = None
    manifest: Dict[str, Any] = field(default_factory=dict)
    initial_prefix: Optional[str] = None
    initialise: Optional[Callable[[Any], None]] = None

    @property
    def progress(self) -> Dict[str, Any]:
        """The states of the hooks in the manifest."""
        return self.manifest.get('progress', {})

    def set_variables(
        self, session: Any, graph: TrainGraph, runtime: Runtime, report: Callable[[str], None]
    ) -> Tuple[int, int]:
        """Initialise or restore the variables; return the (applied, skipped) steps that training continues after.

        Raises CheckpointError for a checkpoint that does not fit, or if the processes start from different positions.
        """
        session.run(graph.initialisation)
        if self.initialise:
            self.initialise(session)
        step, skipped, path = 0, 0, self.resumed or self.initial_prefix
        if path:
            restored = self.saver.restore(session, path)
            if not restored.is_complete:
                report('\n'.join(restored.lines()))
            if graph.average and graph.average.has_any(restored.fresh):
                session.run(graph.average.reset())
            step, skipped = [
                int(stored_number(path, variable) or 0) if variable.op.name in restored.restored else 0
                for variable in (graph.global_step, graph.skipped_steps)
            ]
        starts = runtime.exchange([step, skipped, self.split_hash])
        for rank, found in enumerate(starts):
            if found != starts[0]:
                raise CheckpointError(
                    f'{path or "start"}: rank 0 starts after (applied, skipped) steps and with persons {starts[0]}, '
                    f'rank {rank} with {found}; give all ranks the same run folder and data'
                )
        runtime.prepare_session(session)
        return step, skipped

    def finished_epochs(self, length: RunLength, step: int) -> int:
        """Return how many epochs are finished: their last step and their validation, where one is due, are done."""
        finished = self.progress.get('finished_epochs')
        # Manifests of earlier versions and of imported weights lack it: the epochs whose steps are done.
        return length.epochs_at(step) if finished is None else min(finished, length.num_epochs)

    def is_in(self, folder: str) -> bool:
        """Return whether the checkpoint that the run resumes from is in this folder of checkpoints."""
        return bool(self.resumed) and os.path.dirname(os.path.realpath(str(self.resumed))) == os.path.realpath(folder)
