"""Person: one annotated person in one image, as every annotation reader yields it."""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from hourglass_pose.annotations.packed_crop import PackedCrop


@dataclass(frozen=True, eq=False)
class Person:
    """One annotated person. Coordinates are source image pixels, 0-based, pixel centres at integers.

    image: file name as the annotation file gives it, relative to the image folder.
    image_path: path of the image file.
    person_id: unique among the persons of one source; `im0001.jpgA` in dataset.txt.
    box_img: float64 (4,), x0 y0 x1 y1 of the first and the last pixel inclusive; may extend beyond the image.
    joints_img: float32 (J, 2), x y; 0 where not labelled. A labelled joint may lie outside the image.
    labelled: bool (J,).
    head_box_img: float64 (4,) like box_img, or None if the data has no head boxes.
    source: index of the pair of annotation file and image folder that the person was read from.
    visible: bool (J,), False where a labelled joint is occluded; None if the data has no visibility.
    centre_img: float64 (2,), approximate centre of the person; scale: its height / 200 px; both as MPII defines them,
    None if the data has none.
    split: 'train', 'valid' or 'test' if the data assigns the person to a split, otherwise None.
    person_index: index of the person among the annotated ones of its image, from 0; None if unknown.
    area: of the person's segment in square pixels, as COCO gives it; None if unknown.
    packed: the person's crop in a pack, which stands for the image file; None without one.
    """

    image: str
    image_path: str
    person_id: str
    box_img: np.ndarray
    joints_img: np.ndarray
    labelled: np.ndarray
    head_box_img: Optional[np.ndarray] = None
    source: int = 0
    visible: Optional[np.ndarray] = None
    centre_img: Optional[np.ndarray] = None
    scale: Optional[float] = None
    split: Optional[str] = None
    person_index: Optional[int] = None
    area: Optional[float] = None
    packed: Optional[PackedCrop] = None
