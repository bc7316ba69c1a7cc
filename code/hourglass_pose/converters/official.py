"""What the official files of MPII, LSP and COCO have in common: their persons made into Person records."""

import os
import re

import numpy as np

from hourglass_pose.annotations.dataset_txt import person_name
from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import AnnotationError

BOXES = ('joints', 'centre_scale', 'image')

# Height of a person in px of the image at scale 1, as MPII defines it.
_HEIGHT = 200.0


def mpii_person(
    image, index, joints, labelled, visible, centre, scale, split, boxes='joints', head_box=None, indexed=True
):
    """Return the Person of MPII's own numbers, which count pixels from 1: the one place where they are converted.

    image: file name. index: place among the annotated persons of the image, from 0. joints: (16, 2), anything where
    not labelled. labelled, visible: (16,) bool, visible None where unknown. centre (2,), scale: None where the person
    has none. head_box: (x1, y1, x2, y2) or None. boxes: see box_of. indexed: see make_person. Returns None for a person
    that has neither joints nor both a centre and a scale.
    """
    labelled = np.asarray(labelled, bool)
    joints_img = np.where(labelled[:, None], np.asarray(joints, np.float64) - 1.0, 0.0)
    centre_img = None if centre is None else np.asarray(centre, np.float64) - 1.0
    box = box_of(joints_img, labelled, centre_img, scale, boxes)
    if box is None:
        return None
    return make_person(
        image,
        index,
        joints_img,
        labelled,
        visible,
        box,
        split,
        centre_img,
        scale,
        None if head_box is None else np.asarray(head_box, np.float64) - 1.0,
        indexed,
    )


def make_person(
    image,
    index,
    joints_img,
    labelled,
    visible,
    box_img,
    split,
    centre_img=None,
    scale=None,
    head_box=None,
    indexed=True,
):
    """Return a Person named after its image; image_path is left to the reader of what is written of it.

    indexed: False where `index` tells persons apart without being their place in the official file.
    """
    labelled = np.asarray(labelled, bool)
    return Person(
        image=image,
        image_path='',
        person_id=person_name(image, index),
        box_img=np.asarray(box_img, np.float64),
        joints_img=np.asarray(joints_img, np.float32),
        labelled=labelled,
        head_box_img=head_box,
        visible=None if visible is None else np.asarray(visible, bool) & labelled,
        centre_img=centre_img,
        scale=None if scale is None else float(scale),
        split=split,
        person_index=int(index) if indexed else None,
    )


def box_of(joints_img, labelled, centre_img, scale, boxes):
    """Return a person's box (x0, y0, x1, y1), first and last pixel inclusive, or None.

    boxes: 'joints', the tight box of the labelled joints, or 'centre_scale', a square of 200 x scale px around the
    centre, as high as the person. Where a person lacks what one needs it has the other.
    """
    known = centre_img is not None and scale is not None
    if known and (boxes == 'centre_scale' or not labelled.any()):
        half = (_HEIGHT * scale - 1) / 2
        return np.concatenate([centre_img - half, centre_img + half])
    if not labelled.any():
        return None
    joints = joints_img[labelled]
    return np.concatenate([joints.min(axis=0), joints.max(axis=0)])


def split_of_file(path):
    """Return 'train', 'valid' or 'test' as the name of a file says, None for a name without such a word.

    The files of HRNet, of Newell and of COCO say so by their names only: train.json, valid.h5, ..._val2017.json.
    """
    name = os.path.basename(path).lower()
    found = set(re.findall('train|val|test', name))
    return {'train': 'train', 'val': 'valid', 'test': 'test'}[found.pop()] if len(found) == 1 else None


def load_matlab(path, names):
    """Return what scipy.io.loadmat reads of the variables `names` of a file. Raises AnnotationError."""
    # SciPy is loaded here and not with the package, for few commands need it.
    import scipy.io

    try:
        return scipy.io.loadmat(path, variable_names=names)
    except OSError as error:
        raise AnnotationError(f'{path}: cannot be read ({error.strerror or error}); check the path and its permissions')
    except Exception as error:  # SciPy raises whatever its parser meets in a damaged file
        raise AnnotationError(
            f'{path}: this MATLAB file is damaged or of version 7.3 ({type(error).__name__}: {error}); get it '
            f'again, or save it as '
            'version 7'
        )
