"""DataGenerator: endless training batches in a reproducible order, and one pass of validation batches."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Sequence

import cv2
import numpy as np

from hourglass_pose.errors import ImageError


@dataclass(frozen=True, eq=False)
class Batch:
    """B samples; a row whose `mask` is 0 is padding or an image that cannot be read, and counts for nothing.

    images: (B, S, S, 3) uint8 RGB. joints_crop: (B, J, 2) float64. labelled: (B, J) bool. joint_weights: (B, J)
    float32. mask: (B,) float32. indices: (B,) int, which person of the generator each row is, 0 for padding.
    affines_crop_from_img: (B, 2, 3) float64. zoomed: (Z, B, S, S, 3) uint8, the crops of a validation batch at each of
    SampleMaker.scales, Z = 0 where that is scale 1 alone.
    """

    images: np.ndarray
    joints_crop: np.ndarray
    labelled: np.ndarray
    joint_weights: np.ndarray
    mask: np.ndarray
    indices: np.ndarray
    affines_crop_from_img: np.ndarray
    zoomed: Sequence[np.ndarray] = ()


class DataGenerator:
    """Batches of fixed size over a list of persons, prepared ahead by threads.

    Training batches follow one endless sequence: the persons in an order sampled anew for each epoch, without
    replacement, epoch after epoch. A step of W processes takes the next B*W positions of it, process r the r-th B of
    these. So the number of persons alone says where training stands, whatever B and W were before; no person is left
    out at the end of an epoch, and every process knows its share.

    persons: sequence of Person. sample_maker: SampleMaker. batch_size: B, of one process.
    workers: threads; 0 prepares each batch when it is asked for. prefetch: batches prepared ahead.
    max_unreadable: share of the pictures that may be unreadable; more raise ImageError. Up to it the rows of such a
    picture are masked, `on_unreadable(message)` is called once, and its path joins the set `unreadable`.
    """

    def __init__(
        self,
        persons,
        sample_maker,
        batch_size,
        seed=0,
        rank=0,
        world_size=1,
        workers=None,
        prefetch=4,
        max_unreadable=0.0,
        on_unreadable=None,
    ):
        if not persons:
            raise ValueError('persons: expected at least one')
        if not 0 <= rank < world_size:
            raise ValueError('rank: expected 0 to %d, found %d' % (world_size - 1, rank))
        if batch_size < 1:
            raise ValueError('batch_size: expected at least 1, found %d' % batch_size)
        self.persons = list(persons)
        self.sample_maker = sample_maker
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.workers = (os.cpu_count() or 1) if workers is None else workers
        self.prefetch = prefetch
        self.max_unreadable = max_unreadable
        self.on_unreadable = on_unreadable or (lambda message: None)
        self.unreadable = set()
        self._num_pictures = len({person.image_path for person in self.persons})
        self._orders = {}
        # Each worker is one thread already; OpenCV's own threads would take the network's cores.
        cv2.setNumThreads(0)

    @property
    def steps_per_epoch(self):
        """Training steps that come nearest to once through the persons, at least 1."""
        return max(1, int(round(len(self.persons) / float(self.batch_size * self.world_size))))

    @property
    def num_validation_batches(self):
        """Batches of one validation pass, the same for every rank."""
        per_step = self.batch_size * self.world_size
        return -(-len(self.persons) // per_step)

    def training_batches(self, position=0):
        """Yield the endless training batches after so many persons. Raises ImageError, see max_unreadable."""
        return self._prefetched(self._training_plan(position))

    def training_batch(self, position):
        """Return the training batch of this rank in the step after so many persons."""
        return self._prepare([(index, epoch) for epoch, index in self.training_indices(position)])[0]

    def validation_batches(self, limit=None):
        """Yield this rank's share of all persons in order, the last batch padded; at most `limit` batches."""
        count = self.num_validation_batches if limit is None else min(limit, self.num_validation_batches)
        return self._prefetched(self._validation_plan(count))

    def training_indices(self, position):
        """Return [(epoch, person index)] of this rank's batch in the step after so many persons of all ranks."""
        total = len(self.persons)
        start = position + self.rank * self.batch_size
        rows = [divmod(row, total) for row in range(start, start + self.batch_size)]
        return [(epoch, int(self._order(epoch)[index])) for epoch, index in rows]

    def _order(self, epoch):
        order = self._orders.get(epoch)
        if order is None:
            order = np.random.RandomState([self.seed, epoch]).permutation(len(self.persons))
            # Training moves on, so earlier epochs are let go. The dict is replaced, never changed: iterators in
            # several threads may use it.
            kept = [item for item in self._orders.items() if item[0] >= epoch - 1]
            self._orders = dict(kept + [(epoch, order)])
        return order

    def _training_plan(self, position):
        while True:
            yield [(index, epoch) for epoch, index in self.training_indices(position)]
            position += self.batch_size * self.world_size

    def _validation_plan(self, count):
        for step in range(count):
            start = (step * self.world_size + self.rank) * self.batch_size
            yield [(index, None) for index in range(start, min(start + self.batch_size, len(self.persons)))]

    def _prefetched(self, plan):
        """Yield the batches of a plan in its order, prepared by the workers."""
        if self.workers == 0:
            for rows in plan:
                yield self._finish(self._prepare(rows))
            return
        pool = ThreadPoolExecutor(self.workers)
        waiting = deque()
        try:
            for rows in plan:
                waiting.append(pool.submit(self._prepare, rows))
                if len(waiting) > self.prefetch:
                    yield self._finish(waiting.popleft().result())
            while waiting:
                yield self._finish(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()
            pool.shutdown()

    def _prepare(self, rows):
        """Return (Batch, [(person index, message)] of the unreadable) of [(person index, epoch or None)]."""
        crop_size, joints = self.sample_maker.rule.crop_size, len(self.sample_maker.kept_joints)
        scales = self.sample_maker.scales
        zooms = 0 if scales == (1.0,) or not rows or rows[0][1] is not None else len(scales)
        batch = Batch(
            images=np.zeros((self.batch_size, crop_size, crop_size, 3), np.uint8),
            joints_crop=np.zeros((self.batch_size, joints, 2)),
            labelled=np.zeros((self.batch_size, joints), bool),
            joint_weights=np.zeros((self.batch_size, joints), np.float32),
            mask=np.zeros(self.batch_size, np.float32),
            indices=np.zeros(self.batch_size, np.int64),
            affines_crop_from_img=np.tile(np.eye(2, 3), (self.batch_size, 1, 1)),
            zoomed=np.zeros((zooms, self.batch_size, crop_size, crop_size, 3), np.uint8),
        )
        failures = []
        for row, (index, epoch) in enumerate(rows):
            batch.indices[row] = index
            person = self.persons[index]
            try:
                sample = (
                    self.sample_maker.evaluation_sample(person)
                    if epoch is None
                    else self.sample_maker.training_sample(person, epoch, index)
                )
            except ImageError as error:
                failures.append((index, str(error)))
                continue
            batch.images[row] = sample.crop
            batch.joints_crop[row] = sample.joints_crop
            batch.labelled[row] = sample.labelled
            batch.joint_weights[row] = sample.joint_weights
            batch.mask[row] = 1
            batch.affines_crop_from_img[row] = sample.affine_crop_from_img
            batch.zoomed[:, row] = sample.zoomed if zooms else 0
        return batch, failures

    def _finish(self, prepared):
        """Return the batch; name what could not be read, and stop when it is too much."""
        batch, failures = prepared
        for index, message in failures:
            path = self.persons[index].image_path
            if path not in self.unreadable:
                self.unreadable.add(path)
                self.on_unreadable(message)
            if len(self.unreadable) > self.max_unreadable * self._num_pictures:
                raise ImageError(
                    '%d of %d pictures cannot be read, the last one: %s; mend them or allow more by '
                    'DataSetHG.max_unreadable (now %g)'
                    % (len(self.unreadable), self._num_pictures, message, self.max_unreadable)
                )
        return batch
