"""The persons of MPII's official file that a submission needs, and a submission checked by reading it back."""

import os
from dataclasses import replace
from typing import Dict, Iterable, List, Sequence, Tuple

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.converters.mpii_mat import read_mpii_mat
from hourglass_pose.errors import UserError
from hourglass_pose.scoring.array_files import read_arrays
from hourglass_pose.scoring.submission import (
    OfficialImage,
    find_release,
    find_submission,
    official_images,
    read_submission,
    write_submission,
)
from hourglass_pose.skeleton import MPII_JOINTS


def read_test_persons(path: str, which: str, image_folder: str) -> Tuple[List[OfficialImage], List[Person]]:
    """Return the test images of the official file, and the Persons to predict, in the order of the images.

    Args:
        which: 'single' for sufficiently separated persons, or 'all' for those with a position and a scale.
        image_folder: folder of the images, for Person.image_path.

    Raises UserError if one of 'single' has no position or scale, or no person is left.
    """
    release = find_release(read_arrays(path))
    if release is None:
        raise UserError(
            f'{path}: not the official annotations (RELEASE with annolist, img_train and single_person); a submission '
            'is for the test images that they name'
        )
    images = [image for image in official_images(release, path) if not image.is_training]
    del release
    persons = [person for person in read_mpii_mat(path) if isinstance(person, Person)]
    return images, _choose(images, persons, which, image_folder, path)


def mpii_ids(joints: Sequence[str]) -> List[int]:
    """Return MPII's number of each joint. Raises UserError unless the joints are MPII's sixteen."""
    if sorted(joints) != sorted(MPII_JOINTS):
        raise UserError(
            f"the network's {len(joints)} joints are not MPII's {len(MPII_JOINTS)}; a submission needs these: "
            f'{", ".join(MPII_JOINTS)}'
        )
    return [MPII_JOINTS.index(name) for name in joints]


def write_checked(
    path: str,
    images: Sequence[OfficialImage],
    poses: Iterable[Tuple[Person, np.ndarray]],
    joint_ids: Sequence[int],
    expected: int,
) -> None:
    """Write a submission and read it back.

    Args:
        images: the images that the file lists, in their order.
        poses: (person, joints_img (J, 2)), 0-based.
        joint_ids: MPII's number of each joint.
        expected: number of persons that the file must have.

    Raises UserError unless the file can be written and holds them all.
    """
    by_image: Dict[str, Dict[int, np.ndarray]] = {}
    for person, joints_img in poses:
        # The official file and the evaluation of the submission use 1-based pixels.
        by_image.setdefault(person.image, {})[person.person_index or 0] = joints_img + 1.0
    count = sum(len(of_image) for of_image in by_image.values())
    if count != expected:
        raise UserError(
            f'{count} of {expected} persons were predicted; the images of the others cannot be read, but a submission '
            'must have all persons'
        )
    write_submission(path, [(image.name, by_image.get(image.name, {}), image.num_rects) for image in images], joint_ids)
    structure = find_submission(read_arrays(path))
    found = 0 if structure is None else len(read_submission(structure, path))
    if structure is None or (found, structure.size) != (expected, len(images)):
        raise UserError(f'{path}: does not hold {expected} persons in {len(images)} images; do not submit it')


def _choose(
    images: Sequence[OfficialImage], persons: Sequence[Person], which: str, image_folder: str, path: str
) -> List[Person]:
    known = {
        (person.image, person.person_index): person
        for person in persons
        if person.centre_img is not None and person.scale is not None
    }
    chosen = []
    for image in images:
        for rect in sorted(image.single) if which == 'single' else range(image.num_rects):
            person = known.get((image.name, rect))
            if person is not None:
                chosen.append(replace(person, image_path=os.path.join(image_folder, image.name)))
            elif which == 'single':
                raise UserError(
                    f'{path}: person {rect + 1} of {image.name} is to be predicted and has no position or scale; get '
                    'the file again, or take --persons all'
                )
    if not chosen:
        raise UserError(f'{path}: no person of a test image has position and scale; give the official annotations')
    return chosen
