"""Disk and time of a run: against a real checkpoint, and against sums done by hand."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from hourglass_pose.config.config import config_from_dict, load_config
from hourglass_pose.doctor import cost as run_cost
from hourglass_pose.errors import ImageError
from hourglass_pose.graph.architectures import hyperparameters_from_dict
from hourglass_pose.graph.summary import NetworkSummary, summarise_network


def config_of(**train):
    return config_from_dict(
        {
            'Train': dict(dict(batch_size=10, nEpochs=6, workers=2, warmup_steps=0), **train),
            'Validation': {'valid_every': 4, 'valid_batch_size': 10},
        }
    )


def test_a_checkpoint_takes_what_is_foretold(command_line_run):
    from hourglass_pose.checkpoints.folder import read_manifest

    folder = os.path.join(command_line_run.folder, 'latest')
    summary = summarise_network(hyperparameters_from_dict(read_manifest(folder)['traits']))
    (name,) = [name for name in os.listdir(folder) if '.data-' in name]
    config = load_config(command_line_run.config)
    foretold = run_cost.checkpoint_bytes(summary, config.Train.ema_decay > 0)
    # Besides there are single numbers: counts of steps, and Adam's powers of its two constants.
    assert 0 <= os.path.getsize(os.path.join(folder, name)) - foretold <= 64
    assert config.Train.ema_decay > 0


def test_the_length_of_a_run_is_counted_as_training_counts_it():
    length = run_cost.length_of_run(config_of(), num_train=1004, num_valid=99)
    assert (length.steps, length.persons_per_step, length.valid_persons, length.validations) == (600, 10, 99, 2)
    assert run_cost.length_of_run(config_of(epoch_size=7), 1004, 99).steps == 42
    few = config_of()
    few = config_from_dict(dict(few.as_dict(), Validation=dict(few.as_dict()['Validation'], valid_iteration=3)))
    assert run_cost.length_of_run(few, 1004, 99).valid_persons == 30


def test_disk_space_is_the_checkpoints_and_the_pictures(monkeypatch):
    config = config_of()
    length = run_cost.length_of_run(config, 10000, 10)
    summary = NetworkSummary(None, parameters=1000000, variables=1100000, gflops=1.0)
    # 3.1 million numbers of 4 bytes, (3 kept + 2) times; 16 tiles for each 100 of 6,000 steps, 24 for 2 validations.
    needed = 5 * 4 * 3100000 + 1000 * (16 * 60 + 24 * 2)
    for free, hurts in ((needed, False), (needed - 1, True)):
        monkeypatch.setattr(run_cost.shutil, 'disk_usage', lambda path: SimpleNamespace(free=free))
        finding = run_cost.check_disk(config, length, summary, 1000.0)
        assert finding.harmful == hurts and ('make room' in finding.message) == hurts
        assert '63 MB' in finding.message and '12.4 MB' in finding.message


def test_the_time_says_how_it_is_known():
    config = config_of()
    length = run_cost.length_of_run(config, 1000, 90)
    # 600 steps of 10 persons of 20 ms on two threads are a minute.
    alone = run_cost.check_time(config, length, 0.02, 32).message
    assert alone.startswith('at least 60 s for 600 steps') and '--steps' in alone and 'measured on 32' in alone
    # 600 steps of 1 s; two validations of 90 persons twice, a third of 0.1 s each.
    both = run_cost.check_time(config, length, 0.02, 32, 1.0, 3).message
    assert both.startswith('about 10 min') and 'validation 12 s (estimated' in both and 'on 3 steps' in both
    assert run_cost.check_time(config, length, None, 0).message.startswith('not known')


def test_input_is_measured_on_what_can_be_read():
    class Maker:
        def training_sample(self, person, epoch, index):
            if person == 'lost':
                raise ImageError('lost')

    seconds, count = run_cost.measure_input(Maker(), ['here', 'lost', 'there'])
    assert seconds >= 0 and count == 2
    assert run_cost.measure_input(Maker(), ['lost']) == (None, 0)


def test_the_bytes_of_a_tile_grow_with_its_detail(rng):
    plain = np.zeros((200, 200, 3), np.uint8)
    noise = rng.randint(0, 256, (200, 200, 3)).astype(np.uint8)
    # Noise cannot be packed: three bytes a pixel.
    assert run_cost.tile_bytes([plain] * 4) < 2000 < 0.98 * 120000 < run_cost.tile_bytes([noise] * 4) < 1.1 * 120000
    assert run_cost.tile_bytes([]) == 0


@pytest.mark.parametrize(
    'seconds, text', [(45, '45 s'), (119, '119 s'), (720, '12 min'), (12600, '3.5 h'), (181440, '2.1 days')]
)
def test_times_are_written_for_people(seconds, text):
    assert run_cost.time_text(seconds) == text


@pytest.mark.parametrize(
    'size, text', [(12, '12 B'), (1500, '1.5 kB'), (12.4e6, '12.4 MB'), (1.55e9, '1.55 GB'), (2e12, '2e+03 GB')]
)
def test_sizes_are_written_for_people(size, text):
    assert run_cost.size_text(size) == text
