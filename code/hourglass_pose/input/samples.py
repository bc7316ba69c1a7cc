"""SampleMaker: makes the training or evaluation sample of an annotated person."""

from dataclasses import dataclass, replace
from typing import Mapping, Optional, Sequence, Union

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.geometry import inside_crop, transform_points
from hourglass_pose.input.augmentations.base import View
from hourglass_pose.input.augmentations.table import sample_change
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.input.negatives import NegativeViews, PersonLabel
from hourglass_pose.input.pixels import ImageCache, photo_size, read_pixels


@dataclass(frozen=True, eq=False)
class Sample:
    """One person as the network sees it.

    crop: (S, S, 3) uint8 RGB. joints_crop: (J, 2) float64, of a mirrored view with left and right exchanged.
    labelled: (J,) bool, whether a joint is annotated, kept and inside the crop. joint_weights: (J,) float32, weight of
    each joint in the loss. affine_crop_from_img: (2, 3) float64, including the mirroring.
    zoomed: (Z, S, S, 3) uint8, for evaluation at Z scales: the crop enlarged by each scale about its centre; the other
    fields describe the crop at scale 1.
    person_label: whether the crop shows one whole person in its middle; of weight 0 where nothing samples negatives.
    """

    crop: np.ndarray
    joints_crop: np.ndarray
    labelled: np.ndarray
    joint_weights: np.ndarray
    affine_crop_from_img: np.ndarray
    zoomed: Union[np.ndarray, Sequence[np.ndarray]] = ()
    person_label: PersonLabel = PersonLabel(1.0, 0.0)


class SampleMaker:
    """Makes samples of persons: view, crop, colours and occluder, in this order.

    cache: ImageCache, or an object with its method `read_shrunk`. rule: CropRule.
    flip_permutation: Skeleton.flip_permutation.
    kept_joints: bool (J,), False for joints that are neither trained nor evaluated.
    augmentation: values of augmentations.table.SETTINGS for training samples, by name; None changes nothing.
    weighted_loss: if False, a joint that is unlabelled or outside the crop is trained towards an empty map, as in the
    original TensorFlow 1 code.
    scales: zoom factors of the evaluation crops.
    negatives: labels training crops for the person output, and replaces some by crops without a whole person in the
    middle, whose joints are unlabelled and have weight 0.
    """

    def __init__(
        self,
        cache: ImageCache,
        rule: CropRule,
        flip_permutation: np.ndarray,
        kept_joints: np.ndarray,
        augmentation: Optional[Mapping[str, float]] = None,
        seed: int = 0,
        weighted_loss: bool = True,
        scales: Sequence[float] = (1.0,),
        negatives: Optional[NegativeViews] = None,
    ) -> None:
        self.cache = cache
        self.rule = rule
        self.flip_permutation = flip_permutation
        self.kept_joints = np.asarray(kept_joints, bool)
        self.augmentation = augmentation
        self.seed = seed
        self.weighted_loss = weighted_loss
        self.scales = tuple(float(scale) for scale in scales)
        self.negatives = negatives

    def training_sample(self, person: Person, epoch: int, index: int) -> Sample:
        """Return the augmented Sample of a person, a function of (seed, epoch, index). Raises ImageError."""
        change = sample_change(self.seed, epoch, index, self.augmentation)
        view, negative = change.view(View(), lambda: self.rule.plain_joints(person)), None
        if self.negatives:
            size_wh = photo_size(self.cache, person)
            negative = self.negatives.sample(self.seed, epoch, index, person, view, size_wh)
        affine = self.rule.training_affine(person, negative or view)
        # Pixels that the crop would average anyway are not decoded: this changes it by rounding and by the decoder's
        # filter, and takes less time. Evaluation decodes in full.
        pixels = read_pixels(self.cache, person, affine, in_full=False)
        crop = change.pixels(pixels.crop(self.rule.crop_size))
        joints = transform_points(affine, person.joints_img)
        labelled = person.labelled
        if view.flip:
            # The affine has mirrored the positions; now left and right are exchanged.
            joints, labelled = joints[self.flip_permutation], labelled[self.flip_permutation]
        sample = self._sample(crop, joints, labelled, affine)
        if not self.weighted_loss:
            sample = replace(sample, joint_weights=self.kept_joints.astype(np.float32))
        if self.negatives:
            sample = replace(sample, person_label=self.negatives.label(person, affine))
        if negative:
            none = np.zeros_like(sample.labelled)
            sample = replace(sample, labelled=none, joint_weights=none.astype(np.float32))
        return sample

    def evaluation_sample(self, person: Person) -> Sample:
        """Return the evaluation Sample of a person, zoomed unless scales is (1.0,). Raises ImageError."""
        affine = self.rule.person_affine(person)
        pixels, size = read_pixels(self.cache, person, affine), self.rule.crop_size
        joints = transform_points(affine, person.joints_img)
        sample = self._sample(pixels.crop(size), joints, person.labelled, affine)
        if self.scales == (1.0,):
            return sample
        return replace(sample, zoomed=np.stack([pixels.crop(size, scale) for scale in self.scales]))

    def _sample(self, crop: np.ndarray, joints_crop: np.ndarray, labelled: np.ndarray, affine: np.ndarray) -> Sample:
        labelled = labelled & self.kept_joints & inside_crop(joints_crop, self.rule.crop_size)
        return Sample(crop, joints_crop, labelled, labelled.astype(np.float32), affine)
