"""Skeletons as data: joint names and order, left/right partners, limbs, table groups, sizes and OKS sigmas.

Left and right are those of the person in the photo, as in MPII (Andriluka et al. 2014).
"""

from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

import numpy as np

from hourglass_pose.errors import ConfigError
from hourglass_pose.joint_names import derived_partners, given_partners, mended, role_of, split_sides

MPII_JOINTS = (
    'r_ankle',
    'r_knee',
    'r_hip',
    'l_hip',
    'l_knee',
    'l_ankle',
    'pelvis',
    'thorax',
    'neck',
    'head',
    'r_wrist',
    'r_elbow',
    'r_shoulder',
    'l_shoulder',
    'l_elbow',
    'l_wrist',
)

# The names and the order of "keypoints" in COCO's annotations.
COCO_JOINTS = (
    'nose',
    'left_eye',
    'right_eye',
    'left_ear',
    'right_ear',
    'left_shoulder',
    'right_shoulder',
    'left_elbow',
    'right_elbow',
    'left_wrist',
    'right_wrist',
    'left_hip',
    'right_hip',
    'left_knee',
    'right_knee',
    'left_ankle',
    'right_ankle',
)

LSP_JOINTS = (
    'r_ankle',
    'r_knee',
    'r_hip',
    'l_hip',
    'l_knee',
    'l_ankle',
    'r_wrist',
    'r_elbow',
    'r_shoulder',
    'l_shoulder',
    'l_elbow',
    'l_wrist',
    'neck',
    'head',
)

# (joint, joint, joints that replace this limb): the limb is left out where the skeleton has one of the last.
_LIMBS = (
    ('r_ankle', 'r_knee', ()),
    ('r_knee', 'r_hip', ()),
    ('r_hip', 'pelvis', ()),
    ('l_ankle', 'l_knee', ()),
    ('l_knee', 'l_hip', ()),
    ('l_hip', 'pelvis', ()),
    ('pelvis', 'thorax', ()),
    ('thorax', 'neck', ()),
    ('neck', 'head', ()),
    ('r_wrist', 'r_elbow', ()),
    ('r_elbow', 'r_shoulder', ()),
    ('r_shoulder', 'thorax', ()),
    ('l_wrist', 'l_elbow', ()),
    ('l_elbow', 'l_shoulder', ()),
    ('l_shoulder', 'thorax', ()),
    ('r_shoulder', 'neck', ('thorax',)),
    ('l_shoulder', 'neck', ('thorax',)),
    ('r_shoulder', 'l_shoulder', ('thorax', 'neck')),
    ('r_hip', 'l_hip', ('pelvis',)),
    ('r_shoulder', 'r_hip', ('pelvis',)),
    ('l_shoulder', 'l_hip', ('pelvis',)),
    ('nose', 'r_eye', ()),
    ('nose', 'l_eye', ()),
    ('r_eye', 'r_ear', ()),
    ('l_eye', 'l_ear', ()),
)

# The rows of the PCKh tables in the literature. As in MPII's evaluation, 'head' is the head top alone: the
# neck counts in the mean only, pelvis and thorax in neither. 'face' holds COCO's five facial keypoints.
_GROUPS = (
    ('head', ('head',)),
    ('face', ('nose', 'r_eye', 'l_eye', 'r_ear', 'l_ear')),
    ('shoulder', ('r_shoulder', 'l_shoulder')),
    ('elbow', ('r_elbow', 'l_elbow')),
    ('wrist', ('r_wrist', 'l_wrist')),
    ('hip', ('r_hip', 'l_hip')),
    ('knee', ('r_knee', 'l_knee')),
    ('ankle', ('r_ankle', 'l_ankle')),
)

_NOT_IN_MEAN = ('pelvis', 'thorax')

_HEAD = ('neck', 'head')

# Torso diameter |left shoulder - right hip| as in MPII's and Yang's evaluations of LSP, after Sapp & Taskar 2013.
# The second pair, its mirror image, is for persons who lack a joint of the first.
TORSO_ENDS = (('l_shoulder', 'r_hip'), ('r_shoulder', 'l_hip'))

# Per-joint constants of the object keypoint similarity, by joint name without its side. The first nine are COCO's
# (pycocotools, cocoeval.py), head and neck those of CrowdPose (Li et al. 2019, crowdposetools). None are published
# for MPII's pelvis and thorax; they take the values of the hips and the shoulders, between which they lie.
_OKS_SIGMAS = {
    'nose': 0.026,
    'eye': 0.025,
    'ear': 0.035,
    'shoulder': 0.079,
    'elbow': 0.072,
    'wrist': 0.062,
    'hip': 0.107,
    'knee': 0.087,
    'ankle': 0.089,
    'head': 0.079,
    'neck': 0.079,
    'pelvis': 0.107,
    'thorax': 0.079,
}


@dataclass(frozen=True)
class Skeleton:
    """An ordered set of named joints, and the properties that follow from their names.

    joints: J names. Right/left partners are found for every usual spelling: r_x/l_x, right_x/left_x, x_r/x_l,
        RightX/LeftX, RX/LX, rightX/leftX, and elsewhere in a name where both sides exist: rx/lx, RIGHTX/LEFTX,
        front_right_x/front_left_x, br_x/bl_x.
    flip_pairs: pairs of names that a horizontal flip exchanges; () for none. None derives them from the names.
    Raises ValueError for no joints, a repeated name, and a pair that does not fit the joints.
    """

    joints: Tuple[str, ...] = MPII_JOINTS
    flip_pairs: Optional[Tuple[Tuple[str, str], ...]] = None

    # Derived: side ('right', 'left' or '') and partner's index of each joint; joint index by its name in the tables
    # above.
    _sides: Tuple[str, ...] = field(init=False, repr=False, compare=False)
    _partners: Tuple[int, ...] = field(init=False, repr=False, compare=False)
    _roles: Dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = tuple(mended(name) for name in self.joints)
        if not names:
            raise ValueError('a skeleton needs at least one joint')
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f'joint named twice: {", ".join(repeated)}')
        object.__setattr__(self, 'joints', names)
        sides = split_sides(names)
        roles: Dict[str, int] = {}
        for index, (side, rest) in enumerate(sides):
            roles.setdefault(role_of(side, rest), index)
        object.__setattr__(self, '_sides', tuple(side for side, _ in sides))
        object.__setattr__(self, '_roles', roles)
        if self.flip_pairs is None:
            partners = derived_partners(sides)
        else:
            pairs = tuple((mended(a), mended(b)) for a, b in self.flip_pairs)
            object.__setattr__(self, 'flip_pairs', pairs)
            partners = given_partners(names, pairs)
        object.__setattr__(self, '_partners', partners)

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, name: str) -> Optional[int]:
        """Return the index of a joint, or None where the skeleton lacks it.

        A joint of the body is also found under other usual spellings: 'r_wrist' finds 'right_wrist' and 'RWrist'.
        """
        if name in self.joints:
            return self.joints.index(name)
        side, rest = split_sides((name,))[0]
        return self._roles.get(role_of(side, rest))

    @property
    def flip_permutation(self) -> np.ndarray:
        """int64 (J,): in the mirrored image, joint j is what joint flip_permutation[j] was."""
        return np.array(self._partners, np.int64)

    @property
    def has_sides(self) -> bool:
        """Whether some joint has a left/right partner."""
        return any(partner != index for index, partner in enumerate(self._partners))

    @property
    def unpaired(self) -> Tuple[str, ...]:
        """Names of joints with a side that have no partner."""
        return tuple(
            name
            for index, (name, side) in enumerate(zip(self.joints, self._sides))
            if side and self._partners[index] == index
        )

    @property
    def limbs(self) -> Tuple[Tuple[int, int], ...]:
        """Pairs of joint indices that are joined by a line when a pose is rendered."""
        return tuple(
            (self._roles[a], self._roles[b])
            for a, b, instead in _LIMBS
            if a in self._roles and b in self._roles and not any(name in self._roles for name in instead)
        )

    @property
    def groups(self) -> Dict[str, np.ndarray]:
        """{PCKh group name: int64 array of joint indices}; groups without joints are left out."""
        groups = {}
        for group, names in _GROUPS:
            indices = [self._roles[name] for name in names if name in self._roles]
            if indices:
                groups[group] = np.array(indices, np.int64)
        return groups

    @property
    def mean_joints(self) -> np.ndarray:
        """int64 array: joints that count in a mean, all but pelvis and thorax (as in MPII's evaluation)."""
        left_out = {self._roles.get(name) for name in _NOT_IN_MEAN}
        kept = [index for index in range(len(self)) if index not in left_out]
        return np.array(kept or list(range(len(self))), np.int64)

    @property
    def head_pair(self) -> Optional[Tuple[int, int]]:
        """Indices of neck and head top, whose distance is the head length; None if the skeleton lacks one."""
        pairs = self._pairs((_HEAD,))
        return pairs[0] if pairs else None

    @property
    def torso_pairs(self) -> Tuple[Tuple[int, int], ...]:
        """Pairs of indices whose distance is the torso diameter; the first complete pair of a person counts."""
        return self._pairs(TORSO_ENDS)

    @property
    def oks_sigmas(self) -> np.ndarray:
        """float64 (J,): per-joint constants of the object keypoint similarity, NaN for joints that have none."""
        by_index = {index: name for name, index in self._roles.items()}
        stems = [by_index.get(index, '').rpartition('_')[2] for index in range(len(self))]
        return np.array([_OKS_SIGMAS.get(stem, np.nan) for stem in stems], np.float64)

    def side(self, joint: int) -> str:
        """Return 'right', 'left' or 'middle' for a joint index."""
        return self._sides[joint] or 'middle'

    def _pairs(self, names: Tuple[Tuple[str, str], ...]) -> Tuple[Tuple[int, int], ...]:
        return tuple((self._roles[a], self._roles[b]) for a, b in names if a in self._roles and b in self._roles)


def require_sides(skeleton: Skeleton, flip_prob: float, flip_test: bool) -> None:
    """Raise ConfigError if images are mirrored and no joint of the skeleton has a known partner.

    A flip turns a right joint into a left one: without partners, half of the training samples would be labelled wrong.
    A skeleton of one joint has no sides, and flip_pairs () declares that there are none.
    """
    mirroring = [
        setting
        for setting, mirrors in (('DataSetHG.flip_prob=0', flip_prob > 0), ('Validation.flip_test=False', flip_test))
        if mirrors
    ]
    if not mirroring or len(skeleton) == 1 or skeleton.has_sides or skeleton.flip_pairs is not None:
        return
    raise ConfigError(
        f'DataSetHG.joint_list: images are mirrored, but no joint is known to have a left/right partner '
        f'(found {", ".join(skeleton.joints[:4])}{", ..." if len(skeleton) > 4 else ""}); name the pairs by '
        f"DataSetHG.flip_pairs=[['RIGHT','LEFT'],...] ([] if no joint has a side), or set {' and '.join(mirroring)}"
    )


SKELETONS = {'mpii': Skeleton(MPII_JOINTS), 'coco': Skeleton(COCO_JOINTS), 'lsp': Skeleton(LSP_JOINTS)}
