"""DataGenerator: endless training batches in a reproducible order, and one pass of validation batches."""

import math
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Deque, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, Union

import cv2
import numpy as np

from hourglass_pose.allocation import keep_freed_memory
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_table import PersonTable, image_numbers
from hourglass_pose.cores import available_cores
from hourglass_pose.errors import ImageError
from hourglass_pose.input.samples import SampleMaker

Rows = List[Tuple[int, Optional[int]]]
"""The rows of a batch: (sample index, epoch); the epoch is None in validation, where samples are persons."""

_TASK_ROWS = 4  # at most; a task of the pool costs a tenth of what a sample does in the interpreter


@dataclass(frozen=True, eq=False)
class Batch:
    """B samples; a row whose `mask` is 0 is padding or an image that cannot be read, and is ignored.

    images: (B, S, S, 3) uint8 RGB. joints_crop: (B, J, 2) float64. labelled: (B, J) bool. joint_weights: (B, J)
    float32. mask: (B,) float32. indices: (B,) int, index of each row's person in the generator, 0 for padding.
    affines_crop_from_img: (B, 2, 3) float64. person_labels: (B, 2) float32, target and weight of each row's
    PersonLabel. zoomed: (Z, B, S, S, 3) uint8, the crops of a validation batch at each of SampleMaker.scales, Z = 0 if
    that is only scale 1.
    """

    images: np.ndarray
    joints_crop: np.ndarray
    labelled: np.ndarray
    joint_weights: np.ndarray
    mask: np.ndarray
    indices: np.ndarray
    affines_crop_from_img: np.ndarray
    person_labels: np.ndarray
    zoomed: Union[np.ndarray, Sequence[np.ndarray]] = ()


class DataGenerator:
    """Batches of fixed size over a list of persons, prepared ahead by threads.

    Training batches follow one endless sequence: the samples of an epoch, one of each person unless `repeats` says
    more, in an order sampled for each epoch, without replacement, epoch after epoch. A step of W processes takes the
    next B*W positions of it, process r the r-th B of these. So the number of persons seen determines the state of
    training, independent of earlier values of B and W; no person is left out at the end of an epoch, and every process
    knows its share.

    persons: sequence of Person, of which a list is made unless it is a PersonTable. sample_maker: SampleMaker.
    repeats: (N,) how many times an epoch shows each person; None is once.
    batch_size: B, of one process.
    workers: threads, each of which makes one sample at a time; None for one per core, 0 for none: each batch is
    prepared on demand. While threads work, OpenCV's own threads are off in the whole process, because they would
    compete with the network for cores.
    prefetch: batches prepared ahead; at least as many as keep all threads busy are used.
    max_unreadable: fraction of the job's images that may be unreadable; more raise ImageError. Up to then the rows of
    such an image are masked, `on_unreadable(message)` is called once, and its path is added to the set `unreadable`.
    """

    def __init__(
        self,
        persons: Sequence[Person],
        sample_maker: SampleMaker,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        workers: Optional[int] = None,
        prefetch: int = 4,
        max_unreadable: float = 0.0,
        on_unreadable: Optional[Callable[[str], None]] = None,
        repeats: Union[Sequence[int], np.ndarray, None] = None,
    ) -> None:
        if not persons:
            raise ValueError('persons: expected at least one')
        if not 0 <= rank < world_size:
            raise ValueError(f'rank: expected 0 to {world_size - 1}, found {rank}')
        if batch_size < 1:
            raise ValueError(f'batch_size: expected at least 1, found {batch_size}')
        self.persons: Sequence[Person] = persons if isinstance(persons, PersonTable) else list(persons)
        self.sample_maker = sample_maker
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.workers = available_cores() if workers is None else workers
        self.prefetch = prefetch
        self.max_unreadable = max_unreadable
        self.on_unreadable = on_unreadable or (lambda message: None)
        self.unreadable: Set[str] = set()
        # The person of each sample of an epoch.
        self._shown = None if repeats is None else np.repeat(np.arange(len(persons), dtype=np.int32), repeats)
        self._image_numbers = image_numbers(persons)
        self._num_images = int(self._image_numbers.max()) + 1
        self._tried = np.zeros(self._num_images, bool)
        self._num_tried = 0
        self._orders: Dict[int, np.ndarray] = {}

    @property
    def samples_per_epoch(self) -> int:
        """Number of samples in one pass over the training persons."""
        return len(self.persons) if self._shown is None else len(self._shown)

    @property
    def steps_per_epoch(self) -> int:
        """Number of training steps nearest to one pass over the training persons, at least 1."""
        return max(1, int(round(self.samples_per_epoch / float(self.batch_size * self.world_size))))

    @property
    def num_validation_batches(self) -> int:
        """Batches of one validation pass, the same for every rank."""
        per_step = self.batch_size * self.world_size
        return -(-len(self.persons) // per_step)

    def training_batches(self, position: int = 0) -> Iterator[Batch]:
        """Yield endless training batches from a position, in persons, on. Raises ImageError, see max_unreadable."""
        return self._prefetched(self._training_plan(position))

    def training_batch(self, position: int) -> Batch:
        """Return the training batch of this rank in the step that starts at a position, in persons."""
        batch = self._empty_batch(is_training=True)
        for row, (epoch, index) in enumerate(self.training_indices(position)):
            self._fill_row(batch, row, index, epoch)
        return batch

    def validation_batches(self, limit: Optional[int] = None) -> Iterator[Batch]:
        """Yield this rank's share of all persons in order, the last batch padded; at most `limit` batches."""
        count = self.num_validation_batches if limit is None else min(limit, self.num_validation_batches)
        return self._prefetched(self._validation_plan(count))

    def training_indices(self, position: int) -> List[Tuple[int, int]]:
        """Return [(epoch, sample index)] of this rank's batch in the step at a position, in persons of all ranks."""
        total = self.samples_per_epoch
        start = position + self.rank * self.batch_size
        rows = [divmod(row, total) for row in range(start, start + self.batch_size)]
        return [(epoch, int(self._order(epoch)[index])) for epoch, index in rows]

    def person_index(self, sample_index: int) -> int:
        """Return the index of the person that a training sample shows."""
        return sample_index if self._shown is None else int(self._shown[sample_index])

    def _order(self, epoch: int) -> np.ndarray:
        order = self._orders.get(epoch)
        if order is None:
            order = np.random.RandomState([self.seed, epoch]).permutation(self.samples_per_epoch)
            # Training moves on, so earlier epochs are dropped. The dict is replaced, never changed: iterators in
            # several threads may use it.
            kept = [item for item in self._orders.items() if item[0] >= epoch - 1]
            self._orders = dict(kept + [(epoch, order)])
        return order

    def _training_plan(self, position: int) -> Iterator[Rows]:
        while True:
            yield [(index, epoch) for epoch, index in self.training_indices(position)]
            position += self.batch_size * self.world_size

    def _validation_plan(self, count: int) -> Iterator[Rows]:
        for step in range(count):
            start = (step * self.world_size + self.rank) * self.batch_size
            yield [(index, None) for index in range(start, min(start + self.batch_size, len(self.persons)))]

    def _prefetched(self, plan: Iterable[Rows]) -> Iterator[Batch]:
        """Yield the batches of a plan in its order. A task of the threads is a few rows of a batch."""
        keep_freed_memory()
        if self.workers == 0:
            for rows in plan:
                batch = self._empty_batch(is_training=_is_training(rows))
                yield self._finish(batch, self._fill_rows(batch, 0, rows))
            return
        ahead = max(self.prefetch, math.ceil(self.workers / self.batch_size))
        task_rows = min(_TASK_ROWS, max(1, self.batch_size * self.prefetch // self.workers))
        waiting: Deque[Tuple[Batch, List[Future[List[Optional[str]]]]]] = deque()
        opencv_threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        pool = ThreadPoolExecutor(self.workers)
        try:
            for rows in plan:
                batch = self._empty_batch(is_training=_is_training(rows))
                tasks = [
                    pool.submit(self._fill_rows, batch, row, rows[row : row + task_rows])
                    for row in range(0, len(rows), task_rows)
                ]
                waiting.append((batch, tasks))
                if len(waiting) > ahead:
                    yield self._finish_first(waiting)
            while waiting:
                yield self._finish_first(waiting)
        finally:
            for _, tasks in waiting:
                for task in tasks:
                    task.cancel()
            pool.shutdown()
            cv2.setNumThreads(opencv_threads)

    def _finish_first(self, waiting: 'Deque[Tuple[Batch, List[Future[List[Optional[str]]]]]]') -> Batch:
        batch, tasks = waiting[0]
        failures = [message for task in tasks for message in task.result()]
        waiting.popleft()
        return self._finish(batch, failures)

    def _empty_batch(self, is_training: bool) -> Batch:
        """Return a batch whose rows are all padding."""
        maker, rows = self.sample_maker, self.batch_size
        size, joints = maker.rule.crop_size, len(maker.kept_joints)
        zooms = 0 if is_training or maker.scales == (1.0,) else len(maker.scales)
        return Batch(
            images=np.zeros((rows, size, size, 3), np.uint8),
            joints_crop=np.zeros((rows, joints, 2)),
            labelled=np.zeros((rows, joints), bool),
            joint_weights=np.zeros((rows, joints), np.float32),
            mask=np.zeros(rows, np.float32),
            indices=np.zeros(rows, np.int64),
            affines_crop_from_img=np.tile(np.eye(2, 3), (rows, 1, 1)),
            person_labels=np.zeros((rows, 2), np.float32),
            zoomed=np.zeros((zooms, rows, size, size, 3), np.uint8),
        )

    def _fill_rows(self, batch: Batch, first: int, rows: Rows) -> List[Optional[str]]:
        """Make the samples of some rows from the first one on; return _fill_row of each."""
        return [self._fill_row(batch, first + row, *item) for row, item in enumerate(rows)]

    def _fill_row(self, batch: Batch, row: int, index: int, epoch: Optional[int]) -> Optional[str]:
        """Make the sample of a row; return None, or the message of an image that cannot be read."""
        number = index if epoch is None else self.person_index(index)
        batch.indices[row] = number
        person = self.persons[number]
        try:
            if epoch is None:
                sample = self.sample_maker.evaluation_sample(person)
            else:
                sample = self.sample_maker.training_sample(person, epoch, index)
        except ImageError as error:
            return str(error)
        batch.images[row] = sample.crop
        batch.joints_crop[row] = sample.joints_crop
        batch.labelled[row] = sample.labelled
        batch.joint_weights[row] = sample.joint_weights
        batch.affines_crop_from_img[row] = sample.affine_crop_from_img
        batch.person_labels[row] = sample.person_label.target, sample.person_label.weight
        for zoomed, crop in zip(batch.zoomed, sample.zoomed):
            zoomed[row] = crop
        batch.mask[row] = 1
        return None

    def _finish(self, batch: Batch, failures: List[Optional[str]]) -> Batch:
        """Return the batch; report unreadable images, and raise ImageError if there are too many."""
        for index, message in zip(batch.indices.tolist(), failures):
            number = self._image_numbers[index]
            self._num_tried += not self._tried[number]
            self._tried[number] = True
            if message is None:
                continue
            path = self.persons[index].image_path
            if path not in self.unreadable:
                self.unreadable.add(path)
                self.on_unreadable(message)
            if len(self.unreadable) > self._most_unreadable():
                raise ImageError(
                    f'{len(self.unreadable)} of {self._num_images} images cannot be read, the last one: {message}; '
                    f'repair them or allow more by DataSetHG.max_unreadable (now {self.max_unreadable:g})'
                )
        return batch

    def _most_unreadable(self) -> float:
        """Return how many of the images that this process has tried may be unreadable.

        A single process counts all of them. One of several has tried a random sample of the job's images: it allows
        the same fraction of the job's limit, and two standard deviations (hypergeometric) more, so that a few bad
        images that happen to fall to one process do not stop the job.
        """
        tried = self._num_tried
        share = tried / float(min(self._num_images, tried * self.world_size))
        allowed = self.max_unreadable * self._num_images * share
        return allowed + 2 * math.sqrt(allowed * (1 - share))


def _is_training(rows: Rows) -> bool:
    return bool(rows) and rows[0][1] is not None
