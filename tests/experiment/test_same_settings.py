"""Processes that train together have the same settings, except for those that depend on the machine."""

import json

import pytest

from hourglass_pose.config.config import config_from_dict
from hourglass_pose.errors import ConfigError
from hourglass_pose.experiment.same_settings import common_settings, require_same_settings


def config(*overrides):
    data = {'training_txt_file': ['dataset.txt'], 'img_directory': ['images']}
    return config_from_dict({'DataSetHG': data}, overrides)


def meet(*configs):
    """Let the processes of these configs exchange their settings, as JSON."""
    everyone = [json.loads(json.dumps(common_settings(each))) for each in configs]
    require_same_settings(configs[0], lambda own: everyone)


def test_paths_threads_and_devices_may_differ():
    meet(
        config(),
        config('Train.workers=3', 'Train.cache_mb=7', 'DataSetHG.img_directory=other', 'Saver.saver_directory=there'),
        config('Device.intra_threads=1', 'Device.rank_port=31000', 'Train.prefetch=9'),
    )


@pytest.mark.parametrize(
    'name, value',
    [
        ('Train.batch_size', 3),
        ('Train.seed', 8),
        ('Train.lear_rate', 0.5),
        ('Network.nStack', 3),
        ('DataSetHG.valid_fraction', 0.31),
        ('Validation.valid_every', 7),
        ('Device.loss_scale', 64.0),
    ],
)
def test_what_decides_the_training_is_named_with_both_values_and_the_rank(name, value):
    with pytest.raises(ConfigError) as caught:
        meet(config(), config(), config(f'{name}={value!r}'))
    message = str(caught.value)
    assert message.startswith(f'config {name}: expected ') and f'found {value!r} in rank 2' in message
    assert '\n' not in message
