"""Joint names and their order, left/right partners, limbs and PCKh groups: the only joint numbers of the project.

Left and right are those of the person in the photo, as in MPII (Andriluka et al. 2014).
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Tuple

import numpy as np

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

SKELETONS = {'mpii': MPII_JOINTS, 'coco': COCO_JOINTS, 'lsp': LSP_JOINTS}
"""Joint names in the order of each data set."""

# The ancestor's configuration files spell these two joints so.
_SPELLINGS = {'r_anckle': 'r_ankle', 'l_anckle': 'l_ankle'}

_LIMBS = (
    ('r_ankle', 'r_knee'),
    ('r_knee', 'r_hip'),
    ('r_hip', 'pelvis'),
    ('l_ankle', 'l_knee'),
    ('l_knee', 'l_hip'),
    ('l_hip', 'pelvis'),
    ('pelvis', 'thorax'),
    ('thorax', 'neck'),
    ('neck', 'head'),
    ('r_wrist', 'r_elbow'),
    ('r_elbow', 'r_shoulder'),
    ('r_shoulder', 'thorax'),
    ('l_wrist', 'l_elbow'),
    ('l_elbow', 'l_shoulder'),
    ('l_shoulder', 'thorax'),
)

# The rows of the PCKh tables in the literature. As in MPII's evaluation, 'head' is the head top alone: the
# neck counts in the mean only, and pelvis and thorax nowhere.
_GROUPS = (
    ('head', ('head',)),
    ('shoulder', ('r_shoulder', 'l_shoulder')),
    ('elbow', ('r_elbow', 'l_elbow')),
    ('wrist', ('r_wrist', 'l_wrist')),
    ('hip', ('r_hip', 'l_hip')),
    ('knee', ('r_knee', 'l_knee')),
    ('ankle', ('r_ankle', 'l_ankle')),
)

_NOT_IN_MEAN = ('pelvis', 'thorax')


@dataclass(frozen=True)
class Skeleton:
    """An ordered set of named joints and what follows from the names.

    joints: J names; a pair `r_x`, `l_x` is a right/left pair.
    Raises ValueError for no joints or a repeated name.
    """

    joints: Tuple[str, ...] = MPII_JOINTS

    def __post_init__(self):
        names = tuple(_SPELLINGS.get(name, name) for name in self.joints)
        if not names:
            raise ValueError('a skeleton needs at least one joint')
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f'joint named twice: {", ".join(repeated)}')
        object.__setattr__(self, 'joints', names)

    def __len__(self):
        return len(self.joints)

    def index(self, name):
        """Return the index of a joint, or None where the skeleton lacks it."""
        return self.joints.index(name) if name in self.joints else None

    @property
    def flip_permutation(self):
        """int array (J,): in the mirrored image, joint j is what joint flip_permutation[j] was."""
        partner = []
        for index, name in enumerate(self.joints):
            mirrored = {'r_': 'l_', 'l_': 'r_'}.get(name[:2], name[:2]) + name[2:]
            partner.append(index if self.index(mirrored) is None else self.index(mirrored))
        return np.array(partner, np.int64)

    @property
    def limbs(self):
        """Pairs of joint indices joined by a line when a person is drawn."""
        return tuple((self.index(a), self.index(b)) for a, b in _LIMBS if a in self.joints and b in self.joints)

    @property
    def groups(self):
        """OrderedDict of PCKh group name -> int array of joint indices; groups without joints are left out."""
        groups = OrderedDict()
        for group, names in _GROUPS:
            indices = [self.index(name) for name in names if name in self.joints]
            if indices:
                groups[group] = np.array(indices, np.int64)
        return groups

    @property
    def mean_joints(self):
        """int array: joints over which a mean is taken, all but pelvis and thorax (as MPII's evaluation does)."""
        kept = [i for i, name in enumerate(self.joints) if name not in _NOT_IN_MEAN]
        return np.array(kept or list(range(len(self))), np.int64)

    def side(self, joint):
        """Return 'right', 'left' or 'middle' for a joint index."""
        return {'r_': 'right', 'l_': 'left'}.get(self.joints[joint][:2], 'middle')
