"""The data of a run: the check that it exists, or rendered people."""

import os
from typing import Any, Iterable

from tqdm import tqdm

from hourglass_pose.checkpoints.run_lock import FolderLock
from hourglass_pose.config.config import Config, config_from_dict
from hourglass_pose.cores import available_cores
from hourglass_pose.errors import AnnotationError
from hourglass_pose.files import make_folder
from hourglass_pose.invocation import command

SYNTHETIC_SEED = 0
"""Seed of the rendered people. Train.seed, which is for weights and the order of the data, does not change them."""


def require_data(config: Config) -> None:
    """Raise AnnotationError if an annotation file or an image folder of the config is missing."""
    data = config.DataSetHG
    missing = [path for path in tuple(data.training_txt_file) + tuple(data.img_directory) if not os.path.exists(path)]
    if missing:
        raise AnnotationError(
            f'no training data: {", ".join(missing)} does not exist; download MPII (human-pose.mpi-inf.mpg.de: images '
            'and annotations), name your own files by --set DataSetHG.training_txt_file=FILE --set '
            f'DataSetHG.img_directory=FOLDER, or train on rendered people by "{command("train")} --synthetic"'
        )


def with_synthetic_people(config: Config) -> Config:
    """Return the config with rendered people as its data, and render them if they are missing.

    They are next to the run folder, in a folder named by their number and seed, so that a run with other people does
    not change them.
    """
    from hourglass_pose.synthetic.dataset import dataset_folder, write_synthetic_dataset

    count = config.DataSetHG.synthetic_images
    folder = dataset_folder(os.path.dirname(config.Saver.saver_directory), count, SYNTHETIC_SEED)
    make_folder(folder)
    # Of two runs that start together, the second one waits and then finds them complete.
    with FolderLock(folder, tqdm.write, waits=True):
        annotations = write_synthetic_dataset(folder, count, SYNTHETIC_SEED, rendering_bar, available_cores())
    settings = config.as_dict()
    settings['DataSetHG'].update(
        training_txt_file=[annotations], img_directory=[os.path.join(folder, 'images')], training_repeats=None
    )
    return config_from_dict(settings)


def rendering_bar(items: Iterable[Any]) -> 'tqdm[Any]':
    """Return an iterable of the items that shows a progress bar."""
    return tqdm(items, desc='rendering people', unit='image', leave=False, dynamic_ncols=True, disable=None)
