"""Crops that an offline model is compared on: of annotated persons, or of drawn ones where there are none."""

from dataclasses import dataclass

import numpy as np

from hourglass_pose.data.augmentation import AugmentationRanges
from hourglass_pose.data.person import Person
from hourglass_pose.data.samples import ImageCache, SampleMaker
from hourglass_pose.data.synthetic_scenes import draw_image
from hourglass_pose.skeleton import MPII_JOINTS


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
    return _crops(persons, ImageCache(), predictor, '%d annotated persons' % len(persons))


def crops_of_drawn_people(predictor, count, seed=20160726):
    """Return the GateCrops of `count` drawn people, for want of photos. Joints that they lack are unlabelled."""
    pictures, persons = _Pictures(), []
    while len(persons) < count:
        image, drawn = draw_image(seed, len(pictures.images))
        path = str(len(pictures.images))
        pictures.images[path] = image
        for index, person in enumerate(drawn):
            joints, labelled = _joints_of(person, predictor.skeleton)
            persons.append(Person(path, path, '%s_%d' % (path, index), person.box_img, joints, labelled))
    return _crops(persons[:count], pictures, predictor, '%d drawn people, for no --annotations were given' % count)


def _joints_of(person, skeleton):
    """Return (joints_img (J, 2), labelled (J,)) of a drawn person in the order of a skeleton's names."""
    places = {name: index for index, name in enumerate(MPII_JOINTS)}
    joints, labelled = np.zeros((len(skeleton), 2), np.float32), np.zeros(len(skeleton), bool)
    for index, name in enumerate(skeleton.joints):
        if name in places:
            joints[index], labelled[index] = person.joints_img[places[name]], person.labelled[places[name]]
    return joints, labelled


class _Pictures:
    """Stands for the image cache: drawn pictures by number."""

    def __init__(self):
        self.images = {}

    def read(self, path):
        return self.images[path]


def _crops(persons, cache, predictor, description):
    maker = SampleMaker(cache, predictor.codec, predictor.rule, predictor.skeleton.flip_permutation,
                        predictor.kept_joints, AugmentationRanges(), seed=0)
    samples = [maker.evaluation_sample(person) for person in persons]
    return GateCrops(np.stack([sample.crop for sample in samples]),
                     np.stack([sample.affine_crop_from_img for sample in samples]), persons, description)
