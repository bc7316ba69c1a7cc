"""Poses of photos: finds the files, reads them ahead in threads, predicts them in batches, and writes the results."""

import itertools
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Deque, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.errors import ImageError, UserError, counted
from hourglass_pose.images import IMAGE_EXTENSIONS, describe_content, read_image
from hourglass_pose.prediction.pose import Pose
from hourglass_pose.prediction.pose_files import is_own_file, output_stems, write_poses
from hourglass_pose.prediction.predictor import Box, Cut, Predictor

_READERS = 2
_NAMES_SHOWN = 3


@dataclass(frozen=True, eq=False)
class PhotoPoses:
    """The poses in a photo. image: uint8 RGB (H, W, 3). problem: why there are no poses, otherwise None."""

    path: str
    image: Optional[np.ndarray] = None
    poses: Tuple[Pose, ...] = ()
    problem: Optional[UserError] = None


def find_photos(paths: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Return (photos, notes) for files and folders.

    photos: the given files whatever their names, and of the given folders the pictures by their extension, sorted by
    name, without hidden files, subfolders and results of earlier predictions; each once.
    notes: a line for each folder with skipped files, which describes them.
    Raises ImageError for a path that does not exist, for a folder without photos, and for no paths at all.
    """
    if not paths:
        raise ImageError('no images given; name image files, or folders that contain images')
    photos: Dict[str, str] = {}
    notes: List[str] = []
    for path in paths:
        found, note = [path], ''
        if os.path.isdir(path):
            found, note = _photos_of_folder(path)
        elif not os.path.exists(path):
            raise ImageError(f'{path}: no such file or folder (absolute path: {os.path.abspath(path)}); check the path')
        for photo in found:
            photos.setdefault(os.path.abspath(photo), photo)
        if note:
            notes.append(f'skipped in {path}: {note}')
    return list(photos.values()), notes


def _photos_of_folder(folder: str) -> Tuple[List[str], str]:
    """Return (photos of a folder, description of the skipped files or '')."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise ImageError(f'{folder}: cannot be listed ({error.strerror}); check its permissions')
    photos: List[str] = []
    others: List[str] = []
    num_results = 0
    for name in names:
        path = os.path.join(folder, name)
        if name.startswith('.') or os.path.isdir(path):
            continue
        if is_own_file(path):
            num_results += 1
        else:
            (photos if name.lower().endswith(IMAGE_EXTENSIONS) else others).append(path)
    note = _describe_others(others, num_results)
    if not photos:
        skipped = f'; skipped: {note}' if note else ''
        raise ImageError(
            f'{folder}: no photos in this folder; expected files with one of the extensions '
            f'{" ".join(IMAGE_EXTENSIONS)}{skipped}'
        )
    return photos, note


def _describe_others(paths: Sequence[str], num_results: int) -> str:
    """Return skipped files by kind, such as 'an HEIC image: IMG_1.HEIC; 2 results of earlier predictions'."""
    kinds: Dict[str, List[str]] = {}
    for path in paths:
        kinds.setdefault(describe_content(path) or 'not a picture', []).append(os.path.basename(path))
    parts = [f'{kind}: {_listed(names)}' for kind, names in kinds.items()]
    if num_results:
        parts.append(counted(num_results, 'result of earlier predictions'))
    return '; '.join(parts)


def predict_photos(
    predictor: Predictor, paths: Sequence[str], boxes_of: Callable[[str], Sequence[Optional[Box]]] = lambda path: [None]
) -> Iterator[PhotoPoses]:
    """Yield the PhotoPoses of photos in their order; a photo that fails has a problem and does not stop the others.

    boxes_of: function from a path to the boxes (x, y, width, height) of its persons; None is the whole photo.
    Threads read and crop ahead of the network, which takes Predictor.batch_size persons at once. If that is more than
    one, the last bits of a result can depend on the other photos of the batch.
    """
    batch: List[_Cropped] = []
    for cropped in _read_ahead(lambda path: _crop(predictor, path, boxes_of(path)), paths):
        batch.append(cropped)
        if sum(len(cropped.cuts) for cropped in batch) >= predictor.batch_size:
            yield from _predicted(predictor, batch)
            batch = []
    yield from _predicted(predictor, batch)


def find_in_photos(
    predictor: Predictor,
    paths: Sequence[str],
    max_persons: Optional[int] = None,
    min_person_score: Optional[float] = None,
) -> Iterator[PhotoPoses]:
    """Yield the PhotoPoses of the persons that Predictor.find finds in photos, as predict_photos does."""
    for read in _read_ahead(lambda path: _crop(predictor, path, []), paths):
        poses: List[Pose] = []
        problem = read.problem
        if read.image is not None:
            try:
                poses = predictor.find(read.image, max_persons, min_person_score)
            except UserError as error:
                problem = error
        yield PhotoPoses(read.path, read.image, tuple(poses), problem)


def record_photos(
    photos: Iterable[PhotoPoses], paths: Sequence[str], folder: str, predictor: Predictor, min_score: float
) -> None:
    """Write the files of each photo as soon as its poses are known, and print how many persons were found.

    Args:
        photos: the PhotoPoses of the paths, in their order.
        min_score: joints with a lower score are left out of the picture.

    Raises ImageError, after the last photo, with a line for each photo that failed.
    """
    problems: List[str] = []
    counts: List[Tuple[str, int]] = []
    try:
        for photo, stem in zip(photos, output_stems(paths)):
            try:
                if photo.problem:
                    raise photo.problem
                assert photo.image is not None
                write_poses(os.path.join(folder, stem), photo.path, photo.image, photo.poses, predictor, min_score)
                counts.append((photo.path, len(photo.poses)))
            except UserError as error:
                problems.append(str(error))
    finally:
        if counts:
            print(f'{counted(len(counts), "photo")} in {folder}: a JSON and a picture for each')
            print(describe_persons(counts))
    if problems:
        raise ImageError('\n'.join(problems))


def describe_persons(counts: Sequence[Tuple[str, int]]) -> str:
    """Return a line such as '3 persons; none in b.jpg' of (path, number of persons) of photos."""
    total = sum(number for _, number in counts)
    empty = [os.path.basename(path) for path, number in counts if not number]
    if not total:
        return 'no persons found; a lower --min-person-score may find some, --whole-image takes the photo as one person'
    return counted(total, 'person') + (f'; none in {_listed(empty)}' if empty else '')


def _listed(names: Sequence[str]) -> str:
    """Return the first names and the number of the others."""
    more = f' and {len(names) - _NAMES_SHOWN} more' if len(names) > _NAMES_SHOWN else ''
    return f'{", ".join(names[:_NAMES_SHOWN])}{more}'


def _read_ahead(read: Callable[[str], '_Cropped'], paths: Sequence[str]) -> Iterator['_Cropped']:
    """Yield what `read` returns for paths, in their order; threads are a few paths ahead."""
    with ThreadPoolExecutor(_READERS) as pool:
        waiting = iter(paths)
        reading: Deque[Future[_Cropped]] = deque()
        for path in itertools.islice(waiting, 2 * _READERS):
            reading.append(pool.submit(read, path))
        while reading:
            finished = reading.popleft().result()
            for path in itertools.islice(waiting, 1):
                reading.append(pool.submit(read, path))
            yield finished


@dataclass(frozen=True, eq=False)
class _Cropped:
    path: str
    image: Optional[np.ndarray]
    cuts: List[Cut]
    problem: Optional[UserError]


def _crop(predictor: Predictor, path: str, boxes: Sequence[Optional[Box]]) -> _Cropped:
    try:
        image = read_image(path)
        return _Cropped(path, image, [predictor.cut(image, box) for box in boxes], None)
    except UserError as error:
        return _Cropped(path, None, [], error)


def _predicted(predictor: Predictor, batch: Sequence[_Cropped]) -> Iterator[PhotoPoses]:
    problem: Optional[UserError] = None
    poses: Iterator[Pose] = iter(())
    try:
        poses = iter(predictor.poses_of([cut for cropped in batch for cut in cropped.cuts]))
    except UserError as error:
        problem = error
    for cropped in batch:
        own = tuple(itertools.islice(poses, len(cropped.cuts)))
        yield PhotoPoses(cropped.path, cropped.image, own, cropped.problem or problem)
