"""Reader of Leeds Sports Pose: joints.mat of LSP and LSP-extended, as its fourteen joints or as MPII's sixteen."""

import os
from typing import Any, Optional, Tuple, Union

import numpy as np

from hourglass_pose.annotations.checking import Skipped
from hourglass_pose.annotations.person import Person
from hourglass_pose.converters.formats import ReadOptions, Records
from hourglass_pose.converters.official import NO_JOINTS, box_of, each_record, load_matlab, make_person, numeric
from hourglass_pose.errors import AnnotationError
from hourglass_pose.images import image_size
from hourglass_pose.skeleton import LSP_JOINTS, MPII_JOINTS

# Joints of MPII that LSP lacks -> the two joints whose midpoint they are.
_MIDPOINTS = {'pelvis': ('r_hip', 'l_hip'), 'thorax': ('r_shoulder', 'l_shoulder')}


def read(path: str, options: ReadOptions) -> Records:
    """Return the Records of joints.mat, one for each image.

    `joints` is (3, 14, N) in LSP: x, y and 1 if the joint is occluded; all joints are labelled. It is (14, 3, N) in
    LSP-extended: x, y and 1 if the joint is labelled; visibility is unknown. Images are im0001.jpg and im00001.jpg,
    numbered from 1. The coordinates are taken as 0-based pixels, see docs/. options.joints 'lsp' gives the fourteen
    joints, 'mpii' the sixteen: pelvis and thorax are the midpoints of hips and shoulders, occluded if one of the two
    is. options.boxes: 'joints', the tight box of the labelled joints, or 'image', the whole image, which must then be
    in the image folder.

    Raises AnnotationError for another file; iterating over the items raises ImageError for an image whose size is
    needed for a box and that cannot be read.
    """
    joints: Any = load_matlab(path, ['joints']).get('joints')
    shape = np.shape(joints)
    if len(shape) != 3 or shape[:2] not in ((3, 14), (14, 3)):
        raise AnnotationError(
            f'{path}: joints are of shape {shape}; (3, 14, N) of LSP or (14, 3, N) of LSP-extended are needed'
        )
    extended = shape[:2] == (14, 3)
    people = numeric(path, 'joints', joints).transpose((2, 0, 1) if extended else (2, 1, 0))

    def make(numbered: Tuple[int, np.ndarray]) -> Union[Person, Skipped]:
        number, person = numbered
        image = f'im{number:05d}.jpg' if extended else f'im{number:04d}.jpg'
        flags = person[:, 2] != 0
        missing = np.isnan(person[:, :2]).any(axis=1)
        labelled, visible = (flags & ~missing, None) if extended else (~missing, ~flags)
        joints_img = np.where(labelled[:, None], person[:, :2], 0.0)
        if options.joints == 'mpii':
            joints_img, labelled, visible = _with_midpoints(joints_img, labelled, visible)
        if not labelled.any():
            return Skipped(NO_JOINTS)
        box = _box(os.path.join(options.image_folder, image), joints_img, labelled, options.boxes)
        return make_person(image, 0, joints_img, labelled, visible, box, None)

    names = MPII_JOINTS if options.joints == 'mpii' else LSP_JOINTS
    return Records(names, each_record(path, enumerate(people, 1), make, 'person'))


def _with_midpoints(
    joints: np.ndarray, labelled: np.ndarray, visible: Optional[np.ndarray]
) -> Tuple[np.ndarray, np.ndarray, Optional[np.ndarray]]:
    """Return joints (16, 2), labelled (16,) and visible (16,) or None of LSP's fourteen, in MPII's order."""
    rows = [[LSP_JOINTS.index(part) for part in _MIDPOINTS.get(name, (name, name))] for name in MPII_JOINTS]
    first, second = np.array(rows).T
    known = labelled[first] & labelled[second]
    middles = np.where(known[:, None], (joints[first] + joints[second]) / 2, 0.0)
    return middles, known, None if visible is None else visible[first] & visible[second]


def _box(image_path: str, joints_img: np.ndarray, labelled: np.ndarray, boxes: str) -> Any:
    if boxes == 'image':
        width, height = image_size(image_path)
        return [0, 0, width - 1, height - 1]
    return box_of(joints_img, labelled, None, None, 'joints')
