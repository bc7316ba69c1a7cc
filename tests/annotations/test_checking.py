"""The check of persons that all readers share: which values are valid."""

import numpy as np
import pytest

from hourglass_pose.annotations.checking import checked_person
from hourglass_pose.errors import AnnotationError

SOUND = {
    'image': 'a.jpg',
    'person_id': 'a.jpgA',
    'box_img': [0, 0, 9, 9],
    'joints_img': [[1, 2], [3, 4]],
    'labelled': [True, False],
}


def test_a_valid_person_has_the_declared_types():
    person = checked_person(**SOUND, scale=1, centre_img=(4, 5), visible=[1, 0], person_index=2.0, split='test')
    assert person.joints_img.dtype == np.float32 and person.joints_img.tolist() == [[1, 2], [0, 0]]
    assert person.box_img.dtype == person.centre_img.dtype == np.float64 and person.labelled.dtype == bool
    assert person.visible.tolist() == [True, False] and person.person_index == 2 and person.scale == 1.0


def test_values_of_unlabelled_joints_are_ignored():
    assert checked_person(**dict(SOUND, joints_img=[[1, 2], [np.nan, 1e300]])).joints_img.tolist() == [[1, 2], [0, 0]]


@pytest.mark.parametrize(
    'change, message',
    [
        ({'image': 3}, 'image is'),
        ({'image': ''}, 'image is'),
        ({'image': 'a\0.jpg'}, 'image is'),
        ({'image': '\ud800.jpg'}, 'image is .*not a valid file name'),
        ({'person_id': None}, 'id is'),
        ({'box_img': [0, 0, np.nan, 9]}, 'box is 0 0 nan 9'),
        ({'box_img': [0, 0, 9]}, 'box has shape'),
        ({'box_img': None}, 'box has shape'),
        ({'box_img': 'wide'}, 'box is'),
        ({'box_img': [0, 0, 10**400, 9]}, 'box is'),
        ({'joints_img': [[np.inf, 2], [3, 4]]}, 'joint 1 is inf 2'),
        ({'joints_img': [[2e6, 2], [3, 4]]}, r'joint 1 is 2e\+06 2'),
        ({'joints_img': [[1, 2]]}, 'joints has shape'),
        ({'joints_img': [[{}, 2], [3, 4]]}, 'joints is'),
        ({'head_box_img': [1, 2, 3, -np.inf]}, 'head_box is'),
        ({'centre_img': [1, np.nan]}, 'centre is'),
        ({'scale': 0}, 'scale is 0'),
        ({'scale': np.nan}, 'scale is nan'),
        ({'scale': [1, 2]}, 'scale has shape'),
        ({'visible': [1]}, 'visible has shape'),
        ({'split': 'val'}, 'split is'),
        ({'split': ['train']}, 'split is'),
        ({'person_index': -1}, 'person_index is -1'),
        ({'person_index': 1.5}, 'person_index is 1.5'),
        ({'person_index': np.inf}, 'person_index is inf'),
    ],
)
def test_invalid_values_are_refused_in_one_line(change, message):
    with pytest.raises(AnnotationError, match=message) as caught:
        checked_person(**dict(SOUND, **change))
    assert '\n' not in str(caught.value)
