"""SampleMaker: from an annotated person to what the network learns from or is measured on."""

import threading
from dataclasses import dataclass, replace
from typing import Dict, Mapping, Optional, Sequence, Union

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.errors import ImageError
from hourglass_pose.geometry import compose, inside_crop, transform_points, zoom_affine
from hourglass_pose.images import read_image
from hourglass_pose.input.augmentations.base import View
from hourglass_pose.input.augmentations.table import sample_change
from hourglass_pose.input.cropping import CropRule, warp_crop


@dataclass(frozen=True, eq=False)
class Sample:
    """One person as the network sees it.

    crop: (S, S, 3) uint8 RGB. joints_crop: (J, 2) float64, of a mirrored view with left and right exchanged.
    labelled: (J,) bool, whether a joint is annotated, kept and within the crop. joint_weights: (J,) float32, 0 where
    nothing is to be learnt. affine_crop_from_img: (2, 3) float64, of a mirrored view with the mirroring.
    zoomed: (Z, S, S, 3) uint8, for evaluation at Z scales the crop with the person that much larger about the crop's
    centre; everything else is of the crop as it is.
    """

    crop: np.ndarray
    joints_crop: np.ndarray
    labelled: np.ndarray
    joint_weights: np.ndarray
    affine_crop_from_img: np.ndarray
    zoomed: Union[np.ndarray, Sequence[np.ndarray]] = ()


class ImageCache:
    """Reads images, keeps the decoded pixels of as many as fit, and remembers which cannot be read.

    Nothing is ever dropped: training reads all images in a new order each epoch, and for such a scan a full cache that
    keeps what it has beats one that makes room for new ones. Threads may share a cache.

    capacity_mb: room for pixels in MB. unreadable: dict of path to what is wrong with the image.
    """

    def __init__(self, capacity_mb: int = 0) -> None:
        self._free_bytes = capacity_mb * 2**20
        self._images: Dict[str, np.ndarray] = {}
        self._lock = threading.Lock()
        self.unreadable: Dict[str, str] = {}

    def read(self, path: str) -> np.ndarray:
        """Return the image (H, W, 3) uint8 RGB, not to be written to. Raises ImageError."""
        if path in self._images:
            return self._images[path]
        if path in self.unreadable:
            raise ImageError(self.unreadable[path])
        try:
            image = read_image(path)
        except ImageError as error:
            with self._lock:
                self.unreadable[path] = str(error)
            raise
        with self._lock:
            if path not in self._images and image.nbytes <= self._free_bytes:
                self._free_bytes -= image.nbytes
                self._images[path] = image
        return image


class SampleMaker:
    """Makes samples: view, crop, colours and occluder of a person, in this order.

    cache: ImageCache, or an object with its `read`. rule: CropRule. flip_permutation: Skeleton.flip_permutation.
    kept_joints: bool (J,), False where a joint is neither learnt nor measured.
    augmentation: values of augmentations.table.SETTINGS for training samples, by name; None changes nothing.
    weighted_loss: False makes training samples teach an empty map for a joint that is unlabelled or outside the crop,
    as the original TensorFlow 1 code does.
    scales: at which evaluation looks at a person, as factors on its size in the crop.
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
    ) -> None:
        self.cache = cache
        self.rule = rule
        self.flip_permutation = flip_permutation
        self.kept_joints = np.asarray(kept_joints, bool)
        self.augmentation = augmentation
        self.seed = seed
        self.weighted_loss = weighted_loss
        self.scales = tuple(float(scale) for scale in scales)

    def training_sample(self, person: Person, epoch: int, index: int) -> Sample:
        """Return the augmented Sample of a person, a function of (seed, epoch, index). Raises ImageError."""
        change = sample_change(self.seed, epoch, index, self.augmentation)
        view = change.view(View())
        affine = self.rule.training_affine(person, view)
        crop = change.pixels(warp_crop(self.cache.read(person.image_path), affine, self.rule.crop_size))
        joints = transform_points(affine, person.joints_img)
        labelled = person.labelled
        if view.flip:
            # The affine has mirrored the positions; left and right are still to be exchanged.
            joints, labelled = joints[self.flip_permutation], labelled[self.flip_permutation]
        sample = self._sample(crop, joints, labelled, affine)
        if not self.weighted_loss:
            sample = replace(sample, joint_weights=self.kept_joints.astype(np.float32))
        return sample

    def evaluation_sample(self, person: Person) -> Sample:
        """Return the Sample of a person as the rule cuts it, zoomed where scales are not 1 alone. Raises ImageError."""
        affine = self.rule.person_affine(person)
        image, size = self.cache.read(person.image_path), self.rule.crop_size
        sample = self._sample(
            warp_crop(image, affine, size), transform_points(affine, person.joints_img), person.labelled, affine
        )
        if self.scales == (1.0,):
            return sample
        return replace(
            sample,
            zoomed=np.stack(
                [warp_crop(image, compose(zoom_affine(scale, size), affine), size) for scale in self.scales]
            ),
        )

    def _sample(self, crop: np.ndarray, joints_crop: np.ndarray, labelled: np.ndarray, affine: np.ndarray) -> Sample:
        labelled = labelled & self.kept_joints & inside_crop(joints_crop, self.rule.crop_size)
        return Sample(crop, joints_crop, labelled, labelled.astype(np.float32), affine)
