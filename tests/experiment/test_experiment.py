"""From a Config to its parts: the skeleton, how images are mirrored, and how persons are divided."""

import os

import cv2
import numpy as np
import pytest

from hourglass_pose.config.config import config_from_dict
from hourglass_pose.errors import ConfigError
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.skeleton import SKELETONS


def experiment(data=(), validation=()):
    config = config_from_dict({'DataSetHG': dict(data), 'Validation': dict(validation)})
    return Experiment(config, report=lambda line: None)


@pytest.mark.parametrize('name', sorted(SKELETONS))
def test_a_skeleton_is_chosen_by_its_name_and_overridden_by_a_list(name):
    assert experiment({'skeleton': name}).skeleton == SKELETONS[name]
    assert experiment({'skeleton': name, 'joint_list': ['r_x', 'l_x']}).skeleton.joints == ('r_x', 'l_x')


def test_mirroring_needs_partners_or_the_word_that_there_are_none():
    fingers = {'joint_list': ['finger_0', 'finger_1']}
    with pytest.raises(ConfigError, match='flip_pairs'):
        experiment(fingers).require_sides()
    experiment(dict(fingers, flip_pairs=[])).require_sides()
    experiment(dict(fingers, flip_pairs=[['finger_0', 'finger_1']])).require_sides()
    experiment(dict(fingers, flip_prob=0), {'flip_test': False}).require_sides()
    for skeleton in SKELETONS:
        experiment({'skeleton': skeleton}).require_sides()


def test_given_pairs_are_what_mirrored_samples_exchange_and_are_kept_for_prediction():
    made = experiment({'joint_list': ['near', 'far', 'tip'], 'flip_pairs': [['near', 'far']]})
    assert made.skeleton.flip_permutation.tolist() == [1, 0, 2]
    assert made.inference_record(np.zeros((3, 2))).as_dict()['flip_pairs'] == [['near', 'far']]


def test_prediction_knows_the_crops_of_the_training():
    made = experiment({'train_crop': 'joints', 'joints_margin': 0.3, 'box_margin': 0.0})
    assert made.inference_record(None).rule() == made.rule


@pytest.mark.parametrize('pairs', [[['near', 'none']], [['near', 'near']], [['near']], 'near', [[1, 2]]])
def test_pairs_that_do_not_fit_the_joints_are_refused(pairs):
    with pytest.raises(ConfigError, match='flip_pairs'):
        experiment({'joint_list': ['near', 'far'], 'flip_pairs': pairs})


def test_persons_of_each_file_are_shown_as_often_as_is_set_for_it(tmp_path):
    files = []
    for name, count in (('few', 3), ('many', 5)):
        files.append(str(tmp_path / f'{name}.txt'))
        lines = [f'{name}{index}.pngA 1 1 18 18 5 5 9 9' for index in range(count)]
        for index in range(count):
            cv2.imwrite(str(tmp_path / f'{name}{index}.png'), np.zeros((20, 20, 3), np.uint8))
        (tmp_path / f'{name}.txt').write_text('\n'.join(lines))
    data = {'joint_list': ['r_x', 'l_x'], 'training_txt_file': files, 'img_directory': [str(tmp_path)] * 2}
    made = experiment(dict(data, training_repeats=[4, 1]))
    persons = made.split()['train']
    generator = made.generator(persons, 1)
    assert [person.source for person in persons].count(0) > 0
    shown = [persons[generator.person_index(sample)].image for sample in range(generator.samples_per_epoch)]
    assert {person.image: shown.count(person.image) for person in persons} == {
        person.image: 1 if person.source else 4 for person in persons
    }


def test_folders_are_kept_whole_on_request(tmp_path):
    lines = []
    for folder in range(12):
        os.makedirs(str(tmp_path / f'seq{folder}'))
        for frame in range(4):
            name = f'seq{folder}/{frame}.png'
            cv2.imwrite(str(tmp_path / name), np.zeros((20, 20, 3), np.uint8))
            lines.append(f'{name}A 1 1 18 18 5 5 9 9')
    (tmp_path / 'dataset.txt').write_text('\n'.join(lines))
    data = {
        'joint_list': ['r_x', 'l_x'],
        'training_txt_file': str(tmp_path / 'dataset.txt'),
        'img_directory': str(tmp_path),
        'valid_fraction': 0.3,
    }
    for split_by, shared in (('image', True), ('folder', False)):
        split = experiment(dict(data, split_by=split_by)).split()
        folders = [{person.image.split('/')[0] for person in persons} for persons in split.values()]
        assert bool(folders[0] & folders[1]) == shared
