"""Packs of a run: a pack that has no room for a run's crops is refused, and training reads one that has."""

import os

import numpy as np
import pytest

from hourglass_pose.annotations.packs import read_manifest
from hourglass_pose.annotations.person_lines import write_person_lines
from hourglass_pose.annotations.person_table import PersonTable
from hourglass_pose.cli import main
from hourglass_pose.config.config import load_config
from hourglass_pose.errors import ConfigError
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.experiment.packed_data import make_pack
from packed import JOINTS, photographed

SETTINGS = [f'DataSetHG.joint_list={list(JOINTS)}', 'Network.img_size=64', 'Network.nLow=2', 'Train.workers=0']


@pytest.fixture
def pack(tmp_path):
    people = str(tmp_path / 'people.jsonl')
    write_person_lines(people, photographed(tmp_path), JOINTS)
    folder = str(tmp_path / 'pack')
    (line,) = make_pack(load_config(None, SETTINGS), people, str(tmp_path), folder)
    # sqrt(3) / 2 + 1 / 2 for 30 degrees, halved, and 0.05 of a shift, over 0.75 of the size.
    assert line.startswith(f'{folder}: 4 crops, ')
    assert line.endswith('a crop reaches 0.98 of its plain sides from its middle')
    return folder


def config_of(pack, *overrides):
    data = [f'DataSetHG.training_txt_file={pack}', f'DataSetHG.img_directory={pack}']
    return load_config(None, SETTINGS + data + list(overrides))


def test_a_run_trains_and_validates_on_a_pack_without_its_photos(pack, tmp_path):
    for name in os.listdir(str(tmp_path)):
        if name.endswith('.jpg'):
            os.remove(str(tmp_path / name))
    lines = []
    experiment = Experiment(config_of(pack), lines.append)
    split = experiment.split()
    assert isinstance(split['train'], PersonTable) and len(split['train']) == len(split['valid']) == 2
    assert lines == ['data: 4 persons in 3 images from 1 file, 0 problems; 2 to train on, 2 to validate with']
    batch = next(experiment.generator(split['train'], 2).training_batches())
    assert batch.mask.all() and batch.images.std() > 5
    batch = next(experiment.generator(split['valid'], 2).validation_batches())
    assert batch.mask.all() and np.isfinite(batch.joints_crop).all()


@pytest.mark.parametrize(
    'setting',
    [
        'DataSetHG.rotation_deg=31',
        'DataSetHG.scale_range=0.3',
        'DataSetHG.shift_range=0.06',
        'DataSetHG.box_margin=0.3',
        "DataSetHG.train_crop='joints'",
        'Network.img_size=128',
    ],
)
def test_a_pack_without_room_for_a_setting_is_refused(pack, setting):
    name = setting.split('=')[0]
    with pytest.raises(ConfigError, match=f'^{name}: .* was made with .*; set it to that, or make the pack again'):
        Experiment(config_of(pack, setting), print).split()


@pytest.mark.parametrize(
    'settings',
    [
        ['DataSetHG.rotation_deg=20', 'DataSetHG.scale_range=0.1', 'DataSetHG.shift_range=0'],
        ['DataSetHG.rotation_deg=170', 'DataSetHG.rotation_prob=0'],
        ['Network.img_size=32'],
    ],
)
def test_smaller_changes_fit_into_a_pack(pack, settings):
    assert len(Experiment(config_of(pack, *settings), lambda line: None).split()['train']) == 2


def test_negative_crops_are_refused_because_they_need_whole_photos(pack):
    needs = ["Network.arch='newell'", 'Network.person=True', 'DataSetHG.negative_prob=0.25']
    with pytest.raises(
        ConfigError, match=r'^DataSetHG\.negative_prob: 0\.25, .* set it to 0, or train from the photos'
    ):
        Experiment(config_of(pack, *needs), print).split()


def test_half_bodies_are_refused_because_they_need_more_pixels(pack):
    with pytest.raises(
        ConfigError, match=r'^DataSetHG\.half_body_prob: 0\.3, .* set it to 0, or train from the photos'
    ):
        Experiment(config_of(pack, 'DataSetHG.half_body_prob=0.3'), print).split()


def test_persons_of_a_pack_can_be_repeated(pack):
    made = Experiment(config_of(pack, 'DataSetHG.training_repeats=[3]'), lambda line: None)
    persons = made.split()['train']
    generator = made.generator(persons, 1)
    shown = [generator.person_index(sample) for sample in range(generator.samples_per_epoch)]
    assert shown == np.repeat(np.arange(len(persons)), 3).tolist()


def test_prepare_packs_what_it_wrote(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    persons = [f'{person.image}A 10 10 60 70 {"20 30 " * 16}' for person in photographed(tmp_path, count=3)[:2]]
    with open('people.txt', 'w') as stream:
        stream.write('\n'.join(persons))
    arguments = ['prepare', 'mpii', '--annotations', 'people.txt', '--images', '.', '--output', 'people.jsonl']
    assert main([*arguments, '--pack', 'pack', '--set', 'Network.img_size=128']) == 0
    assert 'pack: 2 crops, ' in capsys.readouterr().out
    assert read_manifest('pack').views['crop_size'] == 128
    assert main([*arguments, '--pack', 'pack']) == 2
    assert 'pack: exists already; name a new folder for the pack' in capsys.readouterr().err
