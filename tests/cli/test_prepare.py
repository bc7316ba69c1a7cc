"""prepare from the command line: official files to annotations that every other command reads."""

import json
import os

import cv2
import numpy as np
import pytest
import scipy.io

from hourglass_pose.annotations.person_lines import read_person_lines
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.annotations.splits import split_persons
from hourglass_pose.cli import main
from hourglass_pose.skeleton import MPII_JOINTS
from mpii_mat import point_of, random_images, rectangle_of, write_mpii_mat


class Folder:
    """Three images with five annotated persons, two of them for validation, as JSON of the ports."""

    def __init__(self, root):
        self.root = str(root)
        self.entries = []
        rng = np.random.RandomState(4)
        for name, valid, count in (('a.jpg', 0, 2), ('b.jpg', 1, 2), ('c.jpg', 0, 1)):
            cv2.imwrite(self.path(name), np.zeros((100, 120, 3), np.uint8))
            for index in range(count):
                joints = np.hstack([rng.randint(5, 95, (16, 2)), np.ones((16, 1))]).tolist()
                self.entries.append(
                    {
                        'img_paths': name,
                        'isValidation': valid,
                        'people_index': index + 1,
                        'objpos': [50, 40],
                        'scale_provided': 0.4,
                        'joint_self': joints,
                    }
                )
        with open(self.path('mpii.json'), 'w') as stream:
            json.dump(self.entries, stream)

    def path(self, name):
        return os.path.join(self.root, name)

    def prepare(self, *arguments, output='people.jsonl', annotations='mpii.json', data_set='mpii'):
        """Run the command and return its exit code."""
        return main(
            [
                'prepare',
                data_set,
                '--annotations',
                self.path(annotations),
                '--images',
                self.root,
                '--output',
                self.path(output),
            ]
            + list(arguments)
        )

    def persons(self, output='people.jsonl', joints=16):
        return [found for _, found in read_person_lines(self.path(output), joints)]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_mpii_becomes_annotations_that_are_read_and_split_as_published(folder, capsys):
    assert folder.prepare() == 0
    assert 'people.jsonl: 5 persons in 3 images: 3 train, 2 valid\n' in capsys.readouterr().out
    found = read_annotations(folder.path('people.jsonl'), folder.root, 16, joint_names=MPII_JOINTS, needs_centre=True)
    split = split_persons(found.persons, 0.1, 0)
    assert [person.person_id for person in split['valid']] == ['b.jpgA', 'b.jpgB'] and len(split['train']) == 3
    assert found.persons[0].centre_img.tolist() == [49, 39]


@pytest.mark.parametrize('output', ['dataset.txt', 'dataset.txt.gz'])
def test_dataset_txt_is_written_for_its_ending_and_counts_from_zero(folder, output):
    assert folder.prepare(output=output) == 0
    person = read_annotations(folder.path(output), folder.root, 16).persons[0]
    expected = np.array(folder.entries[0]['joint_self'])[:, :2] - 1
    np.testing.assert_array_equal(person.joints_img, expected)
    np.testing.assert_array_equal(person.box_img, [*expected.min(0), *expected.max(0)])


def test_several_files_make_one(folder):
    with open(folder.path('more.json'), 'w') as stream:
        json.dump([dict(folder.entries[0], img_paths='d.jpg')], stream)
    assert (
        main(
            [
                'prepare',
                'mpii',
                '--annotations',
                folder.path('mpii.json'),
                folder.path('more.json'),
                '--images',
                folder.root,
                '--output',
                folder.path('all.jsonl.gz'),
            ]
        )
        == 0
    )
    images = [person.image for person in folder.persons('all.jsonl.gz')]
    assert images == ['a.jpg'] * 2 + ['b.jpg'] * 2 + ['c.jpg', 'd.jpg']


def test_missing_images_are_counted_and_left_out_on_request(folder, capsys):
    os.remove(folder.path('a.jpg'))
    assert folder.prepare() == 0
    assert '1 of 3 images are not in' in capsys.readouterr().out and len(folder.persons()) == 5
    assert folder.prepare('--existing-only') == 0
    assert '2 records left out: their image' in capsys.readouterr().out and len(folder.persons()) == 3


def test_head_boxes_are_added_to_the_validation_persons(folder):
    joints = np.array([entry['joint_self'] for entry in folder.entries if entry['isValidation']])[..., :2]
    content = {
        'pos_gt_src': joints.transpose(1, 2, 0).astype(float),
        'jnt_missing': np.zeros((16, 2)),
        'headboxes_src': np.array([[[11.0, 12], [21, 22]], [[31, 32], [41, 42]]]),
    }
    scipy.io.savemat(folder.path('gt.mat'), content)
    assert folder.prepare('--head-boxes', folder.path('gt.mat')) == 0
    # (corner, axis, person) in the file: of the first person (11, 21) and (31, 41).
    heads = [None if person.head_box_img is None else person.head_box_img.tolist() for person in folder.persons()]
    assert heads == [None, None, [10, 20, 30, 40], [11, 21, 31, 41], None]


@pytest.mark.parametrize(
    'lines, valid, others',
    [('c.jpg\n', ['c.jpgA'], 4), ('a.jpgB\n\n', ['a.jpgB'], 3), ('a.jpgA\na.jpgB\nb.jpg\r\n', None, 1)],
)
def test_a_list_selects_the_validation_persons(folder, lines, valid, others):
    with open(folder.path('valid.txt'), 'w', newline='') as stream:
        stream.write(lines)
    assert folder.prepare('--split-list', folder.path('valid.txt')) == 0
    by_split = {
        split: [person.person_id for person in folder.persons() if person.split == split]
        for split in ('train', 'valid')
    }
    assert by_split['valid'] == (valid or ['a.jpgA', 'a.jpgB', 'b.jpgA', 'b.jpgB'])
    # Beside a listed person nobody of the same image is trained on.
    assert len(by_split['train']) == others


@pytest.mark.parametrize(
    'lines, message', [('a.jpg\nx.jpgA\n', "1 entries match no person, such as 'x.jpgA'"), ('\n', 'the list is empty')]
)
def test_a_list_that_does_not_fit_is_refused_and_nothing_written(folder, capsys, lines, message):
    with open(folder.path('valid.txt'), 'w') as stream:
        stream.write(lines)
    assert folder.prepare('--split-list', folder.path('valid.txt')) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
    assert not [name for name in os.listdir(folder.root) if name.startswith('people')]


def test_test_persons_of_the_official_file_are_kept_but_not_in_dataset_txt(folder, capsys):
    points = [point_of(20 + joint, 30 + 2 * joint, joint) for joint in range(16)]
    write_mpii_mat(
        folder.path('mpii.mat'),
        [
            ('a.jpg', True, [rectangle_of(points, (50.0, 40.0), 0.4)]),
            ('b.jpg', False, [rectangle_of(None, (50.0, 40.0), 0.4)]),
        ],
    )
    assert folder.prepare(annotations='mpii.mat') == 0
    assert '1 test, 1 without a split' in capsys.readouterr().out
    assert len(read_annotations(folder.path('people.jsonl'), folder.root, 16).persons) == 2
    assert folder.prepare(annotations='mpii.mat', output='dataset.txt') == 0
    assert '1 record left out: no labelled joint, which dataset.txt cannot hold' in capsys.readouterr().out
    assert len(read_annotations(folder.path('dataset.txt'), folder.root, 16).persons) == 1


def test_lsp_and_coco_are_prepared_too(folder, rng):
    scipy.io.savemat(folder.path('joints.mat'), {'joints': rng.uniform(0, 90, (3, 14, 2))})
    for number in (1, 2):
        cv2.imwrite(folder.path(f'im000{number}.jpg'), np.zeros((100, 120, 3), np.uint8))
    assert folder.prepare('--boxes', 'image', data_set='lsp', annotations='joints.mat') == 0
    assert [person.box_img.tolist() for person in folder.persons()] == [[0, 0, 119, 99]] * 2
    with open(folder.path('coco.json'), 'w') as stream:
        json.dump(
            {
                'images': [{'id': 1, 'file_name': 'a.jpg'}],
                'annotations': [{'image_id': 1, 'bbox': [1, 2, 30, 40], 'keypoints': [9, 9, 2] * 17}],
            },
            stream,
        )
    assert folder.prepare('--joints', 'mpii', data_set='coco', annotations='coco.json') == 0
    assert folder.persons()[0].labelled.sum() == 12
    assert folder.prepare(data_set='coco', annotations='coco.json') == 0
    assert folder.persons(joints=17)[0].labelled.sum() == 17
    assert folder.prepare('--joints', 'lsp', data_set='lsp', annotations='joints.mat') == 0
    assert [person.labelled.sum() for person in folder.persons(joints=14)] == [14, 14]


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--boxes', 'image'], '--boxes image: mpii allows joints or centre_scale'),
        (['--joints', 'lsp'], '--joints lsp: mpii allows mpii'),
        (['--head-boxes', 'none.mat'], 'no file at'),
        (['--split-list', 'none.txt'], 'no file at'),
    ],
)
def test_a_users_mistake_is_one_line(folder, capsys, arguments, message):
    assert folder.prepare(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1


def test_head_boxes_of_others_than_mpii_and_folders_that_are_not_there_are_refused(folder, capsys):
    assert folder.prepare('--head-boxes', folder.path('mpii.json'), data_set='coco') == 2
    assert 'only MPII has them' in capsys.readouterr().err
    assert folder.prepare(output=os.path.join('none', 'people.jsonl')) == 2
    assert 'there is no folder' in capsys.readouterr().err


def test_annotations_of_the_official_file_survive_a_second_pass(folder, rng):
    write_mpii_mat(folder.path('mpii.mat'), random_images(rng, 40)[0])
    assert folder.prepare(annotations='mpii.mat', output='first.jsonl.gz') == 0
    assert folder.prepare(annotations='first.jsonl.gz', output='second.jsonl.gz') == 0
    first, second = (open(folder.path(name), 'rb').read() for name in ('first.jsonl.gz', 'second.jsonl.gz'))
    assert first == second


def prepare_coco(folder, capsys, *contents, output='people.jsonl', extra=()):
    """Run prepare on COCO files of these contents; return the exit code and what was printed."""
    paths = [folder.path(f'task{number}.json') for number in range(len(contents))]
    for path, content in zip(paths, contents):
        with open(path, 'w') as stream:
            json.dump(content, stream)
    capsys.readouterr()
    arguments = ['--images', folder.root, '--output', folder.path(output)] + list(extra)
    code = main(['prepare', 'coco', '--annotations'] + paths + arguments)
    return code, ''.join(capsys.readouterr())


def coco(image='a.jpg', **changes):
    person = {'image_id': 1, 'bbox': [1, 2, 30, 40], 'keypoints': [9, 9, 2] * 17}
    return {'images': [{'id': 1, 'file_name': image}], 'annotations': [dict(person, **changes), person]}


def test_persons_of_several_files_have_names_of_their_own(folder, capsys):
    code, text = prepare_coco(folder, capsys, coco(), coco())
    assert code == 0 and '2 persons got another letter' in text
    assert [person.person_id for person in folder.persons(joints=17)] == ['a.jpg' + letter for letter in 'ABCD']


@pytest.mark.parametrize(
    'changes, reason',
    [
        ({'keypoints': None}, 'no keypoints'),
        ({'keypoints': []}, 'no keypoints'),
        ({'iscrowd': 1}, 'a crowd'),
        ({'bbox': [1, 2, 0, 0]}, 'a box of no area'),
        ({'keypoints': [0] * 51}, 'no labelled joint'),
        ({'image_id': 7}, 'malformed'),
        ({'bbox': [1, 2, float('nan'), 4]}, 'malformed'),
        ({'keypoints': [9, 9, 2] * 18}, 'malformed'),
    ],
)
def test_an_annotation_without_a_person_is_counted_with_its_reason(folder, capsys, changes, reason):
    code, text = prepare_coco(folder, capsys, coco(**changes))
    assert code == 0 and f'note: 1 record left out: {reason}\n' in text
    assert ('annotation 1' in text) == (reason == 'malformed')
    assert len(folder.persons(joints=17)) == 1


@pytest.mark.parametrize('name', ['a.jfif', 'a.gif', 'frames/000123'])
def test_a_name_that_dataset_txt_cannot_hold_is_refused_with_the_other_format(folder, capsys, name):
    code, text = prepare_coco(folder, capsys, coco(name), output='dataset.txt')
    assert code == 2 and name in text and '.jsonl' in text and text.count('\n') == 1
    assert prepare_coco(folder, capsys, coco(name))[0] == 0


def test_without_any_person_left_the_reasons_are_given_and_nothing_is_written(folder, capsys):
    code, text = prepare_coco(folder, capsys, coco('none.jpg'), extra=['--existing-only'])
    assert code == 2 and f'2 records left out: their image is not in {folder.root}' in text and text.count('\n') == 1
    assert not os.path.exists(folder.path('people.jsonl'))


def test_an_output_that_is_an_input_is_refused_and_the_file_kept(folder, capsys):
    os.symlink(folder.path('mpii.json'), folder.path('link.txt'))
    before = open(folder.path('mpii.json'), 'rb').read()
    for output in ('mpii.json', 'link.txt', os.path.join('.', 'mpii.json')):
        assert folder.prepare(output=output) == 2
        assert 'this file is an input' in capsys.readouterr().err
    assert open(folder.path('mpii.json'), 'rb').read() == before


def test_files_of_different_joints_are_not_mixed(folder, capsys):
    named = dict(coco(), categories=[{'id': 1, 'keypoints': ['nose'] + [f'x{index}' for index in range(16)]}])
    code, text = prepare_coco(folder, capsys, coco(), named)
    assert code == 2 and 'its joints are nose, x0' in text and not os.path.exists(folder.path('people.jsonl'))
