"""The table of the official data formats: the choices that each offers, and the module that reads it.

A new format is a module with `read(path, options)`, a line here, and a test.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Dict, Iterator, Tuple, Union

from hourglass_pose.annotations.checking import Skipped
from hourglass_pose.annotations.person import Person

BOX_KINDS = {
    'joints': 'tight around the labelled joints',
    'centre_scale': 'the square of 200 x scale px around the centre',
    'image': 'the whole image',
    'file': "the file's own",
}
"""Kinds of boxes and their meaning."""


@dataclass(frozen=True)
class ReadOptions:
    """How official files are read.

    boxes, joints: one of DataFormat.boxes and .joints. image_folder: needed for boxes that are the whole image.
    """

    boxes: str
    joints: str
    image_folder: str = ''


@dataclass(frozen=True)
class Records:
    """The content of a file: the names of the joints, and a Person or Skipped for each record, in the file's order."""

    joints: Tuple[str, ...]
    items: Iterator[Union[Person, Skipped]]


@dataclass(frozen=True)
class DataFormat:
    """One row of the table.

    module: its `read(path, ReadOptions)` returns Records, or raises AnnotationError for a file of other content.
    files: the files it reads, for the help text. boxes, joints: the user's choices, the default first; boxes are keys
    of BOX_KINDS; joints are names of skeletons, or 'file' for the names in the file. has_head_boxes: whether head boxes
    come in a separate file.
    """

    module: str
    files: str
    boxes: Tuple[str, ...]
    joints: Tuple[str, ...]
    has_head_boxes: bool = False

    def read(self, path: str, options: ReadOptions) -> Records:
        """Return the Records of a file. Raises AnnotationError."""
        return import_module(f'hourglass_pose.converters.{self.module}').read(path, options)


FORMATS: Dict[str, DataFormat] = {
    'mpii': DataFormat(
        'mpii',
        'the official .mat, mpii_annotations.json[.gz], train.json and valid.json of HRNet, train.h5, valid.h5 and '
        "annot.h5 of Newell, or a dataset.txt of MPII's numbers",
        ('joints', 'centre_scale'),
        ('mpii',),
        has_head_boxes=True,
    ),
    'lsp': DataFormat('lsp_mat', 'joints.mat of LSP or of LSP-extended', ('joints', 'image'), ('mpii', 'lsp')),
    'coco': DataFormat('coco_json', 'person_keypoints JSON', ('file',), ('file', 'mpii')),
}
