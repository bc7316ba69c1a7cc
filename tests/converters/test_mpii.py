"""MPII as JSON, HDF5 and text, and its head boxes: the same persons from every file format."""

import gzip
import json
import re

import numpy as np
import pytest
import scipy.io

from hourglass_pose.annotations.checking import MALFORMED
from hourglass_pose.annotations.person_lines import write_person_lines
from hourglass_pose.converters.head_boxes import add_head_boxes
from hourglass_pose.converters.mpii import read_mpii
from hourglass_pose.errors import AnnotationError
from hourglass_pose.skeleton import MPII_JOINTS

COUNT = 24


class Truth:
    """Persons in the official numbers, which count from 1; each image has two of them."""

    def __init__(self, rng):
        self.images = [f'{index // 2:09d}.jpg' for index in range(COUNT)]
        self.positions = np.arange(COUNT) % 2
        self.valid = np.arange(COUNT) // 2 % 3 == 0
        self.joints = np.round(rng.uniform(2, 900, (COUNT, 16, 2)), 3)
        self.labelled = rng.rand(COUNT, 16) < 0.8
        self.labelled[:, 3] = True
        self.joints[~self.labelled] = 0
        self.visible = self.labelled & (rng.rand(COUNT, 16) < 0.7)
        self.centres = rng.randint(50, 900, (COUNT, 2)).astype(float)
        self.scales = np.round(rng.uniform(0.5, 6, COUNT), 3)
        self.heads = rng.randint(10, 700, (COUNT, 4)).astype(float)

    def as_ports(self):
        return [
            {
                'dataset': 'MPI',
                'isValidation': float(self.valid[i]),
                'img_paths': self.images[i],
                'objpos': self.centres[i].tolist(),
                'scale_provided': self.scales[i],
                'joint_others': [[[1, 2, 3]]],
                'joint_self': np.hstack([self.joints[i], self.visible[i][:, None]]).tolist(),
                'people_index': self.positions[i] + 1.0,
            }
            for i in range(COUNT)
        ]

    def as_hrnet(self, missing=0.0):
        joints = np.where(self.labelled[..., None], self.joints, missing)
        return [
            {
                'image': self.images[i],
                'center': self.centres[i].tolist(),
                'scale': self.scales[i],
                'joints': joints[i].tolist(),
                'joints_vis': self.labelled[i].astype(int).tolist(),
            }
            for i in range(COUNT)
        ]

    def write_h5(self, path, lowered, coded=False, float32=False):
        import h5py

        scales = self.scales * (1.25 if lowered else 1.0)
        centres = self.centres + np.outer(15 * self.scales if lowered else 0 * self.scales, [0, 1])
        names = np.array([name.encode() for name in self.images])
        if coded:
            names = np.array([list(name) + [0, 0] for name in names.tolist()], float)
        kind = np.float32 if float32 else np.float64
        with h5py.File(path, 'w') as stream:
            for name, array in (
                ('imgname', names),
                ('part', np.trunc(self.joints)),
                ('center', centres.astype(kind)),
                ('scale', scales.astype(kind)),
                ('visible', self.visible.astype(float)),
                ('person', self.positions.astype(float)),
            ):
                stream[name] = array

    def ground_truth(self):
        """Return the variables of detections_our_format.mat for the validation persons."""
        rows = self.valid
        return {
            'pos_gt_src': self.joints[rows].transpose(1, 2, 0),
            'jnt_missing': (~self.labelled[rows]).T.astype(np.uint8),
            'headboxes_src': self.heads[rows].reshape(-1, 2, 2).transpose(1, 2, 0),
        }


@pytest.fixture
def truth(rng):
    return Truth(rng)


def write_json(path, content):
    text = json.dumps(content).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == '.gz' else text)
    return str(path)


def check(persons, truth, labelled_only=False, tolerance=0.0, names=True):
    assert len(persons) == COUNT
    for i, person in enumerate(persons):
        assert person.image == truth.images[i]
        np.testing.assert_array_equal(person.labelled, truth.labelled[i])
        np.testing.assert_allclose(
            person.joints_img[person.labelled], (truth.joints[i] - 1)[person.labelled], atol=tolerance, rtol=1e-6
        )
        np.testing.assert_array_equal(person.centre_img, truth.centres[i] - 1)
        assert person.scale == pytest.approx(truth.scales[i], rel=1e-6)
        if labelled_only:
            assert person.visible is None and person.person_index is None
        else:
            np.testing.assert_array_equal(person.visible, truth.visible[i])
            assert person.person_index == truth.positions[i] and person.person_id == truth.images[i] + 'AB'[i % 2]


@pytest.mark.parametrize('name', ['mpii_annotations.json', 'mpii_annotations.json.gz', 'renamed.txt'])
def test_the_json_of_the_ports_has_all_fields(tmp_path, truth, name):
    persons = list(read_mpii(write_json(tmp_path / name, truth.as_ports())))
    check(persons, truth)
    assert [person.split for person in persons] == ['valid' if valid else 'train' for valid in truth.valid]
    tight = (truth.joints[0] - 1)[truth.labelled[0]]
    np.testing.assert_array_equal(persons[0].box_img, [*tight.min(0), *tight.max(0)])


@pytest.mark.parametrize(
    'name, split',
    [
        ('train.json', 'train'),
        ('valid.json', 'valid'),
        ('trainval.json', None),
        ('test.json', 'test'),
        ('x.json', None),
    ],
)
@pytest.mark.parametrize('missing', [0.0, -1.0])
def test_the_json_of_hrnet_has_its_split_in_its_name_and_no_visibility(tmp_path, truth, name, split, missing):
    persons = list(read_mpii(write_json(tmp_path / name, truth.as_hrnet(missing))))
    check(persons, truth, labelled_only=True)
    assert {person.split for person in persons} == {split}


def test_test_persons_of_hrnet_have_no_joints(tmp_path):
    (person,) = read_mpii(write_json(tmp_path / 'test.json', [{'image': 'a.jpg', 'center': [101, 51], 'scale': 0.5}]))
    assert person.split == 'test' and not person.labelled.any()
    assert person.box_img.tolist() == [50.5, 0.5, 149.5, 99.5]


@pytest.mark.parametrize('lowered', [False, True])
@pytest.mark.parametrize('coded, float32', [(False, False), (True, True)])
def test_both_kinds_of_newell_files_give_the_official_centres_and_scales(tmp_path, truth, lowered, coded, float32):
    path = str(tmp_path / 'valid.h5')
    truth.write_h5(path, lowered, coded, float32)
    persons = list(read_mpii(path))
    # The joints are cut to whole pixels.
    check(persons, truth, tolerance=0.9991)
    assert {person.split for person in persons} == {'valid'}


def test_centres_of_neither_kind_are_refused(tmp_path, truth):
    truth.centres += 0.3
    truth.write_h5(str(tmp_path / 'valid.h5'), True)
    with pytest.raises(AnnotationError, match='its centres are neither whole numbers'):
        list(read_mpii(str(tmp_path / 'valid.h5')))


def test_an_h5_that_lacks_a_data_set_is_refused(tmp_path):
    import h5py

    path = str(tmp_path / 'x.h5')
    with h5py.File(path, 'w') as stream:
        stream['preds'] = np.zeros((3, 16, 2))
    with pytest.raises(AnnotationError, match='no imgname, part, center, scale among its data sets preds'):
        list(read_mpii(path))


def test_a_dataset_txt_of_mpii_is_1_based(tmp_path):
    numbers = ' '.join(['31 41'] * 15 + ['-1 -1'])
    (tmp_path / 'dataset.txt').write_text(f'a.jpgB 11 21 61 81 {numbers}\n')
    (person,) = read_mpii(str(tmp_path / 'dataset.txt'))
    assert person.person_id == 'a.jpgB' and person.box_img.tolist() == [10, 20, 60, 80]
    assert person.joints_img[0].tolist() == [30, 40] and person.joints_img[15].tolist() == [0, 0]
    assert person.labelled.tolist() == [True] * 15 + [False]


def test_our_own_lines_are_read_unchanged(tmp_path, truth):
    path = str(tmp_path / 'people.jsonl')
    write_person_lines(path, read_mpii(write_json(tmp_path / 'a.json', truth.as_ports())), MPII_JOINTS)
    check(list(read_mpii(path)), truth)


@pytest.mark.parametrize(
    'content, message',
    [
        ([{'image': 'a.jpg'}], 'entry 1: expected "img_paths"'),
        ([{'joint_self': [[1, 2, 3]], 'img_paths': 'a'}], r'joint_self is of shape \(1, 3\)'),
        ([{'joint_self': [[1, 2, 3]] * 16}], 'no "img_paths"'),
        ([{'image': 'a.jpg', 'center': [1], 'scale': 1}], 'the centre is'),
        ([{'image': 3, 'center': [1, 1], 'scale': 1}], 'image is 3'),
        ([3], 'entry 1: expected'),
    ],
)
def test_an_entry_of_another_kind_is_named(tmp_path, content, message):
    (skipped,) = read_mpii(write_json(tmp_path / 'x.json', content))
    assert skipped.reason == MALFORMED and re.search(f'x.json: .*{message}', skipped.detail)


def test_json_that_is_not_a_list_is_refused(tmp_path):
    with pytest.raises(AnnotationError, match='x.json: expected a list of entries'):
        list(read_mpii(write_json(tmp_path / 'x.json', {'images': []})))


def test_annot_h5_has_the_split_of_each_person(tmp_path, truth):
    import h5py

    path = str(tmp_path / 'annot.h5')
    truth.write_h5(path, False)
    with h5py.File(path, 'a') as stream:
        stream['istrain'] = np.arange(COUNT) % 3
    splits = [person.split for person in read_mpii(path)]
    assert splits == [('test', 'train', 'valid')[row % 3] for row in range(COUNT)]


def test_head_boxes_go_to_the_validation_persons_in_their_order(tmp_path, truth):
    path = str(tmp_path / 'gt_valid.mat')
    scipy.io.savemat(path, truth.ground_truth())
    persons = list(read_mpii(write_json(tmp_path / 'a.json', truth.as_ports())))
    found = list(add_head_boxes(persons, path))
    for i, person in enumerate(found):
        if truth.valid[i]:
            np.testing.assert_array_equal(person.head_box_img, truth.heads[i] - 1)
        else:
            assert person is persons[i] and person.head_box_img is None


def test_coordinates_that_the_ground_truth_lacks_are_not_compared(tmp_path, truth):
    content = truth.ground_truth()
    content['pos_gt_src'][3, 0, 0] = 0
    scipy.io.savemat(str(tmp_path / 'gt.mat'), content)
    persons = read_mpii(write_json(tmp_path / 'a.json', truth.as_ports()))
    assert (
        sum(person.head_box_img is not None for person in add_head_boxes(persons, str(tmp_path / 'gt.mat')))
        == truth.valid.sum()
    )


@pytest.mark.parametrize(
    'change, message',
    [
        (
            lambda gt: {name: array[..., ::-1] for name, array in gt.items()},
            'row 1 is not 000000000.jpgA: .* differ by',
        ),
        (lambda gt: {name: array[..., :-1] for name, array in gt.items()}, '7 rows for 8 persons'),
        (lambda gt: {name: np.concatenate([array, array[..., :1]], -1) for name, array in gt.items()}, '9 rows for 8'),
        (lambda gt: dict(gt, jnt_missing=np.ones_like(gt['jnt_missing'])), 'no joint in common'),
        (lambda gt: {'preds': gt['pos_gt_src']}, 'no pos_gt_src, jnt_missing, headboxes_src in it'),
        (lambda gt: dict(gt, headboxes_src=gt['headboxes_src'][0]), 'shapes .* are needed'),
    ],
)
def test_the_ground_truth_of_others_is_refused(tmp_path, truth, change, message):
    path = str(tmp_path / 'gt.mat')
    scipy.io.savemat(path, change(truth.ground_truth()))
    persons = list(read_mpii(write_json(tmp_path / 'a.json', truth.as_ports())))
    with pytest.raises(AnnotationError, match=f'gt.mat: .*{message}'):
        list(add_head_boxes(persons, path))


@pytest.mark.parametrize('text', ['[1, 2', '[1 2]', '[1,]', '{"a" 1}', '{"a": 1', '[1] 2', '["a', '[' * 9000])
def test_broken_json_is_reported(tmp_path, text):
    (tmp_path / 'x.json').write_text(text)
    with pytest.raises(AnnotationError, match='x.json: not complete JSON'):
        list(read_mpii(str(tmp_path / 'x.json')))
