"""From a photo to joints by a checkpoint whose weights are set by hand, so that the right answer is known."""

import numpy as np
import pytest

from hourglass_pose import HourglassModel, Predictor
from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.checkpoints.variables import VariableSaver
from hourglass_pose.graph.architectures import make_hyperparameters
from hourglass_pose.tf_compat import tf

SIZE = 64
HYPERPARAMETERS = make_hyperparameters(
    num_stacks=2, num_features=4, num_poolings=1, num_joints=3, input_size=SIZE, stem_features=(4, 4)
)
JOINTS = ('r_wrist', 'l_wrist', 'head')
# As earlier versions wrote it: the sizes follow from the network's settings.
RECORD = {
    'joints': JOINTS,
    'kept_joints': [True] * 3,
    'loss': 'mse',
    'sigma': 2.0,
    'decoding': 'argmax',
    'flip_test': True,
    'box_margin': 0.0,
    'mean_pose_crop': [[0, 0]] * 3,
}


def colour_detector(name, shape):
    """Weights of a network that hands its input through: feature c is where colour c is bright, 0 and 1 the wrists'.

    The first convolution takes the middle pixel of its window; ReLU drops what is darker than the grey 0.5. Residual
    modules add nothing to what they skip. Joint 0 and 1 look at red, joint 2 at green.
    """
    value = np.zeros(shape)
    if name.endswith(('gamma', 'moving_variance')):
        value[:] = 1
    elif name == 'model/stem/conv_in/weights':
        value[3, 3, :3, :3] = np.eye(3)
    elif name.endswith('linear/weights'):
        value[0, 0] = np.eye(4)
    elif name.endswith('heatmaps/weights'):
        value[0, 0, 0, :2] = value[0, 0, 1, 2] = 1
    return value


@pytest.fixture(scope='module')
def predictor(tmp_path_factory):
    with tf.Graph().as_default(), tf.Session() as session:
        model = HourglassModel(HYPERPARAMETERS)
        model.build(tf.zeros([1, SIZE, SIZE, 3]), False)
        session.run(
            [variable.initializer for variable in model.variables()],
            {
                variable.initializer.inputs[1]: colour_detector(variable.op.name, variable.shape.as_list())
                for variable in model.variables()
            },
        )
        saver = VariableSaver('by_hand')
        manifest = {'traits': HYPERPARAMETERS.as_dict(), 'recipe': RECORD, 'global_step': 0}
        folder = str(tmp_path_factory.mktemp('by_hand'))
        CheckpointFolder(folder).write(0, manifest, lambda folder: saver.save(session, folder))
    with Predictor(folder, device='cpu', batch_size=1) as opened:
        yield opened


def photo(width, height, red, green, side):
    """Return a black photo with a red and a green square of some side; red, green: (x, y) of their first pixel."""
    image = np.zeros((height, width, 3), np.uint8)
    for channel, (x, y) in enumerate((red, green)):
        image[y : y + side, x : x + side, channel] = 255
    return image


@pytest.mark.parametrize('flip_test', [False, True])
@pytest.mark.parametrize('red, green', [((8, 20), (40, 44)), ((60, 0), (0, 60))])
def test_joints_are_at_the_centres_of_the_cells_of_their_colour(predictor, monkeypatch, flip_test, red, green):
    monkeypatch.setattr(predictor, 'flip_test', flip_test)
    pose = predictor.predict(photo(SIZE, SIZE, red, green, 4))
    # The photo is its own crop; a cell of four pixels from x has its centre at x + 1.5.
    expected = np.array([red, red, green]) + 1.5
    np.testing.assert_allclose(pose.joints_img, expected, atol=1e-9)
    assert pose.names == JOINTS


def test_box_of_another_size_and_position_gives_joints_in_photo_pixels(predictor):
    # A box of 128 pixels: a cell of its crop is 8 photo pixels wide.
    image = photo(300, 200, (100 + 5 * 8, 30 + 9 * 8), (100 + 12 * 8, 30 + 2 * 8), 8)
    pose = predictor.predict(image, (100, 30, 128, 128))
    wide = predictor.predict(image, (100, 60, 128, 68))
    expected = np.array([[140, 102], [140, 102], [196, 46]]) + 3.5
    np.testing.assert_allclose(pose.joints_img, expected, atol=1e-9)
    # The square around a wide box has the same centre.
    np.testing.assert_allclose(wide.joints_img, expected, atol=1e-9)


def test_whole_photo_is_looked_at_through_a_square_around_it(predictor):
    image = photo(128, 64, (40, 24), (88, 8), 8)
    pose = predictor.predict(image)
    np.testing.assert_allclose(pose.joints_img, np.array([[40, 24], [40, 24], [88, 8]]) + 3.5, atol=1e-9)


def test_every_stack_of_the_raw_maps_shows_the_square(predictor):
    crop = photo(SIZE, SIZE, (8, 20), (40, 44), 4)
    maps = predictor.heatmaps(crop[None])
    assert maps.shape == (1, 2, 16, 16, 3)
    for stack in range(2):
        for joint, (x, y) in enumerate(((2, 5), (2, 5), (10, 11))):
            assert np.unravel_index(maps[0, stack, :, :, joint].argmax(), (16, 16)) == (y, x)
