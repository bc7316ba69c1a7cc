"""Training and evaluation from the command line on annotations that hold centre, scale and split."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from conftest import COMMAND_LINE_SETTINGS

from hourglass_pose import Predictor
from hourglass_pose.annotations.person_lines import write_person_lines
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.cli import main
from hourglass_pose.evaluation.evaluator import mean_training_pose
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.skeleton import MPII_JOINTS

RULE = CropRule(32, crop_rule='centre_scale')


def read_json(*parts):
    with open(os.path.join(*parts)) as stream:
        return json.load(stream)


@pytest.fixture(scope='module')
def run(synthetic_people, tmp_path_factory):
    """Return (run folder, annotation file, image folder) of a training with crop_rule 'centre_scale'."""
    folder = str(tmp_path_factory.mktemp('centre_scale'))
    images = os.path.join(os.path.dirname(synthetic_people), 'images')
    everyone = read_annotations(synthetic_people, images, 16).persons
    # Every fourth image is to validate with, and one person is on neither side.
    names = sorted({person.image for person in everyone})
    persons = []
    for index, person in enumerate(everyone):
        x0, y0, x1, y1 = person.box_img
        split = 'test' if index == 0 else 'valid' if names.index(person.image) % 4 == 0 else 'train'
        persons.append(
            replace(
                person,
                centre_img=np.array([(x0 + x1) / 2, (y0 + y1) / 2 - 3]),
                split=split,
                scale=(y1 - y0 + 1) / 200.0,
            )
        )
    path = os.path.join(folder, 'people.jsonl.gz')
    write_person_lines(path, persons, MPII_JOINTS)
    settings = dict(
        COMMAND_LINE_SETTINGS,
        Saver={'saver_directory': os.path.join(folder, 'run')},
        DataSetHG={'training_txt_file': path, 'img_directory': images, 'crop_rule': 'centre_scale'},
    )
    settings['Train'] = dict(settings['Train'], nEpochs=1)
    config = os.path.join(folder, 'tiny.cfg')
    with open(config, 'w') as stream:
        for section, keys in settings.items():
            stream.write('[{}]\n{}\n'.format(section, '\n'.join('{}: {!r}'.format(*item) for item in keys.items())))
    assert main(['train', '--config', config, '--quiet']) == 0
    return os.path.join(folder, 'run'), path, images


@pytest.mark.slow
def test_the_manifest_records_the_rule_and_the_mean_pose_of_its_crops(run):
    folder, path, images = run
    record = read_json(folder, 'latest', 'manifest.json')['inference']
    assert (record['crop_rule'], record['crop_corners']) == ('centre_scale', 'exact')
    training = [person for person in read_annotations(path, images, 16).persons if person.split == 'train']
    np.testing.assert_allclose(record['mean_pose_crop'], mean_training_pose(training, RULE), atol=1e-4)
    with Predictor(folder, device='cpu') as predictor:
        assert predictor.rule == replace(RULE, box_margin=predictor.rule.box_margin)


@pytest.mark.slow
def test_evaluation_measures_the_persons_that_the_annotations_name_in_the_crops_of_training(run, tmp_path):
    folder, path, images = run
    arguments = [
        'evaluate',
        '--checkpoint',
        folder,
        '--annotations',
        path,
        '--images',
        images,
        '--device',
        'cpu',
        '--split',
        'valid',
        '--output',
        str(tmp_path),
    ]
    assert main(arguments) == 0
    valid = [person for person in read_annotations(path, images, 16).persons if person.split == 'valid']
    found = read_json(str(tmp_path), 'predictions.json')['predictions']
    assert len(found) == len(valid) > 0
    metrics, trained = read_json(str(tmp_path), 'metrics.json'), read_json(folder, 'metrics.json')
    assert metrics['protocol']['crop_rule'] == trained['protocol']['crop_rule'] == 'centre_scale'
    assert metrics['pckh@0.5'] == trained['pckh@0.5']
    assert metrics['protocol']['num_persons'] == trained['protocol']['num_persons'] == len(valid)


@pytest.mark.slow
def test_a_dataset_txt_has_no_centres_and_needs_the_rule_of_the_box(run, synthetic_people, tmp_path, capsys):
    folder, _, images = run
    arguments = [
        'evaluate',
        '--checkpoint',
        folder,
        '--annotations',
        synthetic_people,
        '--images',
        images,
        '--device',
        'cpu',
        '--output',
        str(tmp_path),
    ]
    assert main(arguments) == 2
    assert "crop_rule 'centre_scale'" in capsys.readouterr().err
    assert main(arguments + ['--crop-rule', 'box']) == 0
    # The mean pose of crops by another rule is none of these.
    assert list(read_json(str(tmp_path), 'metrics.json')['baselines']) == ['centre']


@pytest.mark.slow
def test_a_photo_with_a_bare_box_is_cut_as_its_centre_and_scale_would_be(run):
    folder, path, images = run
    person = read_annotations(path, images, 16).persons[3]
    x0, y0, x1, y1 = person.box_img
    longer = max(x1 - x0, y1 - y0) + 1
    scale = 1.64 * longer / 250
    measured = replace(person, scale=scale, centre_img=np.array([(x0 + x1) / 2, (y0 + y1) / 2 - 15 * scale]))
    with Predictor(folder, device='cpu') as predictor:
        np.testing.assert_allclose(predictor.rule.evaluation_affine(person.box_img), RULE.person_affine(measured))
        pose = predictor.predict(person.image_path, (x0, y0, x1 - x0 + 1, y1 - y0 + 1))
    assert np.isfinite(pose.joints_img).all()
