"""Inspection: all checks of the data and the plan of a run, in one order."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.reading import AnnotationSet
from hourglass_pose.cores import available_cores
from hourglass_pose.doctor import cost, images, persons, sides
from hourglass_pose.doctor.findings import Finding
from hourglass_pose.doctor.images import OpenedImage, sample_of
from hourglass_pose.errors import ImageError
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.representations.heatmap.numpy import HeatmapCodec
from hourglass_pose.skeleton import Skeleton

SAMPLED = 32


@dataclass(frozen=True, eq=False)
class InspectedData:
    """The data and settings to inspect.

    annotations: read with on_error 'skip', without looking for images. split: of its persons, as split_persons returns
    it. skeleton, rule: joints and crops. kept_joints: bool (J,), the joints that are trained. codec: the representation
    of joints. sample_maker: the SampleMaker of training, without image cache. strict: whether training stops at an
    invalid line or a missing image. max_unreadable: otherwise, the fraction of images that may be unusable. flip_prob,
    flip_test: whether training and validation mirror images.
    """

    annotations: AnnotationSet
    split: Mapping[str, Sequence[Person]]
    skeleton: Skeleton
    rule: CropRule
    kept_joints: np.ndarray
    codec: HeatmapCodec
    sample_maker: Any
    strict: bool
    max_unreadable: float
    flip_prob: float
    flip_test: bool


class Inspection:
    """The checks of some data, and the images that they opened.

    persons: all persons of the split, with or without an image. missing: paths of missing images. opened: path ->
    OpenedImage, after check_images.
    """

    def __init__(self, data: InspectedData) -> None:
        self.data = data
        self.persons = [person for persons_of_split in data.split.values() for person in persons_of_split]
        self.missing = images.missing_images(self.persons)
        self.opened: Dict[str, OpenedImage] = {}

    def describe(self) -> str:
        """Return one line on the amount of data."""
        num_train, num_valid = (len(self.data.split[name]) for name in ('train', 'valid'))
        return (
            f'data      {self.data.annotations.describe()}; {num_train:,} to train on, {num_valid:,} to validate with'
        )

    def check_labels(self) -> List[Finding]:
        """Return the Findings of the checks that need no image."""
        data = self.data
        return (
            persons.check_lines(data.annotations.problems, len(self.persons), data.strict)
            + persons.check_split(data.split)
            + persons.check_joints(self.persons, data.skeleton, data.kept_joints)
            + persons.check_crops(self.persons, data.rule)
            + persons.check_scales(self.persons, data.rule)
            + sides.check_mirroring(data.skeleton, data.flip_prob, data.flip_test)
            + sides.check_sides(self.persons, data.skeleton, data.annotations.sources)
        )

    def check_images(self, all_of_them: bool, progress: Callable[[Any], Any] = iter) -> List[Finding]:
        """Return the Findings on images, after opening SAMPLED or all of them. progress: as in open_images."""
        data = self.data
        present = sorted({person.image_path for person in self.persons} - self.missing)
        self.opened = images.open_images(
            present if all_of_them else sample_of(present, SAMPLED), available_cores(), progress
        )
        findings = images.check_missing(self.persons, self.missing, data.strict, data.max_unreadable)
        findings += images.check_opened(self.persons, self.opened, data.max_unreadable)
        return findings + (images.check_copies(data.split, self.opened) if all_of_them else [])

    def check_run(
        self,
        plan: cost.RunPlan,
        parameters: int,
        variables: int,
        step_seconds: Optional[float] = None,
        num_steps: int = 0,
    ) -> List[Finding]:
        """Return the Findings on settings, disk space and time.

        parameters, variables: numbers of trained and of all values of the network. step_seconds: as cost.check_time
        takes it.
        """
        seconds, count = cost.measure_input(self.data.sample_maker, self.some_persons(SAMPLED))
        crops = [sample.crop for sample in self.samples(self.some_persons(8), augmented=True)[1]]
        return cost.check_settings(plan) + [
            cost.check_disk(plan, parameters, variables, cost.tile_bytes(crops)),
            cost.check_time(plan, seconds, count, step_seconds, num_steps),
        ]

    def some_persons(self, count: int) -> List[Person]:
        """Return at most `count` persons, spread evenly over those whose image could be read."""
        readable = {path for path, image in self.opened.items() if image.size_wh}
        return sample_of([person for person in self.persons if person.image_path in readable], count)

    def samples(self, chosen: Sequence[Person], augmented: bool) -> Tuple[List[Person], List[Any]]:
        """Return ([person], [Sample]) of the persons with a readable image, as in training or as in evaluation."""
        maker, kept, samples = self.data.sample_maker, [], []
        for index, person in enumerate(chosen):
            try:
                samples.append(
                    maker.training_sample(person, 0, index) if augmented else maker.evaluation_sample(person)
                )
                kept.append(person)
            except ImageError:
                continue
        return kept, samples

    def opened_text(self) -> str:
        """Return how many images were opened, such as 'all' or '32 of 1,000'."""
        total = len({person.image_path for person in self.persons})
        return 'all' if len(self.opened) == total else f'{len(self.opened):,} of {total:,}'
