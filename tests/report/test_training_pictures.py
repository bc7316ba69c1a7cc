"""Pictures of a training: labels alone are shown as truth, whatever the loss weighs."""

from types import SimpleNamespace

import numpy as np

from annotated import SKELETON, STANDING
from hourglass_pose.report.training_pictures import TrainingPictures
from hourglass_pose.representations.table import make_codec


class Pictures:
    def __init__(self):
        self.shown = []

    def picture(self, side, step, name, image_rgb):
        self.shown.append(image_rgb)


def white_in_overlay(labelled, weights):
    """Return how many pixels of the sheet's overlay are as white as the truth is."""
    codec = make_codec(64)
    joints = STANDING * 0.9
    batch = SimpleNamespace(
        mask=np.ones(1),
        images=np.zeros((1, 256, 256, 3), np.uint8),
        labelled=np.asarray(labelled, bool)[None],
        joint_weights=weights[None],
        joints_crop=joints[None].astype(np.float64),
    )
    log = Pictures()
    TrainingPictures(codec, SKELETON).training(log, 1, batch, np.zeros((1, 64, 64, 16), np.float32))
    (sheet,) = log.shown
    # The overlay is the last of four tiles of 200 pixels; scaling down darkens its thin white lines.
    return int((sheet[8:208, -208:-8].min(axis=2) > 150).sum())


def test_an_unlabelled_joint_is_not_shown_as_truth_where_the_loss_weighs_it():
    labelled = np.array([SKELETON.side(joint) == 'left' for joint in range(16)])
    weighed = white_in_overlay(labelled, np.ones(16, np.float32))
    assert weighed == white_in_overlay(labelled, labelled.astype(np.float32)) > 0
    assert weighed < white_in_overlay(np.ones(16, bool), np.ones(16, np.float32))
