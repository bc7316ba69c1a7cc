"""RunLength: how long a run is and where it stands, counted in persons."""

from dataclasses import dataclass
from typing import Any, Dict, Optional


@dataclass(frozen=True)
class RunLength:
    """Epochs in persons, so that batch size and number of processes may change when a run is resumed.

    An epoch's length is fixed at the first start of a run and kept in the manifests.

    persons_per_epoch: persons of an epoch. first_joint_batch: persons of a step of all processes at the first start;
    settings that count steps of the schedule count steps of this size. joint_batch: persons of a step now.
    persons_offset, skipped_offset: what the persons of applied and of skipped steps exceed step * joint_batch by,
    because earlier steps had another size.
    """

    num_epochs: int
    persons_per_epoch: int
    joint_batch: int
    first_joint_batch: int
    persons_offset: int = 0
    skipped_offset: int = 0

    @classmethod
    def of_new_run(cls, num_epochs: int, steps_per_epoch: int, joint_batch: int) -> 'RunLength':
        """Return the length of a run that starts with these epochs, in steps of joint_batch persons."""
        return cls(num_epochs, steps_per_epoch * joint_batch, joint_batch, joint_batch)

    @classmethod
    def of_resumed_run(
        cls, manifest: Dict[str, Any], num_epochs: int, joint_batch: int, earlier_joint_batch: Optional[int] = None
    ) -> 'RunLength':
        """Return the length of a run that goes on from a checkpoint with this manifest.

        earlier_joint_batch: persons of a step before, for manifests of versions that counted steps alone.
        """
        step, skipped = manifest['global_step'], manifest.get('skipped_steps', 0)
        if 'persons' in manifest:
            first, epoch = manifest['first_joint_batch'], manifest['persons_per_epoch']
            persons, skipped_persons = manifest['persons'], manifest['skipped_persons']
        else:
            first = earlier_joint_batch or joint_batch
            epoch = manifest['steps_per_epoch'] * first
            persons, skipped_persons = step * first, skipped * first
        offsets = persons - step * joint_batch, skipped_persons - skipped * joint_batch
        return cls(num_epochs, epoch, joint_batch, first, *offsets)

    @property
    def total_persons(self) -> int:
        """Persons of all epochs."""
        return self.num_epochs * self.persons_per_epoch

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch at the present size, rounded up."""
        return -(-self.persons_per_epoch // self.joint_batch)

    def persons_at(self, step: int) -> int:
        """Return how many persons the network has learnt from after so many applied steps."""
        return self.persons_offset + step * self.joint_batch

    def position_at(self, step: int, skipped: int) -> int:
        """Return the position in the order of the data, which skipped steps also move on."""
        return self.persons_at(step) + self.skipped_persons(skipped)

    def skipped_persons(self, skipped: int) -> int:
        """Return the persons of so many skipped steps."""
        return self.skipped_offset + skipped * self.joint_batch

    def epochs_at(self, step: int) -> int:
        """Return how many epochs are over after so many applied steps; a device loop may overshoot the last."""
        return min(self.persons_at(step) // self.persons_per_epoch, self.num_epochs)

    def last_step_at(self, step: int) -> int:
        """Return the applied step at which the run will end, at the present size."""
        return step + max(0, -((self.persons_at(step) - self.total_persons) // self.joint_batch))

    def as_manifest(self, step: int, skipped: int) -> Dict[str, int]:
        """Return what a checkpoint's manifest keeps, from which of_resumed_run makes the length again."""
        return {
            'persons': self.persons_at(step),
            'skipped_persons': self.skipped_persons(skipped),
            'persons_per_epoch': self.persons_per_epoch,
            'first_joint_batch': self.first_joint_batch,
            'joint_batch': self.joint_batch,
            'steps_per_epoch': self.steps_per_epoch,
            'epoch': self.epochs_at(step),
        }


def earlier_world_size(num_persons: int, batch_size: int, steps_per_epoch: int, world_size: int) -> int:
    """Return the number of processes behind the steps of an epoch that goes once through the persons.

    For manifests of versions that did not keep it. world_size: of now, which is preferred where it fits.
    """
    if max(1, round(num_persons / (batch_size * world_size))) == steps_per_epoch:
        return world_size
    return max(1, round(num_persons / (batch_size * steps_per_epoch)))
