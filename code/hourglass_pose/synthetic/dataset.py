"""Writing of images of rendered people as JPEG files with a dataset.txt; a complete data set is reused."""

import json
import multiprocessing
import os
from typing import Any, Callable, Dict, Iterable, Iterator, List, Sized, Tuple

import cv2
import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.files import parse_json, write_whole
from hourglass_pose.synthetic.scenes import RENDERING_VERSION, SyntheticPerson, render_image

JPEG_QUALITY = 90
_IMAGE_FOLDER = 'images'
_ANNOTATION_FILE = 'dataset.txt'
_RECORD_FILE = 'synthetic.json'

_Task = Tuple[str, int, int]


def dataset_folder(parent: str, num_images: int, seed: int = 0) -> str:
    """Return the folder of a synthetic data set below a parent folder, named by count and seed.

    Runs with different counts or seeds have separate folders, so that none replaces the images of another.
    """
    return os.path.join(parent, f'synthetic_people_{num_images}_seed{seed}')


def write_synthetic_dataset(
    folder: str, num_images: int, seed: int, progress: Callable[[Any], Any] = iter, workers: int = 1
) -> str:
    """Render people into a folder and return the path of its dataset.txt.

    folder: gets images/000001.jpg ..., dataset.txt (`NAME.jpgA xmin ymin xmax ymax x1 y1 ... x16 y16`, one
        line for each person A, B of an image, -1 -1 for a joint outside the image) and synthetic.json, which
        records what was rendered. A complete data set of the same number, seed and rendering version is kept
        unchanged; an incomplete or different one that this function wrote is rendered again.
    num_images: at least 1. seed: int in [0, 2**32): image i is render_image(seed, i), counted from 0.
    progress: as tqdm, takes a sized iterable and returns it; one item of it is one image.
    workers: processes that render; the files are the same for any number.
    Raises UserError if the folder cannot be written to, or contains files that this function did not write.
    """
    if num_images < 1 or not 0 <= seed < 2**32:
        raise ValueError(f'num_images must be at least 1 and seed in [0, 2**32), got {num_images!r} and {seed!r}')
    record = {'num_images': int(num_images), 'seed': int(seed), 'drawing_version': RENDERING_VERSION}
    annotation_path = os.path.join(folder, _ANNOTATION_FILE)
    try:
        if _is_complete(folder, record):
            return annotation_path
        _clear_folder(folder)
        _write_record(folder, record, complete=False)
        tasks = ((folder, seed, index) for index in range(num_images))
        lines: List[str] = []
        written = _run(_write_image, tasks, workers)
        numbers: Sized = range(num_images)
        for _ in progress(numbers):
            lines += next(written)
        write_whole(annotation_path, ('\n'.join(lines) + '\n').encode('utf-8'))
        _write_record(folder, record, complete=True)
    except OSError as error:
        raise UserError(
            f'cannot write synthetic people to {error.filename or folder}: {error.strerror or error}; free some '
            f'space or choose another folder'
        ) from error
    return annotation_path


def annotation_line(image_name: str, letter: str, person: SyntheticPerson) -> str:
    """Return the line of dataset.txt of one SyntheticPerson: name and letter, box and joints in pixels."""
    joints = np.where(person.labelled[:, None], np.rint(person.joints_img), -1).astype(int)
    numbers = person.box_img.astype(int).tolist() + joints.ravel().tolist()
    return f'{image_name}{letter} {" ".join(str(number) for number in numbers)}'


def image_name(index: int) -> str:
    """Return the file name of image `index`, counted from 0."""
    return f'{index + 1:06d}.jpg'


def _write_image(task: _Task) -> List[str]:
    """Render and write one image (folder, seed, index); return its lines of dataset.txt."""
    folder, seed, index = task
    image, persons = render_image(seed, index)
    name = image_name(index)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, jpeg = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    # cv2.imwrite would not report the reason of a failure.
    with open(os.path.join(folder, _IMAGE_FOLDER, name), 'wb') as file:
        file.write(jpeg.tobytes())
    return [annotation_line(name, letter, person) for letter, person in zip('AB', persons)]


def _run(function: Callable[[_Task], List[str]], tasks: Iterable[_Task], workers: int) -> Iterator[List[str]]:
    """Yield function(task) for every task, in order, from this process or from several."""
    if workers <= 1:
        for task in tasks:
            yield function(task)
        return
    # Forking a process with TensorFlow's threads may hang.
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        yield from pool.imap(function, tasks, chunksize=16)


def _is_complete(folder: str, record: Dict[str, int]) -> bool:
    """Return whether the folder holds the finished data set that `record` describes."""
    try:
        with open(os.path.join(folder, _RECORD_FILE), 'rb') as file:
            stored = parse_json(file.read())
        present = set(os.listdir(os.path.join(folder, _IMAGE_FOLDER)))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    if stored != dict(record, complete=True) or not os.path.isfile(os.path.join(folder, _ANNOTATION_FILE)):
        return False
    return all(image_name(index) in present for index in range(record['num_images']))


def _write_record(folder: str, record: Dict[str, int], complete: bool) -> None:
    text = json.dumps(dict(record, complete=complete), indent=2, sort_keys=True) + '\n'
    write_whole(os.path.join(folder, _RECORD_FILE), text.encode('utf-8'))


def _clear_folder(folder: str) -> None:
    """Create the folders and remove an earlier data set of this module. Raises UserError for any other data set."""
    images = os.path.join(folder, _IMAGE_FOLDER)
    annotation_path = os.path.join(folder, _ANNOTATION_FILE)
    os.makedirs(images, exist_ok=True)
    if not os.path.exists(os.path.join(folder, _RECORD_FILE)):
        if os.path.exists(annotation_path) or os.listdir(images):
            raise UserError(
                f'{folder} contains a data set that was not rendered by this program (no {_RECORD_FILE}); '
                'choose an empty folder for synthetic people'
            )
        return
    if os.path.exists(annotation_path):
        os.remove(annotation_path)
    for name in os.listdir(images):
        if name.endswith('.jpg') and name[: -len('.jpg')].isdigit():
            os.remove(os.path.join(images, name))
