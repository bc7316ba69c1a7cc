"""Files of boxes: our annotations, COCO's JSON and CSV give the same boxes, and photos find theirs."""

import gzip
import json

import numpy as np
import pytest

from hourglass_pose.annotations.box_files import BoxFile, read_boxes
from hourglass_pose.annotations.dataset_txt import write_dataset_txt
from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_lines import write_person_lines
from hourglass_pose.errors import AnnotationError

# x, y, width, height of the persons of each image.
BOXES = {'a.jpg': [(1.0, 2.0, 30.0, 40.0), (5.0, 6.0, 7.0, 8.0)], 'sub/b.jpg': [(-3.0, 0.0, 10.0, 20.0)]}
PLAIN = [(image, box) for image, boxes in BOXES.items() for box in boxes]


def persons(joints):
    return [
        Person(
            image,
            '',
            f'{image}{"ABC"[number]}',
            np.array([box[0], box[1], box[0] + box[2] - 1, box[1] + box[3] - 1]),
            np.full((joints, 2), 3.0, np.float32),
            np.ones(joints, bool),
        )
        for number, (image, box) in enumerate(PLAIN)
    ]


def coco_detections():
    return [{'image_id': image, 'category_id': 1, 'bbox': list(box), 'score': 1.0} for image, box in PLAIN]


def coco_annotations():
    ids = {image: 7 + index for index, image in enumerate(BOXES)}
    return {
        'images': [{'id': number, 'file_name': image} for image, number in ids.items()],
        'categories': [{'id': 1, 'name': 'dog'}, {'id': 4, 'name': 'person'}],
        'annotations': [{'image_id': ids[image], 'category_id': 4, 'bbox': list(box)} for image, box in PLAIN]
        + [{'image_id': 7, 'category_id': 1, 'bbox': [0, 0, 9, 9]}]
        + [{'image_id': 7, 'category_id': 4, 'bbox': [0, 0, 9, 9], 'iscrowd': 1}],
    }


def write(tmp_path, kind):
    path = tmp_path / f'boxes.{kind}'
    rows = [f'{image},{",".join(map(str, box))}' for image, box in PLAIN]
    if kind == 'lines':
        write_person_lines(str(path), persons(3), ('a', 'b', 'c'))
    elif kind == 'txt':
        write_dataset_txt(str(path), persons(14))
    elif kind == 'csv':
        path.write_text('image,x,y,width,height\n' + '\n'.join(rows) + '\n\n')
    elif kind == 'csv without a header':
        path.write_text('\r\n'.join(rows))
    elif kind == 'csv in another order':
        turned = [','.join(reversed(row.split(','))) for row in rows]
        path.write_text('\ufeffheight,width,y,x,Image\n' + '\n'.join(turned), encoding='utf-8')
    elif kind == 'detections':
        path.write_text(json.dumps(coco_detections()))
    elif kind == 'gzipped detections':
        path.write_bytes(gzip.compress(json.dumps(coco_detections()).encode()))
    else:
        path.write_text(json.dumps(coco_annotations(), indent=1))
    return str(path)


@pytest.mark.parametrize(
    'kind',
    [
        'lines',
        'txt',
        'csv',
        'csv without a header',
        'csv in another order',
        'detections',
        'gzipped detections',
        'annotations',
    ],
)
def test_every_format_gives_the_boxes(tmp_path, kind):
    path = write(tmp_path, kind)
    assert [(box.image, box.box) for box in read_boxes(path)] == PLAIN
    boxes = BoxFile(path)
    assert boxes.of('/photos/a.jpg') == BOXES['a.jpg'] and boxes.of('/photos/sub/b.jpg') == BOXES['sub/b.jpg']
    assert boxes.of('/photos/b.jpg') == [] and boxes.notes(['/photos/a.jpg']) == []


def test_lines_of_dataset_txt_may_have_a_box_alone(tmp_path):
    (tmp_path / 'd.txt').write_text('my photo 2.jpg 1 2 30 41\n')
    assert read_boxes(str(tmp_path / 'd.txt')) == [('my photo 2.jpg', (1.0, 2.0, 30.0, 40.0), 1.0)]


def test_numbers_of_coco_are_those_of_its_file_names(tmp_path):
    path = tmp_path / 'd.json'
    path.write_text(json.dumps([{'image_id': 139, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'score': 0.9}]))
    boxes = BoxFile(str(path))
    for name in ('000000000139.jpg', 'COCO_val2014_000000000139.jpg'):
        assert boxes.of(f'/x/{name}') == [(1.0, 2.0, 3.0, 4.0)]
    assert boxes.of('/x/000000000140.jpg') == boxes.of('/x/abc.jpg') == []


def test_the_longest_name_that_a_path_ends_in_counts(tmp_path):
    path = tmp_path / 'b.csv'
    path.write_text('a.jpg,0,0,1,1\nx/a.jpg,0,0,2,2\n./y//a.jpg,0,0,3,3\n')
    boxes = BoxFile(str(path))
    widths = {
        photo: [box[2] for box in boxes.of(photo)] for photo in ('/p/a.jpg', '/p/x/a.jpg', '/p/y/a.jpg', '/p/xa.jpg')
    }
    assert widths == {'/p/a.jpg': [1], '/p/x/a.jpg': [2], '/p/y/a.jpg': [3], '/p/xa.jpg': []}


def test_boxes_with_a_low_score_are_left_out_and_counted(tmp_path):
    path = tmp_path / 'b.csv'
    path.write_text('image,x,y,width,height,score\na.jpg,0,0,1,1,0.9\na.jpg,0,0,2,2,0.4\nb.jpg,0,0,3,3,0.5\n')
    boxes = BoxFile(str(path), 0.5)
    assert boxes.of('a.jpg') == [(0, 0, 1, 1)] and boxes.of('b.jpg') == [(0, 0, 3, 3)]
    low, lacking = boxes.notes(['a.jpg', 'c.jpg'])
    assert '1 box' in low and '0.5' in low and 'c.jpg' in lacking
    with pytest.raises(AnnotationError, match='no boxes for a.jpg'):
        BoxFile(str(path), 0.95).notes(['a.jpg'])


@pytest.mark.parametrize(
    'text, word',
    [
        ('', 'no boxes'),
        ('image,x,y,width,height\n', 'no boxes'),
        ('image,x,y,w,h\na.jpg,1,2,3,4\n', 'no column width, height'),
        ('a.jpg,1,2,3,x\n', ':1: the box is'),
        ('a.jpg,1,2,3,4\nb.jpg,1,2,0,4\n', ':2: the box is'),
        ('a.jpg,1,2,nan,4\n', 'the box is'),
        (',1,2,3,4\n', 'no name'),
        ('a.jpg 1 2 3\n', 'boxes.any:1'),
        ('[]', 'no boxes'),
        ('[1]', 'entry 1 is 1'),
        ('{"a": 1}', 'JSON without boxes'),
        ('[{"image_id": 1, "bbox": [1, 2, 3]}]', 'entry 1: the box'),
        ('[{"image_id": 1, "bbox": [1, 2, 3, "4"]}]', 'entry 1: the box'),
        ('[{"bbox": [1, 2, 3, 4]}]', 'entry 1: no name'),
        ('[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": "high"}]', 'entry 1: the score'),
        ('[{"image_id": 1, "bbox": [1, 2, 3, 4]}', 'damaged JSON'),
    ],
)
def test_wrong_files_are_refused_in_one_line(tmp_path, text, word):
    path = tmp_path / 'boxes.any'
    path.write_text(text)
    with pytest.raises(AnnotationError) as caught:
        BoxFile(str(path))
    assert word in str(caught.value) and '\n' not in str(caught.value) and 'boxes.any' in str(caught.value)


def test_other_kinds_of_files_are_refused(tmp_path):
    (tmp_path / 'b.mat').write_bytes(b'MATLAB 5.0 MAT-file' + bytes(200))
    with pytest.raises(AnnotationError, match='not a file of boxes'):
        read_boxes(str(tmp_path / 'b.mat'))
    with pytest.raises(AnnotationError, match='cannot be read'):
        read_boxes(str(tmp_path / 'none'))


def test_a_file_for_other_photos_is_refused_with_a_name_of_it(tmp_path):
    path = write(tmp_path, 'csv')
    with pytest.raises(AnnotationError, match='the first is a.jpg'):
        BoxFile(path).notes(['/p/z.jpg', '/p/y.jpg'])
