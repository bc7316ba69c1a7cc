"""LSP and COCO: their joints in MPII's order, by name, and their marks of occluded and missing joints."""

import json

import cv2
import numpy as np
import pytest
import scipy.io

from hourglass_pose.annotations.checking import MALFORMED, Skipped
from hourglass_pose.converters.coco_json import read as read_coco
from hourglass_pose.converters.formats import ReadOptions
from hourglass_pose.converters.lsp_mat import read as read_lsp
from hourglass_pose.errors import AnnotationError, ImageError
from hourglass_pose.skeleton import COCO_JOINTS, LSP_JOINTS, MPII_JOINTS


def read_lsp_mat(path, image_folder, boxes='joints', joints='mpii'):
    return read_lsp(path, ReadOptions(boxes, joints, image_folder)).items


def read_coco_json(path, joints='mpii'):
    return read_coco(path, ReadOptions('file', joints)).items


def write_lsp(tmp_path, people, extended):
    """Write people (N, 14, 3) as joints.mat and return its path."""
    path = str(tmp_path / 'joints.mat')
    scipy.io.savemat(path, {'joints': people.transpose(1, 2, 0) if extended else people.transpose(2, 1, 0)})
    return path


@pytest.fixture
def people(rng):
    found = rng.uniform(0, 150, (5, 14, 3))
    found[..., 2] = rng.rand(5, 14) < 0.5
    return found


@pytest.mark.parametrize('extended', [False, True])
def test_the_fourteen_joints_of_lsp_are_found_by_name(tmp_path, people, extended):
    persons = list(read_lsp_mat(write_lsp(tmp_path, people, extended), ''))
    name = 'im%05d.jpg' if extended else 'im%04d.jpg'
    assert [person.image for person in persons] == [name % number for number in range(1, 6)]
    for person, truth in zip(persons, people):
        for index, name in enumerate(LSP_JOINTS):
            joint = MPII_JOINTS.index(name)
            assert person.labelled[joint] == (truth[index, 2] == 1 if extended else True)
            if person.labelled[joint]:
                # The coordinates are 0-based as stored.
                np.testing.assert_array_equal(person.joints_img[joint], np.float32(truth[index, :2]))
            # The third number is 1 for an occluded joint in LSP, for a labelled one in LSP-extended.
            if not extended:
                assert person.visible[joint] == (truth[index, 2] == 0)
        assert (person.visible is None) == extended and person.split is None and person.centre_img is None


@pytest.mark.parametrize('extended', [False, True])
def test_pelvis_and_thorax_are_midpoints_where_both_sides_are_there(tmp_path, people, extended):
    persons = list(read_lsp_mat(write_lsp(tmp_path, people, extended), ''))
    # In LSP's order the hips are 2 and 3, the shoulders 8 and 9.
    seen = set()
    for person, truth in zip(persons, people):
        for name, (first, second) in (('pelvis', (2, 3)), ('thorax', (8, 9))):
            joint, flags = MPII_JOINTS.index(name), truth[[first, second], 2]
            both = bool(flags.all()) if extended else True
            assert person.labelled[joint] == both
            if both:
                middle = (truth[first, :2] + truth[second, :2]) / 2
                np.testing.assert_allclose(person.joints_img[joint], middle, rtol=1e-6)
            if not extended:
                assert person.visible[joint] == (not flags.any())
            seen.add(tuple(flags))
    assert len(seen) > 1


def test_boxes_of_lsp_are_tight_or_the_whole_image(tmp_path, people):
    path = write_lsp(tmp_path, people, False)
    for number in range(1, 6):
        cv2.imwrite(str(tmp_path / (f'im{number:04d}.jpg')), np.zeros((120 + number, 90, 3), np.uint8))
    for person, truth in zip(read_lsp_mat(path, ''), people):
        np.testing.assert_allclose(person.box_img, [*truth[:, :2].min(0), *truth[:, :2].max(0)])
    boxes = [person.box_img.tolist() for person in read_lsp_mat(path, str(tmp_path), 'image')]
    assert boxes == [[0, 0, 89, 119 + number] for number in range(1, 6)]
    with pytest.raises(ImageError):
        list(read_lsp_mat(path, str(tmp_path / 'none'), 'image'))


def test_a_person_of_lsp_extended_without_joints_is_skipped(tmp_path, people):
    people[2, :, 2] = 0
    found = list(read_lsp_mat(write_lsp(tmp_path, people, True), ''))
    assert [isinstance(one, Skipped) for one in found] == [False, False, True, False, False]


@pytest.mark.parametrize('extended', [False, True])
def test_the_fourteen_joints_can_be_kept(tmp_path, people, extended):
    path = write_lsp(tmp_path, people, extended)
    assert read_lsp(path, ReadOptions('joints', 'lsp')).joints == LSP_JOINTS
    for person, truth in zip(read_lsp_mat(path, '', joints='lsp'), people):
        labelled = truth[:, 2] == 1 if extended else np.ones(14, bool)
        np.testing.assert_array_equal(person.labelled, labelled)
        np.testing.assert_array_equal(person.joints_img[labelled], np.float32(truth[labelled, :2]))


@pytest.mark.parametrize(
    'content, found',
    [
        ({'joints': np.zeros((3, 16, 2))}, r'\(3, 16, 2\)'),
        ({'joints': np.zeros((3, 14))}, r'\(3, 14\)'),
        ({'x': 1}, r'\(\)'),
    ],
)
def test_other_matlab_files_are_refused(tmp_path, content, found):
    scipy.io.savemat(str(tmp_path / 'joints.mat'), content)
    with pytest.raises(AnnotationError, match=f'joints.mat: joints are of shape {found}'):
        list(read_lsp_mat(str(tmp_path / 'joints.mat'), ''))


def annotation(rng, image, marks, **changes):
    points = np.hstack([rng.randint(0, 300, (17, 2)), np.reshape(marks, (17, 1))])
    return dict(
        {
            'id': 9,
            'image_id': image,
            'iscrowd': 0,
            'bbox': [10.5, 20, 30, 40],
            'keypoints': points.ravel().tolist(),
            'num_keypoints': 17,
        },
        **changes,
    )


def write_coco(path, annotations, first='images'):
    images = [{'id': 7, 'file_name': 'a.jpg', 'width': 640}, {'id': 3, 'file_name': 'b.jpg'}]
    parts = [('info', {'year': 2017}), ('images', images), ('annotations', annotations)]
    path.write_text(json.dumps(dict(parts if first == 'images' else parts[::-1])))
    return str(path)


@pytest.mark.parametrize('first', ['images', 'annotations'])
def test_the_twelve_shared_joints_of_coco_are_found_by_name(tmp_path, rng, first):
    marks = rng.randint(0, 3, 17)
    marks[5] = 2
    items = [annotation(rng, 7, marks), annotation(rng, 3, [2] * 17), annotation(rng, 7, [1] * 17)]
    persons = list(read_coco_json(write_coco(tmp_path / 'person_keypoints_val2017.json', items, first)))
    assert [person.person_id for person in persons] == ['a.jpgA', 'b.jpgA', 'a.jpgB']
    assert [(person.person_index, person.split) for person in persons] == [(0, 'valid'), (0, 'valid'), (1, 'valid')]
    for person, item in zip(persons, items):
        # The box ends with its last pixel.
        assert person.box_img.tolist() == [10.5, 20, 39.5, 59]
        keypoints = dict(zip(COCO_JOINTS, np.reshape(item['keypoints'], (17, 3)).tolist()))
        for joint, name in enumerate(MPII_JOINTS):
            x, y, mark = keypoints.get(name.replace('r_', 'right_').replace('l_', 'left_'), (0, 0, 0))
            assert person.labelled[joint] == (mark > 0) and person.visible[joint] == (mark == 2)
            assert person.joints_img[joint].tolist() == ([x, y] if mark else [0, 0])
    assert persons[1].labelled.sum() == 12


def test_crowds_and_persons_without_keypoints_are_skipped(tmp_path, rng):
    face = [2] * 5 + [0] * 12
    items = [annotation(rng, 7, face), annotation(rng, 7, [2] * 17, iscrowd=1), annotation(rng, 7, [2] * 17)]
    found = list(read_coco_json(write_coco(tmp_path / 'x.json', items)))
    assert found[:2] == [Skipped('no labelled joint'), Skipped('a crowd')]
    assert found[2].person_index == 2 and found[2].split is None


@pytest.mark.parametrize('first', ['images', 'annotations'])
def test_the_keypoints_of_coco_are_kept_as_its_category_names_them(tmp_path, rng, first):
    items = [annotation(rng, 7, [2] * 17), annotation(rng, 3, [1, 0] * 8 + [2])]
    path = write_coco(tmp_path / 'x.json', items, first)
    records = read_coco(path, ReadOptions('file', 'file'))
    assert records.joints == COCO_JOINTS
    for person, item in zip(records.items, items):
        points = np.reshape(item['keypoints'], (17, 3))
        np.testing.assert_array_equal(person.labelled, points[:, 2] > 0)
        np.testing.assert_array_equal(person.visible, points[:, 2] == 2)
        np.testing.assert_array_equal(person.joints_img, np.where(points[:, 2:] > 0, points[:, :2], 0))


def test_areas_of_coco_are_kept_and_0_is_unknown(tmp_path, rng):
    items = [annotation(rng, 7, [2] * 17, area=area) for area in (812.5, 0, None)] + [annotation(rng, 7, [2] * 17)]
    persons = list(read_coco_json(write_coco(tmp_path / 'x.json', items)))
    assert [person.area for person in persons] == [812.5, None, None, None]


def test_other_keypoints_are_read_by_name(tmp_path):
    names = ['neck', 'LWrist', 'RWrist']
    items = [{'image_id': 7, 'category_id': 5, 'bbox': [0, 0, 9, 9], 'keypoints': [1, 2, 2, 3, 4, 2, 5, 6, 2]}] * 2
    items[1] = dict(items[1], category_id=6)
    categories = [{'id': 6, 'name': 'car'}, {'id': 5, 'name': 'person', 'keypoints': names}]
    (tmp_path / 'x.json').write_text(
        json.dumps({'images': [{'id': 7, 'file_name': 'a.jpg'}], 'annotations': items, 'categories': categories})
    )
    records = read_coco(str(tmp_path / 'x.json'), ReadOptions('file', 'file'))
    assert records.joints == tuple(names)
    person, other = records.items
    assert person.joints_img.tolist() == [[1, 2], [3, 4], [5, 6]] and other == Skipped('another category')
    person = next(read_coco_json(str(tmp_path / 'x.json')))
    assert np.flatnonzero(person.labelled).tolist() == [
        MPII_JOINTS.index(name) for name in ('neck', 'r_wrist', 'l_wrist')
    ]
    assert person.joints_img[MPII_JOINTS.index('l_wrist')].tolist() == [3, 4]


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'image_id': 99}, 'no "99"'),
        ({'keypoints': [1, 2, 3]}, 'keypoints are 3 numbers; 51 are needed'),
        ({'keypoints': 7}, 'keypoints'),
        ({'bbox': None}, ''),
        ({'bbox': [1, 2, float('inf'), 4]}, 'box is'),
        ({'keypoints': [2e7, 5, 2] * 17}, 'joint 1 is 2e'),
        ({'area': -3}, 'area is -3'),
        ({'area': 'wide'}, "area is 'wide'"),
    ],
)
def test_a_wrong_annotation_of_coco_is_named_and_the_next_is_read(tmp_path, rng, changes, message):
    items = [annotation(rng, 7, [2] * 17, **changes), annotation(rng, 7, [2] * 17)]
    skipped, person = read_coco_json(write_coco(tmp_path / 'x.json', items), 'file')
    assert skipped.reason == MALFORMED and 'x.json: annotation 1: ' in skipped.detail and message in skipped.detail
    assert person.labelled.all()


def test_a_joint_that_is_not_a_number_is_missing(tmp_path, rng):
    item = annotation(rng, 7, [2] * 17)
    item['keypoints'][12] = float('nan')
    (person,) = read_coco_json(write_coco(tmp_path / 'x.json', [item]), 'file')
    assert np.flatnonzero(~person.labelled).tolist() == [4] and person.joints_img[4].tolist() == [0, 0]


def test_json_without_images_is_refused(tmp_path):
    (tmp_path / 'x.json').write_text('{"annotations": []}')
    with pytest.raises(AnnotationError, match='no "images" in it'):
        list(read_coco_json(str(tmp_path / 'x.json')))
