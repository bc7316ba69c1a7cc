"""RunLength: length and position of a run, counted in persons."""

from dataclasses import dataclass
from typing import Any, Dict, Optional


@dataclass(frozen=True)
class RunLength:
    """Epochs in persons, so that batch size and number of processes may change when a run is resumed.

    The length of an epoch is fixed at the first start of a run and recorded in the manifests.

    persons_per_epoch: persons of an epoch. first_joint_batch: persons of one step of all processes at the first start;
    the schedule's settings in steps mean steps of this size. joint_batch: persons of a step now. persons_offset,
    skipped_offset: the persons of the applied and of the skipped steps minus steps * joint_batch; not 0 if earlier
    steps had another size.
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
        """Return the length of a run that resumes from a checkpoint with this manifest.

        earlier_joint_batch: persons of an earlier step, for manifests of versions that counted only steps.
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
        """Steps of an epoch at the current size, rounded up."""
        return -(-self.persons_per_epoch // self.joint_batch)

    def persons_at(self, step: int) -> int:
        """Return the number of persons that the network has learnt from after `step` applied steps."""
        return self.persons_offset + step * self.joint_batch

    def position_at(self, step: int, skipped: int) -> int:
        """Return the position in the order of the data, which skipped steps also advance."""
        return self.persons_at(step) + self.skipped_persons(skipped)

    def skipped_persons(self, skipped: int) -> int:
        """Return the number of persons in `skipped` skipped steps."""
        return self.skipped_offset + skipped * self.joint_batch

    def epochs_at(self, step: int) -> int:
        """Return the number of epochs that end by `step` applied steps; a device loop may overshoot the last."""
        return min(self.persons_at(step) // self.persons_per_epoch, self.num_epochs)

    def last_step_at(self, step: int) -> int:
        """Return the number of the applied step at which the run will end, at the current size."""
        return step + max(0, -((self.persons_at(step) - self.total_persons) // self.joint_batch))

    def as_manifest(self, step: int, skipped: int) -> Dict[str, int]:
        """Return the entries of a manifest from which of_resumed_run restores the length."""
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
    """Return the number of processes that explains the steps of an epoch over all persons.

    For manifests of versions that did not record it. world_size: the current one, which is preferred if it fits.
    """
    if max(1, round(num_persons / (batch_size * world_size))) == steps_per_epoch:
        return world_size
    return max(1, round(num_persons / (batch_size * steps_per_epoch)))
