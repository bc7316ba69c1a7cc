"""Crops that an offline model is compared on: of annotated persons, or of rendered ones without annotations."""

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.images import read_image
from hourglass_pose.input.cropping import CropRule, warp_crop
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.skeleton import MPII_JOINTS, Skeleton
from hourglass_pose.synthetic.scenes import SyntheticPerson, render_image

_SEED = 20160726


@dataclass(frozen=True, eq=False)
class GateCrops:
    """images: (N, S, S, 3) uint8. affines_crop_from_img: (N, 2, 3). persons: the N Persons.

    description: the origin of the crops.
    """

    images: np.ndarray
    affines_crop_from_img: np.ndarray
    persons: List[Person]
    description: str


def find_crops(predictor: Predictor, annotations: Sequence[str], image_folders: Sequence[str], count: int) -> GateCrops:
    """Return up to `count` GateCrops of the persons in annotation files, or of rendered people without files."""
    if not annotations:
        return crops_of_rendered_people(predictor, count)
    persons = read_annotations(
        annotations,
        image_folders,
        len(predictor.skeleton),
        joint_names=predictor.skeleton.joints,
        needs_centre=predictor.rule.needs_centre,
    ).persons
    return crops_of_persons(persons, predictor, count)


def crops_of_persons(persons: Sequence[Person], predictor: Predictor, count: int) -> GateCrops:
    """Return the GateCrops of up to `count` annotated persons, spread evenly over all. Raises ImageError."""
    chosen = np.unique(np.linspace(0, len(persons) - 1, min(count, len(persons))).astype(int))
    selected = [persons[index] for index in chosen]
    return _crops(
        selected,
        [read_image(person.image_path) for person in selected],
        [predictor.rule.person_affine(person) for person in selected],
        predictor.rule,
        f'{len(selected)} annotated persons',
    )


def crops_of_rendered_people(predictor: Predictor, count: int) -> GateCrops:
    """Return the GateCrops of `count` rendered people. Joints that rendered people lack are unlabelled."""
    images: List[np.ndarray] = []
    persons: List[Person] = []
    number = 0
    while len(persons) < count:
        image, rendered = render_image(_SEED, number)
        for index, person in enumerate(rendered):
            joints, labelled = _joints_of(person, predictor.skeleton)
            persons.append(Person('', '', f'{number}_{index}', person.box_img, joints, labelled))
            images.append(image)
        number += 1
    # Rendered people have boxes, but neither centre nor scale.
    return _crops(
        persons[:count],
        images[:count],
        [predictor.rule.evaluation_affine(person.box_img) for person in persons[:count]],
        predictor.rule,
        f'{count} rendered people, as no --annotations were given',
    )


def _joints_of(person: SyntheticPerson, skeleton: Skeleton) -> Tuple[np.ndarray, np.ndarray]:
    """Return (joints_img (J, 2), labelled (J,)) of a rendered person in the order of a skeleton's names."""
    rows = {name: index for index, name in enumerate(MPII_JOINTS)}
    joints, labelled = np.zeros((len(skeleton), 2), np.float32), np.zeros(len(skeleton), bool)
    for index, name in enumerate(skeleton.joints):
        if name in rows:
            joints[index], labelled[index] = person.joints_img[rows[name]], person.labelled[rows[name]]
    return joints, labelled


def _crops(
    persons: List[Person], images: Sequence[np.ndarray], affines: Sequence[np.ndarray], rule: CropRule, description: str
) -> GateCrops:
    return GateCrops(
        np.stack([warp_crop(image, affine, rule.crop_size) for image, affine in zip(images, affines)]),
        np.stack(affines),
        persons,
        description,
    )
