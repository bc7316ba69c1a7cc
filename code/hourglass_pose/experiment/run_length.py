"""The length of a run: that of a new one by its settings, that of a resumed one by its checkpoint."""

from typing import Any, Callable, Dict

from hourglass_pose.config.config import Config
from hourglass_pose.errors import ConfigError, counted
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.training.run_length import RunLength, earlier_world_size


def length_of_run(
    config: Config, runtime: Runtime, data: DataGenerator, earlier: Dict[str, Any], report: Callable[[str], Any]
) -> RunLength:
    """Return the RunLength of a new run or of a resumed one.

    Args:
        data: the training data.
        earlier: manifest of the checkpoint that the run resumes from, {} for a new run.
        report: shows a line.

    Raises:
        ConfigError: the device cannot divide the epochs of a new run into its loops.
    """
    train, world_size = config.Train, runtime.world_size
    joint_batch = train.batch_size * world_size
    if not earlier.get('steps_per_epoch'):
        # A new run, or one whose checkpoint holds imported weights.
        length = RunLength.of_new_run(train.nEpochs, train.epoch_size or data.steps_per_epoch, joint_batch)
        _require_whole_loops(length, runtime.steps_per_run)
        return length
    before = earlier['config']['Train']['batch_size']
    if 'persons' not in earlier and train.epoch_size is None:
        world_size = earlier_world_size(data.samples_per_epoch, before, earlier['steps_per_epoch'], world_size)
    length = RunLength.of_resumed_run(earlier, train.nEpochs, joint_batch, before * world_size)
    if earlier.get('joint_batch', before * world_size) != joint_batch:
        report(
            f'note: a step now has {counted(joint_batch, "person")}; the run continues after '
            f'{length.persons_at(earlier["global_step"])} of {counted(length.total_persons, "person")}'
        )
    return length


def require_same_epochs(config: Config, earlier: Dict[str, Any]) -> None:
    """Raise ConfigError if the resumed run had another epoch_size."""
    if not earlier.get('steps_per_epoch'):
        return
    found, before = config.Train.epoch_size, earlier['config']['Train'].get('epoch_size')
    if found != before:
        raise ConfigError(
            f'config [Train] epoch_size: expected {before}, found {found}; the length of an epoch is fixed at the '
            'first start of a run, because finished epochs and the schedule are counted in it: leave epoch_size '
            'unchanged and change nEpochs, or start another run'
        )


def _require_whole_loops(length: RunLength, steps: int) -> None:
    """Raise ConfigError unless the steps of an epoch are a multiple of those of a device loop."""
    if length.steps_per_epoch % steps:
        nearest = max(1, round(length.steps_per_epoch / steps)) * steps
        raise ConfigError(
            f'config [Train] epoch_size: expected a multiple of iterations_per_loop, {steps}, for instance '
            f'{nearest}; found {length.steps_per_epoch} steps in an epoch'
        )
