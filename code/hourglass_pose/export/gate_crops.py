"""Crops that an offline model is compared on: of annotated persons, or of drawn ones where there are none."""

from dataclasses import dataclass

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.images import read_image
from hourglass_pose.input.cropping import warp_crop
from hourglass_pose.skeleton import MPII_JOINTS
from hourglass_pose.synthetic.scenes import render_image


@dataclass(frozen=True, eq=False)
class GateCrops:
    """images: (N, S, S, 3) uint8. affines_crop_from_img: (N, 2, 3). persons: the N Persons. description: whose crops
    they are.
    """

    images: np.ndarray
    affines_crop_from_img: np.ndarray
    persons: list
    description: str


def crops_of_persons(persons, predictor, count):
    """Return the GateCrops of up to `count` annotated persons, spread evenly over all. Raises ImageError."""
    chosen = np.unique(np.linspace(0, len(persons) - 1, min(count, len(persons))).astype(int))
    persons = [persons[index] for index in chosen]
    return _crops(
        persons,
        [read_image(person.image_path) for person in persons],
        [predictor.rule.person_affine(person) for person in persons],
        predictor,
        f'{len(persons)} annotated persons',
    )


def crops_of_drawn_people(predictor, count, seed=20160726):
    """Return the GateCrops of `count` drawn people, for want of photos. Joints that they lack are unlabelled."""
    images, persons, number = [], [], 0
    while len(persons) < count:
        image, drawn = render_image(seed, number)
        for index, person in enumerate(drawn):
            joints, labelled = _joints_of(person, predictor.skeleton)
            persons.append(Person('', '', '%d_%d' % (number, index), person.box_img, joints, labelled))
            images.append(image)
        number += 1
    # Drawn people have boxes alone.
    return _crops(
        persons[:count],
        images[:count],
        [predictor.rule.evaluation_affine(person.box_img) for person in persons[:count]],
        predictor,
        '%d drawn people, for no --annotations were given' % count,
    )


def _joints_of(person, skeleton):
    """Return (joints_img (J, 2), labelled (J,)) of a drawn person in the order of a skeleton's names."""
    places = {name: index for index, name in enumerate(MPII_JOINTS)}
    joints, labelled = np.zeros((len(skeleton), 2), np.float32), np.zeros(len(skeleton), bool)
    for index, name in enumerate(skeleton.joints):
        if name in places:
            joints[index], labelled[index] = person.joints_img[places[name]], person.labelled[places[name]]
    return joints, labelled


def _crops(persons, images, affines, predictor, description):
    size = predictor.rule.crop_size
    return GateCrops(
        np.stack([warp_crop(image, affine, size) for image, affine in zip(images, affines)]),
        np.stack(affines),
        persons,
        description,
    )
