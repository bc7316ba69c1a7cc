"""From a checked Config to the parts of a run: skeleton, hyperparameters, codec, crops, split and generators."""

from typing import Any, Callable, Dict, Optional, Sequence

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.annotations.person_table import source_numbers
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.annotations.splits import split_hash, split_persons
from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.checkpoints.opening import open_checkpoint
from hourglass_pose.checkpoints.stored import StoredNetwork, check_teacher
from hourglass_pose.config.config import Config
from hourglass_pose.experiment.packed_data import crop_rule, require_room
from hourglass_pose.graph.hyperparameters import Hyperparameters
from hourglass_pose.input.augmentations.table import SETTINGS
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.input.negatives import NegativeViews
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.input.samples import SampleMaker
from hourglass_pose.representations.table import make_codec
from hourglass_pose.skeleton import Skeleton, require_sides


class Experiment:
    """The parts of a run that follow from a Config; `split` reads the annotations when it is first called.

    report: function that shows a line.
    """

    def __init__(self, config: Config, report: Callable[[str], Any] = print) -> None:
        self.config = config
        self.report = report
        data, network = config.DataSetHG, config.Network
        self.skeleton = Skeleton(data.joint_list, data.flip_pairs)
        self.kept_joints = np.array(data.remove_joints or [1] * len(self.skeleton), bool)
        self.rule = crop_rule(config)
        self.codec = make_codec(
            network.hm_size,
            network.img_size // network.hm_size,
            config.Train.sigma,
            config.Train.loss,
            config.Validation.decoding,
        )
        self.augmentation = {setting.name: getattr(data, setting.name) for setting in SETTINGS}
        self.cache = ImageCache(config.Train.cache_mb)
        self._split: Optional[Dict[str, Sequence[Person]]] = None

    def hyperparameters(self) -> Hyperparameters:
        """Return the hyperparameters of the network."""
        return self.config.hyperparameters()

    def split(self) -> Dict[str, Sequence[Person]]:
        """Return {'train': persons, 'valid': persons}. Raises AnnotationError."""
        if self._split is None:
            data = self.config.DataSetHG
            require_room(self.config)
            annotations = read_annotations(
                data.training_txt_file,
                data.img_directory,
                len(self.skeleton),
                data.on_bad_annotation,
                joint_names=self.skeleton.joints,
                needs_centre=self.rule.needs_centre,
            )
            for problem in annotations.problems:
                self.report(f'left out: {problem}')
            self._split = split_persons(annotations.persons, data.valid_fraction, data.split_seed, data.split_by)
            num_train, num_valid = len(self._split['train']), len(self._split['valid'])
            self.report(f'data: {annotations.describe()}; {num_train} to train on, {num_valid} to validate with')
        return self._split

    def generator(
        self, persons: Sequence[Person], batch_size: int, rank: int = 0, world_size: int = 1
    ) -> DataGenerator:
        """Return the DataGenerator of some persons."""
        data, train = self.config.DataSetHG, self.config.Train
        negatives = (
            NegativeViews(persons, self.rule, data.negative_prob) if self.hyperparameters().gives_person else None
        )
        maker = SampleMaker(
            self.cache,
            self.rule,
            self.skeleton.flip_permutation,
            self.kept_joints,
            self.augmentation,
            train.seed,
            train.weighted_loss,
            negatives=negatives,
        )
        return DataGenerator(
            persons,
            maker,
            batch_size,
            train.seed,
            rank,
            world_size,
            train.workers,
            train.prefetch,
            data.max_unreadable,
            lambda message: self.report(f'left out: {message}'),
            repeats=data.training_repeats and np.array(data.training_repeats)[source_numbers(persons)],
        )

    def inference_record(self, mean_pose_crop: Optional[np.ndarray]) -> InferenceRecord:
        """Return what prediction must know of the training. mean_pose_crop: (J, 2) crop pixels, None if unknown."""
        train, validation, hyperparameters = self.config.Train, self.config.Validation, self.hyperparameters()
        return InferenceRecord(
            joints=self.skeleton.joints,
            flip_pairs=self.skeleton.flip_pairs,
            kept_joints=tuple(self.kept_joints.tolist()),
            input_size=hyperparameters.input_size,
            heatmap_size=hyperparameters.heatmap_size,
            loss=train.loss,
            sigma=train.sigma,
            decoding=validation.decoding,
            flip_test=validation.flip_test,
            box_margin=self.rule.box_margin,
            crop_rule=self.rule.crop_rule,
            crop_corners=self.rule.corners,
            mean_pose_crop=None if mean_pose_crop is None else tuple(map(tuple, np.asarray(mean_pose_crop).tolist())),
            gives_probabilities=hyperparameters.gives_probabilities,
            gives_person=hyperparameters.gives_person,
            train_crop=self.rule.train_crop,
            joints_margin=self.rule.joints_margin,
        )

    def teacher(self) -> Optional[StoredNetwork]:
        """Return the network that Train.teacher names, None without one.

        Raises CheckpointError if there is none, or if it cannot teach this one.
        """
        train = self.config.Train
        if train.teacher is None:
            return None
        stored = open_checkpoint(train.teacher)
        trained = [joint for joint, is_kept in zip(self.skeleton.joints, self.kept_joints) if is_kept]
        check_teacher(stored, train.loss, trained)
        return stored

    def require_sides(self) -> None:
        """Raise ConfigError if training or validation mirrors images and no joint has a known partner."""
        require_sides(self.skeleton, self.config.DataSetHG.flip_prob, self.config.Validation.flip_test)

    def split_hash(self) -> str:
        """Return the digest of the training persons and the validation persons."""
        return split_hash(self.split())
