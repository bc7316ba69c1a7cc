"""find_persons: the persons of a photo, by windows all over it and by cropping again around the joints found."""

from dataclasses import dataclass, replace
from typing import Callable, List, NamedTuple, Optional, Sequence, Union

import numpy as np

from hourglass_pose import geometry
from hourglass_pose.input.cropping import CropRule, warp_crop
from hourglass_pose.prediction.pose import Pose
from hourglass_pose.prediction.similarity import known_sigmas, pose_similarities
from hourglass_pose.prediction.windows import cut_windows
from hourglass_pose.skeleton import Skeleton

_MOST_CANDIDATES = 24  # windows that are looked at more closely
# Crops around the joints of a window before the final one. In a window, a person may be too large, too small or not in
# the middle, so the first of these crops shows much of it and the second all of it. Other sizes of crops, of which the
# one with the best score is taken, find fewer persons: the score tells little of the size.
_ROUNDS = 2
_FINAL_SIZES = (0.87, 1.0, 1.15)  # of the final crops, relative to the usual one
_WINDOW_SHARE = 0.2  # a window's least score, as a share of the usual least score of a person
# A person is in several windows. A score of this share of a window's least says to look at the windows beside it.
_HINT_SHARE = 0.3
_SAME_PERSON = 0.35  # OKS of two poses of one person
# OKS of two poses of which one is looked at more closely. The one with the lower score may be that of the person.
_SAME_CANDIDATE = 0.6

# Side of the crop / longer side of the joints' tight box, where crops are the boxes of whole images, see
# configs/lsp_30min.cfg; and longer side of a person's box / that of its joints' tight box.
_LEAST_PADDING = 1.32
_BOX_OF_JOINTS = 1.1


class Look(NamedTuple):
    """What a network gives for N crops: joints_crop (N, J, 2), scores (N, J), person_scores (N,) in [0, 1]."""

    joints_crop: np.ndarray
    scores: np.ndarray
    person_scores: np.ndarray


@dataclass(frozen=True, eq=False)
class FindingNetwork:
    """A network for find_persons.

    look: function of crops (N, S, S, 3) uint8, and of whether to average with the mirrored crops, to a Look.
    rule: of its crops. kept_joints: bool (J,), those that the network was trained on. flip_test: whether final poses
    are averaged so. usual_least_score: of persons.
    """

    look: Callable[[np.ndarray, bool], Look]
    skeleton: Skeleton
    rule: CropRule
    kept_joints: np.ndarray
    flip_test: bool
    usual_least_score: float


@dataclass(frozen=True, eq=False)
class _Found:
    """Poses in a photo: joints_img (N, J, 2), scores (N, J), person_scores (N,), boxes_img (N, 4) of their crops."""

    joints_img: np.ndarray
    scores: np.ndarray
    person_scores: np.ndarray
    boxes_img: np.ndarray

    def chosen(self, rows: Union[np.ndarray, slice]) -> '_Found':
        return _Found(self.joints_img[rows], self.scores[rows], self.person_scores[rows], self.boxes_img[rows])

    def at_least(self, person_score: float) -> '_Found':
        return self.chosen(self.person_scores >= person_score)


def find_persons(
    image: np.ndarray, network: FindingNetwork, min_person_score: float, max_persons: Optional[int] = None
) -> List[Pose]:
    """Return the Poses of the persons in a photo, the highest score first.

    The network looks at windows of several sizes and positions: at every other one, and where these hint at a person,
    at those between. The best of them are cropped again around the joints found there, twice, and once more, at three
    sizes, for the final pose: the median of their joints and the mean of their scores. Of poses of one person the best
    remains. A score is the square root of the product of three numbers: the scores of the final crops and of the crop
    before, and the OKS of the poses in them. The joints of a person stay where they are when the crop changes a little,
    joints found in the background do not.

    Args:
        image: (H, W, 3) uint8 RGB.
        min_person_score: persons with a lower score are left out.
        max_persons: largest number of persons, None for all.
    """
    # A person who is not in the centre of any window has a lower score there.
    least = min(min_person_score, _WINDOW_SHARE * network.usual_least_score)
    found = _look_everywhere(image, network, _HINT_SHARE * least).at_least(least)
    found = _distinct(found, network, _SAME_CANDIDATE).chosen(slice(_MOST_CANDIDATES))
    for _ in range(_ROUNDS):
        found = _distinct(_look_closer(image, found, network, False), network)
    # The other two factors of a score are at most 1.
    found = found.at_least(min_person_score**2)
    final = _look_closer(image, found, network, network.flip_test, _FINAL_SIZES)
    stable = np.diagonal(_similar(final.joints_img, found.joints_img, network))
    scores = np.sqrt(final.person_scores * found.person_scores * stable)
    found = _distinct(replace(final, person_scores=scores), network).at_least(min_person_score)
    found = found.chosen(slice(max_persons))
    return [
        Pose(
            network.skeleton.joints,
            found.joints_img[row],
            found.scores[row],
            found.boxes_img[row],
            float(found.person_scores[row]),
        )
        for row in range(len(found.scores))
    ]


def crop_padding(rule: CropRule) -> float:
    """Return the usual ratio of the side of a crop by a rule to the longer side of the tight box of its joints."""
    if rule.train_crop == 'joints' and not rule.needs_centre:
        return 1 + 2 * rule.joints_margin
    # In centre and scale it is measured, see BARE_BOX_MARGIN.
    growth = 1.0 if rule.needs_centre else _BOX_OF_JOINTS
    return max(_LEAST_PADDING, growth * (1 + 2 * rule.bare_box_margin))


def box_around(joints_img: np.ndarray, rule: CropRule) -> np.ndarray:
    """Return box_img (4,) whose crop by a rule shows the person with these joints (J, 2) as in training."""
    x0, y0 = joints_img.min(axis=0)
    x1, y1 = joints_img.max(axis=0)
    growth = crop_padding(rule) / (1 + 2 * rule.bare_box_margin)
    centre = np.array([x0 + x1, y0 + y1]) / 2
    # The first and the last pixel are centres of pixels, so they are one less apart than the box is long.
    half = (np.maximum([x1 - x0, y1 - y0], 1.0) * growth - 1) / 2
    return np.concatenate([centre - half, centre + half])


def _look_everywhere(image: np.ndarray, network: FindingNetwork, hint_score: float) -> _Found:
    """Return the poses in every other window of a photo, and in those beside a window with the score of a hint."""
    windows = cut_windows(image, network.rule.crop_size, crop_padding(network.rule))
    seen = np.flatnonzero(windows.white)
    looks = [network.look(windows.crops[seen], False)]
    # Beside a white square, all are black.
    rest = windows.beside(seen[looks[0].person_scores >= hint_score])
    if len(rest):
        looks.append(network.look(windows.crops[rest], False))
    look = Look(*[np.concatenate(parts) for parts in zip(*looks)])
    affines = windows.affines_crop_from_img[np.concatenate([seen, rest])]
    joints_img = geometry.image_from_crops(affines, look.joints_crop)
    return _Found(joints_img, look.scores, look.person_scores, np.zeros((len(affines), 4)))


def _look_closer(
    image: np.ndarray, found: _Found, network: FindingNetwork, flip_test: bool, sizes: Sequence[float] = (1.0,)
) -> _Found:
    """Return the poses in the crops around the joints of each pose: the median of those in crops of several sizes."""
    if not len(found.scores):
        return found
    size = network.rule.crop_size
    boxes = np.stack([box_around(joints[network.kept_joints], network.rule) for joints in found.joints_img])
    usual = [network.rule.evaluation_affine(box) for box in boxes]
    # A larger crop shows its content smaller.
    affines = np.stack([geometry.compose(geometry.zoom_affine(1 / each, size), one) for each in sizes for one in usual])
    look = network.look(np.stack([warp_crop(image, affine, size) for affine in affines]), flip_test)
    joints, scores, person_scores = [
        values.reshape((len(sizes), len(boxes)) + values.shape[1:])
        for values in (geometry.image_from_crops(affines, look.joints_crop), look.scores, look.person_scores)
    ]
    return _Found(np.median(joints, axis=0), scores.mean(axis=0), person_scores.mean(axis=0), boxes)


def _distinct(found: _Found, network: FindingNetwork, same: float = _SAME_PERSON) -> _Found:
    """Return the poses by descending person score, without those that have an OKS above `same` with a better one."""
    order = np.argsort(-found.person_scores, kind='stable')
    found = found.chosen(order)
    if not len(order):
        return found
    similar = _similar(found.joints_img, found.joints_img, network)
    kept: List[int] = []
    for row in range(len(order)):
        if not (similar[row, kept] > same).any():
            kept.append(row)
    return found.chosen(np.array(kept))


def _similar(joints_img: np.ndarray, others_img: np.ndarray, network: FindingNetwork) -> np.ndarray:
    """Return float64 (D, G): the OKS of poses (D, J, 2) and others (G, J, 2), by the larger of the two sizes."""
    kept = network.kept_joints
    sigmas = known_sigmas(network.skeleton.oks_sigmas[kept])
    joints, others = joints_img[:, kept], others_img[:, kept]
    # By the size of the larger pose, a part of a person is also that person.
    return np.maximum(pose_similarities(joints, others, sigmas), pose_similarities(others, joints, sigmas).T)
