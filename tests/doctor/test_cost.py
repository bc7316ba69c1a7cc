"""Disk and time of a run: against a real checkpoint, and against sums done by hand."""

import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hourglass_pose.config.config import load_config
from hourglass_pose.doctor import cost
from hourglass_pose.errors import ImageError
from hourglass_pose.graph.architectures import hyperparameters_from_dict
from hourglass_pose.graph.summary import summarise_network

# 600 steps of 10 persons in 6 epochs, with two validations of 90 persons.
PLAN = cost.RunPlan(
    num_train=1000,
    steps=600,
    epochs=6,
    batch_size=10,
    valid_persons=90,
    validations=2,
    flip_test=True,
    warmup_steps=0,
    workers=2,
    folder='.',
    keep_last=3,
    checkpoint_every=1,
    averaged=True,
    summary_every=100,
)


def test_a_checkpoint_has_the_predicted_size(command_line_run):
    from hourglass_pose.checkpoints.folder import read_manifest

    folder = os.path.join(command_line_run.folder, 'latest')
    summary = summarise_network(hyperparameters_from_dict(read_manifest(folder)['hyperparameters']))
    (name,) = [name for name in os.listdir(folder) if '.data-' in name]
    config = load_config(command_line_run.config)
    foretold = cost.checkpoint_bytes(summary.parameters, summary.variables, config.Train.ema_decay > 0)
    # Besides there are single numbers: counts of steps, and Adam's powers of its two constants.
    assert 0 <= os.path.getsize(os.path.join(folder, name)) - foretold <= 64
    assert config.Train.ema_decay > 0


def test_disk_space_is_the_checkpoints_and_the_images(monkeypatch):
    plan = replace(PLAN, steps=6000)
    # 1.1 million numbers, averaged too, and two slots of 1 million: 4.2 million of 4 bytes, (3 kept + 2) times;
    # 16 tiles for each 100 of 6,000 steps, 24 for 2 validations.
    needed = 5 * 4 * 4200000 + 1000 * (16 * 60 + 24 * 2)
    for free, hurts in ((needed, False), (needed - 1, True)):
        monkeypatch.setattr(cost.shutil, 'disk_usage', lambda path: SimpleNamespace(free=free))
        finding = cost.check_disk(plan, 1000000, 1100000, 1000.0)
        assert finding.harmful == hurts and ('free some space' in finding.message) == hurts
        assert '85 MB' in finding.message and '16.8 MB' in finding.message


def test_the_time_names_its_measurements():
    # 600 steps of 10 persons of 20 ms on two threads are a minute.
    alone = cost.check_time(PLAN, 0.02, 32).message
    assert alone.startswith('at least 60 s for 600 steps') and '--steps' in alone and 'measured on 32' in alone
    # 600 steps of 1 s; two validations of 90 persons twice, a third of 0.1 s each.
    both = cost.check_time(PLAN, 0.02, 32, 1.0, 3).message
    assert both.startswith('about 10 min') and 'validation 12 s (estimated' in both and 'on 3 steps' in both
    assert cost.check_time(PLAN, None, 0).message.startswith('unknown')


def test_contradicting_settings_are_found():
    assert cost.check_settings(PLAN) == []
    (finding,) = cost.check_settings(replace(PLAN, warmup_steps=600))
    assert finding.harmful and 'the steps of the run are 600' in finding.message
    (finding,) = cost.check_settings(replace(PLAN, steps=99))
    assert finding.harmful and '990 of 1,000' in finding.message
    (finding,) = cost.check_settings(replace(PLAN, batch_size=1001))
    assert not finding.harmful


def test_input_is_measured_on_what_can_be_read():
    class Maker:
        def training_sample(self, person, epoch, index):
            if person == 'lost':
                raise ImageError('lost')

    seconds, count = cost.measure_input(Maker(), ['here', 'lost', 'there'])
    assert seconds >= 0 and count == 2
    assert cost.measure_input(Maker(), ['lost']) == (None, 0)


def test_the_bytes_of_a_tile_grow_with_its_detail(rng):
    plain = np.zeros((200, 200, 3), np.uint8)
    noise = rng.randint(0, 256, (200, 200, 3)).astype(np.uint8)
    # Noise cannot be packed: three bytes a pixel.
    assert cost.tile_bytes([plain] * 4) < 2000 < 0.98 * 120000 < cost.tile_bytes([noise] * 4) < 1.1 * 120000
    assert cost.tile_bytes([]) == 0


@pytest.mark.parametrize(
    'seconds, text', [(45, '45 s'), (119, '119 s'), (720, '12 min'), (12600, '3.5 h'), (181440, '2.1 days')]
)
def test_times_are_written_for_people(seconds, text):
    assert cost.time_text(seconds) == text


@pytest.mark.parametrize(
    'size, text', [(12, '12 B'), (1500, '1.5 kB'), (12.4e6, '12.4 MB'), (1.55e9, '1.55 GB'), (2e12, '2e+03 GB')]
)
def test_sizes_are_written_for_people(size, text):
    assert cost.size_text(size) == text
