"""The record of one annotated person in one photo, which every annotation reader yields."""

from dataclasses import dataclass
from typing import Optional

import numpy as np


@dataclass(frozen=True, eq=False)
class Person:
    """One annotated person. Coordinates are source image pixels, 0-based, pixel centres at integers.

    image: file name as the annotation file gives it, relative to the image folder.
    image_path: the path to open.
    person_id: unique among the persons of one source; `im0001.jpgA` in dataset.txt.
    box_img: float64 (4,), x0 y0 x1 y1 of the first and the last pixel inclusive; may reach out of the image.
    joints_img: float32 (J, 2), x y; 0 where unlabelled. A labelled joint may lie outside of the image.
    labelled: bool (J,).
    head_box_img: float64 (4,) like box_img, or None where the data has no head boxes.
    source: index of the pair of annotation file and image folder that the person was read from.
    visible: bool (J,), False where a labelled joint is hidden; None where the data does not say.
    centre_img: float64 (2,), rough centre of the person, and scale: its height / 200 px, both as MPII gives them; None
    where the data has none.
    split: 'train', 'valid' or 'test' where the data assigns the person, else None.
    person_index: index of the person among the annotated ones of its image, from 0; None where unknown.
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
