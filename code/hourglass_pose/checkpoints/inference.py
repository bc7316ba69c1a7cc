"""InferenceRecord: the settings of a network that prediction needs, shared by checkpoints, exports and engines."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Dict, Optional, Tuple

import numpy as np

from hourglass_pose.errors import CheckpointError
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.representations.heatmap.numpy import HeatmapCodec
from hourglass_pose.representations.table import make_codec
from hourglass_pose.rules import is_number
from hourglass_pose.skeleton import Skeleton


@dataclass(frozen=True)
class InferenceRecord:
    """How the crops of a network are cut and how its output is decoded.

    joints: the J names, in the order of the maps. kept_joints: which of them were trained.
    input_size, heatmap_size: sides of the square input in pixels and of its maps in cells.
    loss, sigma, decoding: the representation of joints, as in make_codec.
    gives_probabilities: whether the network's output is the sigmoid of its logits.
    flip_test: whether the maps of the mirrored crop are averaged in.
    box_margin, crop_rule, crop_corners: as in CropRule.
    flip_pairs: pairs of joints that a mirrored image exchanges; None derives them from their names.
    gives_person: whether the network has the output `person`.
    train_crop, joints_margin: of the training crops, as in CropRule; what the person output takes for a whole person.
    mean_pose_crop: (J, 2) crop pixels, the mean pose of the training persons, None if it is not known.
    """

    joints: Tuple[str, ...]
    kept_joints: Tuple[bool, ...]
    input_size: int
    heatmap_size: int
    loss: str
    sigma: float
    decoding: str
    flip_test: bool
    box_margin: float
    # Older checkpoints, from before the second rule, do not record it.
    crop_rule: str = 'box'
    crop_corners: str = 'exact'
    mean_pose_crop: Optional[Tuple[Tuple[float, float], ...]] = None
    gives_probabilities: bool = False
    flip_pairs: Optional[Tuple[Tuple[str, str], ...]] = None
    gives_person: bool = False
    train_crop: str = 'box'
    joints_margin: float = 0.16

    @classmethod
    def from_dict(cls, values: Dict[str, Any], **network: Any) -> 'InferenceRecord':
        """Return the record of a JSON object.

        network: input_size, heatmap_size and gives_probabilities, for objects of earlier versions, which lack them.
        Fields that this version does not know are ignored.
        Raises CheckpointError for an object that lacks a field or has a value that no network has.
        """
        known = {field.name for field in fields(cls)}
        try:
            merged = {key: value for key, value in {**network, **values}.items() if key in known}
            merged['joints'] = tuple(merged['joints'])
            merged['kept_joints'] = tuple(bool(kept) for kept in merged['kept_joints'])
            if merged.get('mean_pose_crop') is not None:
                merged['mean_pose_crop'] = tuple((float(x), float(y)) for x, y in merged['mean_pose_crop'])
            if merged.get('flip_pairs') is not None:
                merged['flip_pairs'] = tuple((str(first), str(second)) for first, second in merged['flip_pairs'])
            record = cls(**merged)
            record._check()
            return record
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckpointError(f'the inference record cannot be read ({type(error).__name__}: {error})')

    def _check(self) -> None:
        """Raise ValueError or TypeError for values that no network has."""
        lengths = [len(values) for values in (self.joints, self.kept_joints, self.mean_pose_crop) if values is not None]
        texts = (*self.joints, self.loss, self.decoding, self.crop_rule, self.crop_corners, self.train_crop)
        is_sound = (
            len(set(lengths)) == 1
            and all(isinstance(text, str) for text in texts)
            and all(type(size) is int and size > 0 for size in (self.input_size, self.heatmap_size))
            and all(is_number(value, -1) for value in (self.sigma, self.box_margin, self.joints_margin))
        )
        if not is_sound:
            raise ValueError('numbers, texts or lengths that no network has')
        self.skeleton()
        self.codec()

    def as_dict(self) -> Dict[str, Any]:
        """Return a JSON-able dict that `from_dict` reads as an equal record."""
        mean_pose = None if self.mean_pose_crop is None else [list(point) for point in self.mean_pose_crop]
        pairs = None if self.flip_pairs is None else [list(pair) for pair in self.flip_pairs]
        return dict(
            asdict(self),
            joints=list(self.joints),
            kept_joints=list(self.kept_joints),
            mean_pose_crop=mean_pose,
            flip_pairs=pairs,
        )

    def replaced(self, **values: Any) -> 'InferenceRecord':
        """Return a copy with other values of some fields; None keeps a field."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def skeleton(self) -> Skeleton:
        """Return the Skeleton of the joints."""
        return Skeleton(self.joints, self.flip_pairs)

    def codec(self) -> HeatmapCodec:
        """Return the HeatmapCodec that reads the network's maps."""
        return make_codec(self.heatmap_size, self.input_size // self.heatmap_size, self.sigma, self.loss, self.decoding)

    def rule(self) -> CropRule:
        """Return the CropRule of the network."""
        return CropRule(
            self.input_size, self.box_margin, self.train_crop, self.joints_margin, self.crop_rule, self.crop_corners
        )

    def logits_of_output(self, output: np.ndarray) -> np.ndarray:
        """Return the logits of a network's output, which may be their sigmoid."""
        if not self.gives_probabilities:
            return output
        inner = np.clip(np.asarray(output, np.float64), 1e-12, 1 - 1e-12)
        return (np.log(inner) - np.log1p(-inner)).astype(np.float32)
