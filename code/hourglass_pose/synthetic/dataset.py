"""Writing pictures of drawn people as JPEG files and a dataset.txt, and reusing what is already there."""

import json
import multiprocessing
import os

import cv2
import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.files import write_whole
from hourglass_pose.synthetic.scenes import DRAWING_VERSION, draw_image

JPEG_QUALITY = 90
_IMAGE_FOLDER = 'images'
_ANNOTATION_FILE = 'dataset.txt'
_RECORD_FILE = 'synthetic.json'


def write_synthetic_dataset(folder, num_images, seed, progress=iter, workers=1):
    """Draw people into a folder and return the path of its dataset.txt.

    folder: gets images/000001.jpg ..., dataset.txt (`NAME.jpgA xmin ymin xmax ymax x1 y1 ... x16 y16`, one
        line for each person A, B of an image, -1 -1 for a joint outside the image) and synthetic.json, which
        records what was drawn. A complete data set of the same number, seed and drawing version is left as it
        is; an unfinished or different one that this function began is drawn anew.
    num_images: at least 1. seed: int in [0, 2**32): picture i is draw_image(seed, i), counted from 0.
    progress: as tqdm, takes a sized iterable and returns it; one item of it is one picture.
    workers: processes that draw; the files are the same for any number.
    Raises UserError where the folder cannot be written to, or holds files that are not of this function.
    """
    if num_images < 1 or not 0 <= seed < 2**32:
        raise ValueError(f'num_images must be at least 1 and seed in [0, 2**32), got {num_images!r} and {seed!r}')
    record = {'num_images': int(num_images), 'seed': int(seed), 'drawing_version': DRAWING_VERSION}
    annotation_path = os.path.join(folder, _ANNOTATION_FILE)
    try:
        if _is_complete(folder, record):
            return annotation_path
        _make_room(folder)
        _write_record(folder, record, complete=False)
        tasks = ((folder, seed, index) for index in range(num_images))
        lines = []
        written = _run(_write_picture, tasks, workers)
        for _ in progress(range(num_images)):
            lines += next(written)
        write_whole(annotation_path, ('\n'.join(lines) + '\n').encode('utf-8'))
        _write_record(folder, record, complete=True)
    except OSError as error:
        raise UserError(
            f'cannot write synthetic people to {error.filename or folder}: {error.strerror or error}; free some '
            f'space or choose another folder'
        ) from error
    return annotation_path


def annotation_line(image_name, letter, person):
    """Return the line of dataset.txt of one SyntheticPerson: name and letter, box and joints in pixels."""
    joints = np.where(person.labelled[:, None], np.rint(person.joints_img), -1).astype(int)
    numbers = person.box_img.astype(int).tolist() + joints.ravel().tolist()
    return '{}{} {}'.format(image_name, letter, ' '.join(str(number) for number in numbers))


def image_name(index):
    """Return the file name of picture `index`, counted from 0."""
    return '%06d.jpg' % (index + 1)


def _write_picture(task):
    """Draw and write one picture (folder, seed, index); return its lines of dataset.txt."""
    folder, seed, index = task
    image, persons = draw_image(seed, index)
    name = image_name(index)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, jpeg = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    # OpenCV's own writing would not say why it failed.
    with open(os.path.join(folder, _IMAGE_FOLDER, name), 'wb') as file:
        file.write(jpeg.tobytes())
    return [annotation_line(name, letter, person) for letter, person in zip('AB', persons)]


def _run(function, tasks, workers):
    """Yield function(task) for every task, in order, from this process or from several."""
    if workers <= 1:
        for task in tasks:
            yield function(task)
        return
    # Forking a process that holds TensorFlow's threads may hang.
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        yield from pool.imap(function, tasks, chunksize=16)


def _is_complete(folder, record):
    """Say whether the folder holds the finished data set that `record` describes."""
    try:
        with open(os.path.join(folder, _RECORD_FILE), encoding='utf-8') as file:
            found = json.load(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    if found != dict(record, complete=True) or not os.path.isfile(os.path.join(folder, _ANNOTATION_FILE)):
        return False
    present = set(os.listdir(os.path.join(folder, _IMAGE_FOLDER)))
    return all(image_name(index) in present for index in range(record['num_images']))


def _write_record(folder, record, complete):
    text = json.dumps(dict(record, complete=complete), indent=2, sort_keys=True) + '\n'
    write_whole(os.path.join(folder, _RECORD_FILE), text.encode('utf-8'))


def _make_room(folder):
    """Make the folders and remove an earlier data set of this module; any other raises UserError."""
    images = os.path.join(folder, _IMAGE_FOLDER)
    annotation_path = os.path.join(folder, _ANNOTATION_FILE)
    os.makedirs(images, exist_ok=True)
    if not os.path.exists(os.path.join(folder, _RECORD_FILE)):
        if os.path.exists(annotation_path) or os.listdir(images):
            raise UserError(
                f'{folder} holds a data set that was not drawn by this program (no {_RECORD_FILE} beside it); '
                'choose an empty folder for synthetic people'
            )
        return
    if os.path.exists(annotation_path):
        os.remove(annotation_path)
    for name in os.listdir(images):
        if name.endswith('.jpg') and name[: -len('.jpg')].isdigit():
            os.remove(os.path.join(images, name))
