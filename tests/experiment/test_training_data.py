"""Rendered people have a folder for each number of pictures, which does not depend on the seed of the training."""

import os

from hourglass_pose.config.config import config_from_dict
from hourglass_pose.experiment.training_data import with_synthetic_people


def rendered(tmp_path, count, seed=0):
    """Return (image folder, {name: time of writing}) of the people of a config."""
    config = config_from_dict(
        {
            'DataSetHG': {
                'synthetic_images': count,
                'training_txt_file': ['a', 'b'],
                'img_directory': ['c', 'd'],
                'training_repeats': [2, 1],
            },
            'Train': {'seed': seed},
            'Saver': {'saver_directory': str(tmp_path / 'run')},
        }
    )
    (folder,) = with_synthetic_people(config).DataSetHG.img_directory
    return folder, {name: os.stat(os.path.join(folder, name)).st_mtime_ns for name in os.listdir(folder)}


def test_a_run_with_other_people_or_another_seed_leaves_the_pictures_of_a_run_alone(tmp_path):
    folder, before = rendered(tmp_path, 2)
    assert os.path.basename(os.path.dirname(folder)) == 'synthetic_people_2_seed0' and len(before) == 2
    assert rendered(tmp_path, 2, seed=1) == (folder, before)
    other, _ = rendered(tmp_path, 3)
    assert other != folder and rendered(tmp_path, 2) == (folder, before)
