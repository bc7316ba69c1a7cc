"""Predictor: a trained network opened for photos: joints in photo pixels, or the raw heatmaps of crops."""

import os
import sys
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.checkpoints.exported import SHIPPED_NOTE, ExportedModel, shipped_network
from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.checkpoints.opening import open_network
from hourglass_pose.errors import UserError
from hourglass_pose.evaluation.evaluator import flip_averaged_maps
from hourglass_pose.evaluation.passes import run_in_passes
from hourglass_pose.images import read_image
from hourglass_pose.input.cropping import warp_crop
from hourglass_pose.prediction.engine import Engine
from hourglass_pose.prediction.finding import FindingNetwork, Look, find_persons
from hourglass_pose.prediction.onnx_engine import OnnxEngine
from hourglass_pose.prediction.pose import Pose, box_in_photo

# Interpolation can give floats slightly below 0 or above 1; bytes that were only cast to float are far above.
_LEAST_FLOAT, _LARGEST_FLOAT = -0.5, 1.5

# Least scores of a person with the network's own output for it, and by the joints' scores alone.
_LEAST_PERSON_SCORE, _LEAST_MAP_SCORE = 0.5, 0.3

Box = Sequence[float]
Cut = Tuple[np.ndarray, np.ndarray, np.ndarray]
"""Crop uint8 (S, S, 3), affine_crop_from_img (2, 3) and box_img (4,) of a person in a photo."""


class Predictor:
    """A trained network that is ready to predict.

    checkpoint: None for the network that ships with the package, which a line on standard error says; a run folder or
    a checkpoint in it, such as 'runs/x/latest'; the prefix of a checkpoint of the original
    TensorFlow 1 code, such as 'hg_200'; weights of a PyTorch hourglass; or an ONNX model that `export` made, such as
    'hourglass.onnx', which onnxruntime or OpenCV runs on the CPU. For every kind except ONNX, TensorFlow is loaded, and
    eager execution, resource variables and the second version of control flow are turned off for the whole process. If
    other code in the process uses TensorFlow 2, open such a checkpoint in a separate process.
    flip_test, decoding: None for what the checkpoint was validated with. crop_rule: 'box' or 'centre_scale', None for
    what it was trained with. device, precision: as in config.cfg [Device]. batch_size: persons that the network takes
    at once, None for what the device is fastest with; results depend on it by rounding errors only.
    hyperparameters, inference: replace what is derived from the variables of a checkpoint of the original code, for
    instance `modif` or the names of the joints; see checkpoints/original.py. folds_batch_norms: see TensorFlowEngine.
    Raises CheckpointError for a checkpoint that cannot be used.
    """

    def __init__(
        self,
        checkpoint: Union[str, 'os.PathLike[str]', None] = None,
        flip_test: Optional[bool] = None,
        decoding: Optional[str] = None,
        device: str = 'auto',
        precision: str = 'float32',
        batch_size: Optional[int] = None,
        hyperparameters: Any = None,
        inference: Optional[InferenceRecord] = None,
        crop_rule: Optional[str] = None,
        folds_batch_norms: bool = True,
    ) -> None:
        if checkpoint is None:
            checkpoint = shipped_network()
            print(SHIPPED_NOTE, file=sys.stderr)
        self.stored, self.engine = _open(checkpoint, device, precision, batch_size, hyperparameters, folds_batch_norms)
        trained = inference or self.stored.inference
        self.inference = trained.replaced(decoding=decoding, crop_rule=crop_rule)
        self.flip_test = trained.flip_test if flip_test is None else flip_test
        self.skeleton = self.inference.skeleton()
        self.codec = self.inference.codec()
        self.rule = self.inference.rule()
        self.kept_joints = np.array(self.inference.kept_joints, bool)
        if decoding is not None and not self.codec.searches_peak:
            raise UserError(
                f'{self.stored.path}: decoding {decoding!r}: this network was trained by loss {self.codec.loss!r}, '
                'which takes the mean cell of a map and searches no peak; leave decoding out'
            )
        if flip_test or decoding not in (None, trained.decoding):
            self._require_maps()
        # The flip test averages heatmaps.
        self.flip_test = self.flip_test and not self.engine.gives_joints
        self.engine.prepare(self._crops_per_person)
        # In crops by another rule the mean pose of training has other coordinates.
        same_rule = self.rule.crop_rule == trained.crop_rule and trained.mean_pose_crop is not None
        self.mean_pose_crop = np.array(trained.mean_pose_crop) if same_rule else None

    def _require_maps(self) -> None:
        """Raise UserError for a model that outputs joints instead of heatmaps."""
        if self.engine.gives_joints:
            raise UserError(
                f'{self.stored.path}: this model outputs joints instead of heatmaps, so it has no heatmaps, no '
                f"flip test and no other decoding than '{self.stored.inference.decoding}'; export without --decode"
            )

    @property
    def _crops_per_person(self) -> int:
        return 2 if self.flip_test else 1

    @property
    def batch_size(self) -> int:
        """Persons that the network takes at once."""
        return self.engine.batch_size

    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        """Return the unprocessed output of every stack of the network, float32 (N, S, H, W, J).

        crops: (N, input_size, input_size, 3) RGB, float in [0, 1] or uint8. Raises ValueError for another shape, type
        or range.
        """
        self._require_maps()
        return self._run(self.engine.run_stacks, crops)[0]

    def last_logits(self, crops: np.ndarray) -> np.ndarray:
        """Return the last stack's logits (N, H, W, J) of crops, as the Evaluator takes them; crops as in heatmaps."""
        self._require_maps()
        return self._run(self.engine.run, crops)[0]

    @staticmethod
    def _checked_image(image: Union[str, 'os.PathLike[str]', np.ndarray]) -> np.ndarray:
        if not isinstance(image, np.ndarray):
            return read_image(os.fspath(image))
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f'image: expected uint8 RGB (H, W, 3), found {image.dtype} {image.shape}')
        return image

    def _run(self, run: Callable[[np.ndarray], List[np.ndarray]], crops: np.ndarray) -> List[np.ndarray]:
        return run_in_passes(run, self._checked(crops), self.engine.pass_sizes(self._crops_per_person))

    def _checked(self, crops: np.ndarray) -> np.ndarray:
        crops = np.asarray(crops)
        size = self.inference.input_size
        if crops.shape[1:] != (size, size, 3):
            raise ValueError(f'crops: expected (N, {size}, {size}, 3), found {crops.shape}')
        if crops.dtype == np.uint8:
            return crops
        if crops.dtype.kind != 'f':
            raise ValueError(f'crops: expected float in [0, 1] or uint8, found {crops.dtype}')
        if crops.size and not (crops.min() >= _LEAST_FLOAT and crops.max() <= _LARGEST_FLOAT):
            raise ValueError(
                f'crops: expected floats in [0, 1], found {crops.min():g} to {crops.max():g}; '
                'divide by 255, or give uint8'
            )
        return crops.astype(np.float32)

    def predict(self, image: Union[str, 'os.PathLike[str]', np.ndarray], box: Optional[Box] = None) -> Pose:
        """Return the Pose of one person.

        image: path of a photo, or uint8 RGB (H, W, 3). box: (x, y, width, height) of the person in photo pixels,
        None for the whole photo. Raises ImageError for a photo that cannot be read, UserError for a box without
        area or outside of the photo, ValueError for an array of another shape or type.
        """
        return self.predict_boxes(image, [box])[0]

    def predict_boxes(
        self, image: Union[str, 'os.PathLike[str]', np.ndarray], boxes: Sequence[Optional[Box]]
    ) -> List[Pose]:
        """Return the Poses of the persons in some boxes of one photo; the arguments are those of `predict`."""
        image = self._checked_image(image)
        return self.poses_of([self.cut(image, box) for box in boxes])

    def cut(self, image: np.ndarray, box: Optional[Box] = None) -> Cut:
        """Return the Cut of a person in a photo. image: an array. box, and the exceptions: as in `predict`."""
        image = self._checked_image(image)
        box_img = box_in_photo(box, image.shape[1], image.shape[0])
        affine = self.rule.evaluation_affine(box_img)
        return warp_crop(image, affine, self.rule.crop_size), affine, box_img

    def find(
        self,
        image: Union[str, 'os.PathLike[str]', np.ndarray],
        max_persons: Optional[int] = None,
        min_person_score: Optional[float] = None,
    ) -> List[Pose]:
        """Return the Poses of the persons in a photo, the highest score first; [] if there are none.

        image: as in `predict`. max_persons: None for all. min_person_score: persons with a lower score are left out,
        None for the default of the network's kind, see `default_person_score`.
        """
        image = self._checked_image(image)
        usual = self.default_person_score
        network = FindingNetwork(self.look, self.skeleton, self.rule, self.kept_joints, self.flip_test, usual)
        least = usual if min_person_score is None else min_person_score
        return find_persons(image, network, least, max_persons)

    @property
    def default_person_score(self) -> float:
        """The least score of a person that `find` returns, unless another is given."""
        return _LEAST_PERSON_SCORE if self.inference.gives_person else _LEAST_MAP_SCORE

    def poses_of(self, cuts: Sequence[Cut]) -> List[Pose]:
        """Return the Poses of persons that `cut` gave, of one photo or of several."""
        if not cuts:
            return []
        crops, affines, boxes = zip(*cuts)
        look = self.look(np.stack(crops), self.flip_test)
        joints_img = geometry.image_from_crops(affines, look.joints_crop)
        return [
            Pose(self.skeleton.joints, joints, scores, box_img, float(person_score))
            for joints, scores, box_img, person_score in zip(joints_img, look.scores, boxes, look.person_scores)
        ]

    def look(self, crops: np.ndarray, flip_test: bool) -> Look:
        """Return the Look of uint8 crops (N, S, S, 3); flip_test: whether it is averaged with the mirrored crops.

        A person's score is the mean of the joints' comparable scores, or, where the network has an output for it, the
        geometric mean of this and of the sigmoid of that output: a person with doubtful joints is a doubtful find.
        """
        outputs: List[List[np.ndarray]] = []

        def last_logits(crops: np.ndarray) -> np.ndarray:
            outputs.append(self._run(self.engine.run, crops))
            return outputs[0][0]

        if self.engine.gives_joints:
            joints_crop, scores = last_logits(crops).astype(np.float64), outputs[0][1]
        else:
            flips = flip_test, self.skeleton.flip_permutation
            joints_crop, scores = self.codec.decode(flip_averaged_maps(last_logits, self.codec, crops, *flips))
        by_maps = self.codec.comparable_scores(scores[:, self.kept_joints]).mean(axis=1, dtype=np.float64)
        if not self.inference.gives_person:
            return Look(joints_crop, scores, by_maps)
        # A crop and its mirror image are adjacent.
        logits = outputs[0][-1].reshape((len(crops), -1)).mean(axis=1, dtype=np.float64)
        return Look(joints_crop, scores, np.sqrt(by_maps / (1 + np.exp(-np.clip(logits, -80, 80)))))

    def close(self) -> None:
        """Release the device."""
        self.engine.close()

    def __enter__(self) -> 'Predictor':
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _open(
    checkpoint: Union[str, 'os.PathLike[str]'],
    device: str,
    precision: str,
    batch_size: Optional[int],
    hyperparameters: Any,
    folds_batch_norms: bool,
) -> Tuple[Any, Engine]:
    """Return (StoredNetwork or ExportedModel, its Engine). TensorFlow is imported for the first kind only."""
    stored = open_network(os.fspath(checkpoint))
    if isinstance(stored, ExportedModel):
        if device in ('gpu', 'npu') or precision == 'mixed':
            raise UserError(
                f'{stored.path}: an ONNX model runs on the CPU in float32; leave out the device and the precision, or '
                'give the checkpoint'
            )
        return stored, OnnxEngine(stored)
    from hourglass_pose.prediction.tensorflow_engine import TensorFlowEngine

    return stored, TensorFlowEngine(
        stored, hyperparameters or stored.hyperparameters, device, precision, batch_size, folds_batch_norms
    )
