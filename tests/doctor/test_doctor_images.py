"""Checks of images: missing ones, unreadable ones, copies, and labels outside of them."""

import os

import cv2
import numpy as np
import pytest

from annotated import STANDING, person
from hourglass_pose.doctor import images as image_checks


@pytest.fixture
def folder(tmp_path, rng):
    """Return a folder of three different images, 200 x 300 pixels."""
    for name in 'abc':
        cv2.imwrite(str(tmp_path / (f'{name}.png')), rng.randint(0, 256, (300, 200, 3)).astype(np.uint8))
    return str(tmp_path)


def people(folder, *names):
    return [person(name, folder=folder) for name in names]


def opened(persons):
    return image_checks.open_images(sorted({each.image_path for each in persons}), 2)


def test_missing_images_are_counted_once_with_all_their_persons(folder):
    persons = people(folder, 'a.png', 'b.png', 'lost.png', 'lost.png', 'gone/d.png')
    missing = image_checks.missing_images(persons)
    assert missing == {os.path.join(folder, 'lost.png'), os.path.join(folder, 'gone/d.png')}
    (finding,) = image_checks.check_missing(persons, missing, stops=True, max_unreadable=1.0)
    assert finding.harmful and '2 images of 4 missing, with 3 persons' in finding.message
    assert image_checks.check_missing(persons, set(), True, 0.0) == []


@pytest.mark.parametrize('allowed, harmful', [(0.5, False), (0.49, True)])
def test_a_fraction_of_missing_images_is_allowed_where_training_continues_without(folder, allowed, harmful):
    persons = people(folder, 'a.png', 'lost.png')
    (finding,) = image_checks.check_missing(persons, image_checks.missing_images(persons), False, allowed)
    assert finding.harmful == harmful


def test_readable_images_give_no_finding(folder):
    persons = people(folder, 'a.png', 'b.png', 'c.png')
    found = opened(persons)
    assert [image.size_wh for image in found.values()] == [(200, 300)] * 3
    assert image_checks.check_opened(persons, found, 0.0) == []
    assert image_checks.check_copies({'train': persons[:1], 'valid': persons[1:]}, found) == []


def test_an_unreadable_image_is_reported_with_its_error(folder):
    with open(os.path.join(folder, 'bad.png'), 'wb') as stream:
        stream.write(b'not an image')
    persons = people(folder, 'a.png', 'bad.png', 'lost.png')
    (finding,) = image_checks.check_opened(persons, opened(persons), 0.1)
    assert finding.harmful and '2 images of 3' in finding.message
    assert 'not a JPEG' in finding.names[0] and 'no such file' in finding.names[1]
    assert not image_checks.check_opened(persons, opened(persons), 0.7)[0].harmful


def test_labels_outside_the_image_are_counted(folder):
    joints = STANDING.copy()
    # The image's columns are 0 to 199: its last pixel reaches to 199.5.
    joints[0], joints[1] = (199.4, 100), (199.6, 100)
    persons = people(folder, 'a.png') + [person('b.png', joints=joints, folder=folder)]
    (finding,) = image_checks.check_opened(persons, opened(persons), 0.0)
    assert '1 label of 1 person (3.12 %) outside the image' in finding.message and finding.names == ('b.pngA',)
    assert not finding.harmful
    many = persons[1:] * 2
    many[0] = person('b.png', joints=STANDING + [150, 0], folder=folder)
    assert any(finding.harmful for finding in image_checks.check_opened(many, opened(many), 0.0))


def test_a_person_far_outside_its_image_is_harmful(folder):
    persons = people(folder, 'a.png') + [person('b.png', joints=STANDING + 5000, folder=folder)]
    findings = image_checks.check_opened(persons, opened(persons), 0.0)
    assert [finding.harmful for finding in findings] == [True, True]
    assert findings[0].names[0].startswith('b.pngA: the box') and '1 person far outside' in findings[0].message


def test_copies_are_harmful_across_the_split_and_noted_within(folder):
    with open(os.path.join(folder, 'a.png'), 'rb') as stream:
        content = stream.read()
    with open(os.path.join(folder, 'copy.png'), 'wb') as stream:
        stream.write(content)
    persons = people(folder, 'a.png', 'b.png', 'copy.png')
    found = opened(persons)
    (across,) = image_checks.check_copies({'train': persons[:2], 'valid': persons[2:]}, found)
    assert across.harmful and across.check == 'split'
    assert [os.path.basename(name) for name in across.names] == ['a.png', 'copy.png']
    (within,) = image_checks.check_copies({'train': persons, 'valid': []}, found)
    assert not within.harmful and within.check == 'images'


def test_a_sample_is_spread_over_all():
    assert image_checks.sample_of(range(9), 3) == [0, 4, 8]
    assert image_checks.sample_of(range(3), 10) == [0, 1, 2] and image_checks.sample_of([], 4) == []
