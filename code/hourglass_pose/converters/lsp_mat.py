"""Leeds Sports Pose: joints.mat of LSP and of LSP-extended, fourteen joints made into MPII's sixteen."""

import os

import numpy as np

from hourglass_pose.converters.official import box_of, load_matlab, make_person
from hourglass_pose.errors import AnnotationError
from hourglass_pose.images import image_size
from hourglass_pose.skeleton import MPII_JOINTS

LSP_JOINTS = (
    'r_ankle',
    'r_knee',
    'r_hip',
    'l_hip',
    'l_knee',
    'l_ankle',
    'r_wrist',
    'r_elbow',
    'r_shoulder',
    'l_shoulder',
    'l_elbow',
    'l_wrist',
    'neck',
    'head',
)

# Joints of MPII that LSP lacks, and the two that they are put in the middle of.
_MIDPOINTS = {'pelvis': ('r_hip', 'l_hip'), 'thorax': ('r_shoulder', 'l_shoulder')}


def read_lsp_mat(path, image_folder, boxes='joints'):
    """Yield a Person for each image of joints.mat, or None for one without a labelled joint, in the order of the file.

    `joints` is (3, 14, N) in LSP, x, y and 1 where the joint is hidden, all labelled; it is (14, 3, N) in LSP-extended,
    x, y and 1 where the joint is labelled, and nothing is said of hidden ones. Images are im0001.jpg and im00001.jpg,
    counted from 1. Its numbers are taken to count pixels from 0, see the README. Pelvis and thorax are the midpoints of
    hips and shoulders, hidden where one of the two is. boxes: 'joints', the tight box of the labelled joints, or
    'image', the whole image, which has to be in image_folder then.

    Raises AnnotationError for another file, ImageError for an image that a box is needed of and that cannot be read.
    """
    joints = load_matlab(path, ['joints']).get('joints')
    shape = None if joints is None else joints.shape
    if shape is None or joints.ndim != 3 or shape[:2] not in ((3, 14), (14, 3)):
        raise AnnotationError(
            f'{path}: joints are of shape {shape}; (3, 14, N) of LSP or (14, 3, N) of LSP-extended are needed'
        )
    extended = shape[:2] == (14, 3)
    people = joints.transpose(2, 0, 1) if extended else joints.transpose(2, 1, 0)
    for number, person in enumerate(people, 1):
        image = ('im%05d.jpg' if extended else 'im%04d.jpg') % number
        flags = person[:, 2] != 0
        joints_img, labelled, visible = _in_mpii_order(
            person[:, :2], flags if extended else np.ones(14, bool), None if extended else ~flags
        )
        if not labelled.any():
            yield None
        else:
            yield make_person(
                image, 0, joints_img, labelled, visible, _box(image_folder, image, joints_img, labelled, boxes), None
            )


def _in_mpii_order(joints, labelled, visible):
    """Return joints (16, 2), labelled (16,) and visible (16,) or None of LSP's fourteen."""
    by_name = {
        name: (joints[index], labelled[index], visible is None or visible[index])
        for index, name in enumerate(LSP_JOINTS)
    }
    for name, sides in _MIDPOINTS.items():
        (first, first_labelled, first_visible), (second, second_labelled, second_visible) = map(by_name.get, sides)
        by_name[name] = ((first + second) / 2, first_labelled and second_labelled, first_visible and second_visible)
    points, known, seen = zip(*map(by_name.get, MPII_JOINTS))
    known = np.array(known, bool)
    return np.where(known[:, None], points, 0.0), known, None if visible is None else np.array(seen, bool)


def _box(image_folder, image, joints_img, labelled, boxes):
    if boxes == 'image':
        width, height = image_size(os.path.join(image_folder, image))
        return np.array([0, 0, width - 1, height - 1], np.float64)
    return box_of(joints_img, labelled, None, None, 'joints')
