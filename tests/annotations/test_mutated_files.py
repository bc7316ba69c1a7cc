"""Every reader meets files damaged at random: sound persons, a named record or one line, never a traceback."""

import json
import os
import warnings

import numpy as np
import pytest
import scipy.io

from annotated import crowd
from hourglass_pose.annotations.box_files import BoxFile
from hourglass_pose.annotations.checking import LARGEST, Skipped
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_lines import write_person_lines
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.annotations.split_list import split_by_list
from hourglass_pose.cli import main
from hourglass_pose.converters.formats import FORMATS, ReadOptions
from hourglass_pose.converters.head_boxes import add_head_boxes
from hourglass_pose.converters.mpii import read_mpii
from hourglass_pose.errors import UserError
from hourglass_pose.skeleton import COCO_JOINTS, MPII_JOINTS
from mpii_mat import random_images, write_mpii_mat
from mutations import VALUES, mutate_arrays, mutate_bytes, mutate_text, mutate_value
from packed import JOINTS, packed, photographed

COUNT = int(os.environ.get('MUTATIONS', 50))
PERSONS = 6


def assert_sound(person):
    assert isinstance(person, Person)
    known = person.joints_img[person.labelled]
    for array in (person.box_img, known, person.head_box_img, person.centre_img):
        assert array is None or (np.abs(array) <= LARGEST).all()
    assert person.scale is None or 0 < person.scale <= LARGEST
    assert person.image and '\0' not in person.image and person.split in (None, 'train', 'valid', 'test')
    os.fsencode(person.image)


def assert_one_line(error):
    # The list of problems has a line for each; nothing else has more than one.
    assert str(error) and (str(error).count('\n') == 0 or 'in the annotations' in str(error))


def check(read):
    """Call a reader; return whether it found a person."""
    found = False
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            for item in read():
                if isinstance(item, Skipped):
                    assert item.reason and '\n' not in item.detail and len(item.detail) < 600
                else:
                    assert_sound(item)
                    found = True
        except UserError as error:
            assert_one_line(error)
    return found


def write_text(path, text):
    with open(path, 'wb') as stream:
        stream.write(text)


@pytest.fixture(scope='module')
def people():
    return crowd(PERSONS, np.random.RandomState(7), scale=1.25, centre_img=np.array([100.0, 150.0]), split='valid')


def test_both_formats_of_annotations(tmp_path, people, rng):
    from hourglass_pose.annotations.dataset_txt import write_dataset_txt

    path = str(tmp_path / 'people')
    found = 0
    for write in (write_dataset_txt, lambda path, persons: write_person_lines(path, persons, MPII_JOINTS)):
        write(path, people)
        content = open(path, 'rb').read()
        for _ in range(COUNT):
            write_text(path, mutate_text(content, rng))
            found += check(lambda: read_annotations(path, None, 16, 'skip', joint_names=MPII_JOINTS).persons)
            found += check(lambda: read_mpii(path))
    assert COUNT < found < 4 * COUNT


def test_lines_of_json_with_other_values(tmp_path, people, rng):
    path = str(tmp_path / 'people.jsonl')
    write_person_lines(path, people, MPII_JOINTS)
    records = [json.loads(line) for line in open(path)]
    for _ in range(COUNT):
        changed = mutate_value(records, rng)
        changed = changed if isinstance(changed, list) else [changed]
        write_text(path, '\n'.join(json.dumps(record) for record in changed).encode())
        check(lambda: read_annotations(path, None, 16, 'skip', joint_names=MPII_JOINTS).persons)


def ports(rng):
    return [
        {
            'img_paths': f'{index}.jpg',
            'isValidation': index % 2,
            'people_index': 1,
            'objpos': [50, 40],
            'scale_provided': 0.4,
            'joint_self': np.hstack([rng.randint(5, 95, (16, 2)), np.ones((16, 1))]).tolist(),
        }
        for index in range(PERSONS)
    ]


def hrnet(rng):
    return [
        {
            'image': f'{index}.jpg',
            'center': [50, 40],
            'scale': 0.4,
            'joints': rng.randint(5, 95, (16, 2)).tolist(),
            'joints_vis': [1] * 16,
        }
        for index in range(PERSONS)
    ]


def coco(rng):
    return {
        'images': [{'id': index, 'file_name': f'{index}.jpg'} for index in range(PERSONS)],
        'annotations': [
            {
                'image_id': index,
                'category_id': 1,
                'bbox': [1, 2, 30, 40],
                'keypoints': np.hstack([rng.randint(5, 95, (17, 2)), np.full((17, 1), 2)]).ravel().tolist(),
            }
            for index in range(PERSONS)
        ],
        'categories': [{'id': 1, 'keypoints': list(COCO_JOINTS)}],
    }


@pytest.mark.parametrize(
    'data_set, make, joints',
    [('mpii', ports, 'mpii'), ('mpii', hrnet, 'mpii'), ('coco', coco, 'file'), ('coco', coco, 'mpii')],
)
def test_json_of_other_programs(tmp_path, rng, data_set, make, joints):
    path, content, found = str(tmp_path / 'train.json'), make(rng), 0
    options = ReadOptions(FORMATS[data_set].boxes[0], joints)
    for index in range(COUNT):
        text = json.dumps(mutate_value(content, rng)).encode()
        if index % 5 == 0:
            text = mutate_bytes(json.dumps(content).encode(), rng)
        write_text(path, text)
        found += check(lambda: FORMATS[data_set].read(path, options).items)
    assert 0 < found


def test_hdf5_of_newell(tmp_path, rng):
    import h5py

    path, found = str(tmp_path / 'annot.h5'), 0
    names = np.array([list(f'{index}.jpg'.encode()) + [0, 0] for index in range(PERSONS)], float)
    arrays = {
        'imgname': names,
        'part': rng.randint(5, 95, (PERSONS, 16, 2)).astype(float),
        'center': rng.randint(5, 95, (PERSONS, 2)).astype(float),
        'scale': np.full(PERSONS, 0.4),
        'visible': np.ones((PERSONS, 16)),
        'person': np.zeros(PERSONS),
        'istrain': np.arange(PERSONS) % 3,
    }
    for _ in range(COUNT):
        with h5py.File(path, 'w') as stream:
            for name, array in mutate_arrays(arrays, rng).items():
                stream[name] = array
        found += check(lambda: read_mpii(path))
    assert 0 < found < COUNT


@pytest.mark.parametrize('extended', [False, True])
@pytest.mark.parametrize('joints', ['mpii', 'lsp'])
def test_matlab_of_lsp(tmp_path, rng, extended, joints):
    path, found = str(tmp_path / 'joints.mat'), 0
    people = np.dstack([rng.randint(5, 95, (14, PERSONS)), rng.randint(5, 95, (14, PERSONS)), np.ones((14, PERSONS))])
    arrays = {'joints': people.transpose((0, 2, 1) if extended else (2, 0, 1))}
    for _ in range(COUNT):
        scipy.io.savemat(path, mutate_arrays(arrays, rng))
        found += check(lambda: FORMATS['lsp'].read(path, ReadOptions('joints', joints)).items)
    assert 0 < found


def test_the_official_matlab_file(tmp_path, rng):
    path = str(tmp_path / 'mpii.mat')
    write_mpii_mat(path, random_images(rng, 6)[0])
    # Not packed, so that a changed byte is a changed value and not a broken file.
    scipy.io.savemat(path, {'RELEASE': scipy.io.loadmat(path)['RELEASE']})
    content = open(path, 'rb').read()
    for _ in range(COUNT):
        write_text(path, mutate_bytes(content, rng))
        check(lambda: read_mpii(path))


def test_the_official_matlab_file_with_other_values(tmp_path, rng):
    path, found = str(tmp_path / 'mpii.mat'), 0
    images = random_images(rng, 6)[0]
    for _ in range(COUNT):
        write_mpii_mat(path, images)
        release = scipy.io.loadmat(path)['RELEASE']
        for entry in release['annolist'][0, 0].ravel():
            rectangles = entry['annorect']
            for name in rectangles.dtype.names or ():
                for index in np.flatnonzero(rng.rand(rectangles.size) < 0.2):
                    rectangles[name].flat[index] = (np.array([[VALUES[rng.randint(2, 7)]]]), 'text')[rng.randint(2)]
        scipy.io.savemat(path, {'RELEASE': release})
        found += check(lambda: read_mpii(path))
    assert 0 < found


def test_head_boxes_and_split_lists(tmp_path, people, rng):
    path = str(tmp_path / 'gt.mat')
    arrays = {
        'pos_gt_src': np.array([person.joints_img + 1 for person in people]).transpose(1, 2, 0).astype(float),
        'jnt_missing': np.zeros((16, PERSONS)),
        'headboxes_src': rng.randint(1, 90, (2, 2, PERSONS)).astype(float),
    }
    scipy.io.savemat(path, arrays)
    assert all(person.head_box_img is not None for person in add_head_boxes(people, path))
    for _ in range(COUNT):
        scipy.io.savemat(path, mutate_arrays(arrays, rng))
        check(lambda: add_head_boxes(people, path))
        write_text(path, mutate_text(b'0001.jpg\n0002.jpgA\n', rng))
        check(lambda: split_by_list(people, path))


def detections():
    return [
        {'image_id': 1, 'category_id': 1, 'bbox': [1, 2, 30, 40], 'score': 0.9},
        {'file_name': 'sub/b.jpg', 'category_id': 1, 'bbox': [5, 6, 7, 8], 'score': 1},
    ]


TABLE = b'image,x,y,width,height,score\na.jpg,0,0,1,1,0.9\n"b, c.jpg",0,0,2,2,0.4\n'


def boxes_of(path):
    """Return the persons of a file of boxes."""
    boxes = BoxFile(path)
    assert boxes.of('/photos/a.jpg') is not None
    found = [box for several in boxes.by_image.values() for box in several]
    assert np.abs(found).max() <= LARGEST
    return [Skipped('boxes')] * len(found)


def test_boxes(tmp_path, rng):
    path = str(tmp_path / 'boxes')
    for content in (detections(), coco(rng)):
        for _ in range(COUNT):
            write_text(path, json.dumps(mutate_value(content, rng)).encode())
            check(lambda: boxes_of(path))
    for text in [b'a\0.jpg,1,2,3,4\n', b'a.jpg,' + b'1' * 200000 + b',2,3,4\n'] + [
        mutate_text(TABLE.replace(b',', b' , '), rng) for _ in range(COUNT)
    ]:
        write_text(path, text)
        check(lambda: boxes_of(path))


def test_packs(tmp_path, rng):
    pack = packed(tmp_path, photographed(tmp_path))
    path = os.path.join(pack, 'pack.json')
    content = open(path, 'rb').read()
    for index in range(COUNT):
        damaged = json.dumps(mutate_value(json.loads(content), rng)).encode()
        write_text(path, damaged if index % 3 else mutate_bytes(content, rng))
        check(lambda: read_annotations([pack], [str(tmp_path)], len(JOINTS), joint_names=JOINTS).persons)


def test_the_command_line_reports_the_same_in_one_line(tmp_path, rng, capsys):
    path, out = str(tmp_path / 'train.json'), str(tmp_path / 'out')
    codes = set()
    for index in range(COUNT):
        data_set, content = (('mpii', ports(rng)), ('coco', coco(rng)))[index % 2]
        write_text(path, json.dumps(mutate_value(content, rng)).encode())
        output = out + ('.txt' if index % 4 < 2 else '.jsonl')
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            codes.add(main(['prepare', data_set, '--annotations', path, '--images', str(tmp_path), '--output', output]))
        error = capsys.readouterr().err
        assert error.count('\n') <= 1
    assert codes <= {0, 2} and 0 in codes
