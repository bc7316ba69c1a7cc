"""prepare: the official files of MPII, LSP and COCO as annotations to train and to measure with."""

import os
from collections import Counter

from hourglass_pose.errors import AnnotationError, UserError

HELP = 'turn the files of MPII, LSP or COCO into annotations'

_BOXES = {'mpii': ('joints', 'centre_scale'), 'lsp': ('joints', 'image'), 'coco': ('file',)}


def add_arguments(parser):
    parser.add_argument('data_set', choices=sorted(_BOXES), help='whose files they are')
    parser.add_argument(
        '--annotations',
        required=True,
        nargs='+',
        metavar='FILE',
        help='mpii: the official .mat, mpii_annotations.json[.gz], train.json and valid.json of HRNet, '
        "train.h5 and valid.h5 of Newell, or a dataset.txt of MPII's numbers; lsp: joints.mat of "
        'LSP or of LSP-extended; coco: person_keypoints JSON',
    )
    parser.add_argument(
        '--images', required=True, metavar='DIR', help='folder of the images, which may still be missing'
    )
    parser.add_argument(
        '--output',
        required=True,
        metavar='FILE',
        help='what to write: lines of JSON, or dataset.txt for a name that ends in .txt; .gz packs it',
    )
    parser.add_argument(
        '--head-boxes',
        metavar='FILE',
        help='mpii: detections_our_format.mat or gt_valid.mat, for head boxes of validation persons',
    )
    parser.add_argument(
        '--split-list', metavar='FILE', help='persons to validate with: one image name or NAME[LETTER] a line'
    )
    parser.add_argument(
        '--boxes',
        choices=('joints', 'centre_scale', 'image'),
        help='a box is tight around the labelled joints (default), mpii: the square of 200 x scale px '
        'around the centre, lsp: the whole image',
    )
    parser.add_argument(
        '--existing-only', action='store_true', help='leave persons out whose image is not in the folder'
    )


def run(options):
    from hourglass_pose.annotations.dataset_txt import write_dataset_txt
    from hourglass_pose.annotations.person_lines import write_person_lines
    from hourglass_pose.skeleton import MPII_JOINTS

    _check(options)
    tally = _Tally(options.images, options.existing_only)
    persons = tally.used(_persons(options))
    if _is_text(options.output):
        count = write_dataset_txt(options.output, tally.with_joints(persons))
    else:
        count = write_person_lines(options.output, persons, MPII_JOINTS)
    print(f'{options.output}: {tally.describe(count)}')
    for note in tally.notes():
        print(f'note: {note}')


def _is_text(path):
    return path.lower().endswith(('.txt', '.txt.gz'))


def _check(options):
    if options.boxes and options.boxes not in _BOXES[options.data_set]:
        raise UserError(
            '--boxes {}: for {} {} is allowed'.format(
                options.boxes,
                options.data_set,
                ' or '.join(
                    box if box != 'file' else 'no --boxes, as the file has its own' for box in _BOXES[options.data_set]
                ),
            )
        )
    if options.head_boxes and options.data_set != 'mpii':
        raise UserError(f'--head-boxes: only MPII has them; leave it out for {options.data_set}')
    for path in options.annotations + [options.head_boxes, options.split_list]:
        if path is not None and not os.path.isfile(path):
            raise AnnotationError(f'no file at {os.path.abspath(path)}; check the path')
    folder = os.path.dirname(os.path.abspath(options.output))
    if not os.path.isdir(folder):
        raise UserError(f'--output: there is no folder {folder}; make it first')


def _persons(options):
    """Yield a Person, or None for one that cannot be used, of all files one after the other."""
    persons = (person for path in options.annotations for person in _reader(options)(path))
    if options.split_list:
        from hourglass_pose.annotations.split_list import split_by_list

        persons = split_by_list(persons, options.split_list)
    if options.head_boxes:
        from hourglass_pose.converters.head_boxes import add_head_boxes

        persons = add_head_boxes(persons, options.head_boxes)
    return persons


def _reader(options):
    boxes = options.boxes or _BOXES[options.data_set][0]
    if options.data_set == 'mpii':
        from hourglass_pose.converters.mpii import read_mpii

        return lambda path: read_mpii(path, boxes)
    if options.data_set == 'lsp':
        from hourglass_pose.converters.lsp_mat import read_lsp_mat

        return lambda path: read_lsp_mat(path, options.images, boxes)
    from hourglass_pose.converters.coco_json import read_coco_json

    return read_coco_json


class _Tally:
    """Counts what passes: persons by split, images and how many of them are in the folder, and what was left out."""

    def __init__(self, folder, existing_only):
        self.folder = os.path.abspath(folder)
        self.existing_only = existing_only
        self.splits = Counter()
        self.images = {}
        self.unused = self.absent = self.without_joints = self.without_centre = 0

    def used(self, persons):
        """Yield those of the persons that are to be written."""
        for person in persons:
            if person is None:
                self.unused += 1
                continue
            exists = self.images.get(person.image)
            if exists is None:
                exists = self.images[person.image] = os.path.exists(os.path.join(self.folder, person.image))
            if self.existing_only and not exists:
                self.absent += 1
                continue
            self.splits[person.split] += 1
            self.without_centre += person.centre_img is None or person.scale is None
            yield person

    def with_joints(self, persons):
        """Yield those of the persons that dataset.txt can hold, which has no place for one without joints."""
        for person in persons:
            if person.labelled.any():
                yield person
            else:
                self.without_joints += 1
                self.splits[person.split] -= 1

    def describe(self, count):
        """Return one line such as '25,204 persons in 17,408 images: 22,246 train, 2,958 valid'."""
        names = [(split, split or 'without a split') for split in ('train', 'valid', 'test', None)]
        parts = [f'{self.splits[split]:,} {name}' for split, name in names if self.splits[split]]
        return f'{count:,} persons in {len(self.images):,} images: {", ".join(parts)}'

    def notes(self):
        """Yield a line on each thing that a user should know."""
        missing = sum(not exists for exists in self.images.values())
        for number, text in (
            (
                self.unused,
                'persons were left out: there is nothing to use of them, or their image is one of a '
                'split list that does not have them',
            ),
            (self.without_joints, 'persons without a labelled joint were left out; dataset.txt cannot hold them'),
            (self.absent, f'persons were left out: their image is not in {self.folder}'),
            (
                0 if self.existing_only else missing,
                f'of {len(self.images):,} images are not in {self.folder}; get them before you train, or add '
                f'--existing-only',
            ),
            (self.without_centre, "persons have no centre and scale; DataSetHG.crop_rule has to stay 'box'"),
        ):
            if number:
                yield f'{number:,} {text}'
