"""Predictor: heatmaps of crops, joints of photos, the weights it takes, and what it refuses."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import CODE

from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.checkpoints.folder import find_checkpoint
from hourglass_pose.checkpoints.variables import AVERAGE_SUFFIX
from hourglass_pose.errors import CheckpointError, ImageError, UserError
from hourglass_pose.evaluation.evaluator import Evaluator
from hourglass_pose.graph.model import HourglassModel
from hourglass_pose.images import read_image
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.input.samples import SampleMaker
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.tf_compat import tf

BATCH, STACKS, CELLS, JOINTS, SIZE = 3, 2, 8, 16, 32


@pytest.fixture(scope='module')
def predictor(command_line_run):
    with Predictor(os.path.join(command_line_run.folder, 'latest'), device='cpu', batch_size=BATCH) as opened:
        yield opened


@pytest.fixture(scope='module')
def persons(command_line_run):
    return read_annotations(command_line_run.annotations, command_line_run.images, JOINTS).persons


@pytest.fixture
def crops(rng):
    """Return more crops than a batch holds, and not a multiple of it."""
    return rng.randint(0, 256, (2 * BATCH + 2, SIZE, SIZE, 3)).astype(np.uint8)


def test_heatmaps_of_bytes_and_of_floats_are_the_same(predictor, crops):
    maps = predictor.heatmaps(crops)
    assert maps.shape == (len(crops), STACKS, CELLS, CELLS, JOINTS) and maps.dtype == np.float32
    # A last digit of the input, carried through a few dozen layers.
    for floats in (crops / 255.0, (crops / 255.0).astype(np.float32)):
        found = predictor.heatmaps(floats)
        assert found.dtype == np.float32
        assert np.abs(found - maps).max() <= 1e-4 * np.abs(maps).max()


@pytest.mark.parametrize('count', [0, 1, 2, BATCH, BATCH + 1])
def test_heatmaps_of_a_crop_do_not_depend_on_the_others(predictor, crops, count):
    maps = predictor.heatmaps(crops[:count])
    assert maps.shape == (count, STACKS, CELLS, CELLS, JOINTS)
    assert np.allclose(maps, predictor.heatmaps(crops)[:count], rtol=1e-4, atol=1e-5)
    assert np.array_equal(predictor.last_logits(crops[:count]), maps[:, -1])


@pytest.mark.parametrize(
    'wrong, message',
    [
        (np.zeros((SIZE, SIZE, 3), np.uint8), r'\(N, 32, 32, 3\)'),
        (np.zeros((1, SIZE, 2 * SIZE, 3), np.uint8), r'\(1, 32, 64, 3\)'),
        (np.zeros((1, SIZE, SIZE, 1), np.uint8), r'\(1, 32, 32, 1\)'),
        (np.zeros((1, SIZE, SIZE, 3), np.int64), 'int64'),
        (np.zeros((1, SIZE, SIZE, 3), bool), 'bool'),
        # Bytes that were only cast.
        (np.full((1, SIZE, SIZE, 3), 255.0), r'floats in \[0, 1\], found 255 to 255'),
        (np.full((1, SIZE, SIZE, 3), -3.0, np.float32), r'floats in \[0, 1\]'),
        (np.full((1, SIZE, SIZE, 3), np.nan), r'floats in \[0, 1\]'),
    ],
)
def test_crops_of_another_shape_type_or_range_are_refused(predictor, wrong, message):
    with pytest.raises(ValueError, match=message):
        predictor.heatmaps(wrong)


def test_the_averaged_weights_are_used(predictor, command_line_run, crops):
    assert predictor.stored.manifest['averaged_weights']
    folder = find_checkpoint(command_line_run.folder)
    reader = tf.train.NewCheckpointReader(os.path.join(folder, 'hourglass'))

    def maps_with(ending):
        with tf.Graph().as_default(), tf.Session() as session:
            images = tf.placeholder(tf.uint8, [len(crops), SIZE, SIZE, 3])
            model = HourglassModel(predictor.engine.hyperparameters)
            logits = model.build(images, is_training=False)
            values = {
                variable.initializer.inputs[1]: reader.get_tensor(variable.op.name + ending)
                for variable in model.variables()
            }
            session.run([variable.initializer for variable in model.variables()], values)
            return session.run(logits, {images: crops})

    maps, averaged, last = predictor.heatmaps(crops), maps_with(AVERAGE_SUFFIX), maps_with('')
    scale = np.abs(maps).max()
    assert np.abs(maps - averaged).max() < 1e-4 * scale < np.abs(maps - last).max()


def test_predict_finds_the_joints_that_an_evaluation_finds(predictor, persons):
    maker = SampleMaker(ImageCache(), predictor.rule, predictor.skeleton.flip_permutation, predictor.kept_joints)
    # One at a time, so that the network is asked for the same batches.
    generator = DataGenerator(persons[:4], maker, 1, workers=0)
    evaluator = Evaluator(generator, predictor.codec, predictor.skeleton, predictor.mean_pose_crop, predictor.flip_test)
    evaluation = evaluator.evaluate(predictor.last_logits)
    for person, joints, scores in zip(persons, evaluation.joints_img, evaluation.scores):
        x0, y0, x1, y1 = person.box_img
        pose = predictor.predict(person.image_path, (x0, y0, x1 - x0 + 1, y1 - y0 + 1))
        assert np.array_equal(pose.joints_img, joints) and np.array_equal(pose.scores, scores)
        assert np.array_equal(pose.box_img, person.box_img)


def test_without_a_box_the_whole_photo_is_looked_at(predictor, persons):
    image = read_image(persons[0].image_path)
    height, width = image.shape[:2]
    whole, boxed = predictor.predict(image), predictor.predict(image, (0, 0, width, height))
    assert np.array_equal(whole.joints_img, boxed.joints_img)
    assert np.array_equal(whole.box_img, [0, 0, width - 1, height - 1])
    record = whole.as_dict()
    assert record['box'] == [0, 0, width, height]
    assert list(record['joints']) == list(predictor.skeleton.joints)
    assert record['joints']['head'][:2] == whole.joints_img[9].tolist()


@pytest.mark.parametrize(
    'box',
    [
        (60, 0, 10, 10),
        (0, 40, 10, 10),
        (-10, 0, 10, 10),
        (0, -10, 10, 10),
        (5, 5, 0, 10),
        (5, 5, 10, 0),
        (5, 5, -3, 10),
        (float('nan'), 0, 5, 5),
        (0, 0, float('inf'), 5),
    ],
)
def test_a_box_beside_the_photo_or_without_area_is_refused_in_one_line(predictor, box):
    with pytest.raises(UserError, match='60 x 40 pixels') as caught:
        predictor.predict(np.zeros((40, 60, 3), np.uint8), box)
    assert '\n' not in str(caught.value)


def test_a_box_that_shares_a_pixel_with_the_photo_is_taken(predictor):
    image = np.zeros((40, 60, 3), np.uint8)
    for box in ((59, 39, 10, 10), (-9, -9, 10, 10), (-100, -100, 300, 300)):
        assert np.isfinite(predictor.predict(image, box).joints_img).all()


@pytest.mark.parametrize(
    'image', [np.zeros((40, 60), np.uint8), np.zeros((40, 60, 4), np.uint8), np.zeros((40, 60, 3), np.float32)]
)
def test_a_photo_in_memory_of_another_shape_or_type_is_refused(predictor, image):
    with pytest.raises(ValueError, match='uint8'):
        predictor.predict(image)


def test_an_error_of_tensorflow_gives_its_reason_in_one_line(predictor, crops, monkeypatch):
    def run(session, *arguments, **options):
        raise tf.errors.ResourceExhaustedError(
            None, None, 'Graph execution error:\n\nNode: "conv"\nout of memory\n\t [[a]]'
        )

    monkeypatch.setattr(tf.Session, 'run', run)
    with pytest.raises(UserError, match=r'cannot run the network on CPU, float32.*\(out of memory\)') as caught:
        predictor.heatmaps(crops)
    assert '\n' not in str(caught.value)


def test_a_missing_photo_is_an_image_error(predictor):
    with pytest.raises(ImageError, match='no such file'):
        predictor.predict('/nowhere/photo.jpg')


def test_settings_come_from_the_training_run_unless_given(predictor, command_line_run, persons):
    assert predictor.flip_test and predictor.codec.decoding == 'dark' and predictor.codec.loss == 'softmax'
    with Predictor(command_line_run.folder, flip_test=False, decoding='argmax', device='cpu', batch_size=1) as other:
        pose = other.predict(persons[0].image_path, (10, 20, 64, 64))
    # A box of 64 pixels and its margins: the centres of the heatmap's cells lie an eighth of the square apart.
    cells = (pose.joints_img - [10 - 0.2 * 64 - 0.5, 20 - 0.2 * 64 - 0.5]) / (1.4 * 64 / CELLS) - 0.5
    assert np.abs(cells - np.rint(cells)).max() < 1e-9
    assert 0 <= np.rint(cells).min() and np.rint(cells).max() < CELLS


def damage(folder):
    path = os.path.join(folder, 'hourglass.data-00000-of-00001')
    with open(path, 'r+b') as stream:
        stream.seek(100)
        byte = stream.read(1)
        stream.seek(100)
        stream.write(bytes([byte[0] ^ 1]))
    return path


def test_a_checkpoint_that_cannot_be_used_is_refused_in_one_line(command_line_run, tmp_path):
    run = str(tmp_path / 'run')
    shutil.copytree(command_line_run.folder, run, symlinks=True)
    path = damage(find_checkpoint(run))
    missing, empty, file = str(tmp_path / 'none'), str(tmp_path), command_line_run.config
    for checkpoint, message in (
        (os.path.join(run, 'latest'), f'{os.path.basename(path)}: damaged'),
        (missing, 'none: there is no such checkpoint'),
        (empty, 'this is not a checkpoint'),
        (file, 'this is not a checkpoint'),
    ):
        with pytest.raises(CheckpointError, match=message) as caught:
            Predictor(checkpoint)
        assert '\n' not in str(caught.value)


def test_importing_predictor_changes_nothing_and_opening_a_checkpoint_loads_tensorflow(command_line_run):
    program = (
        'import sys, hourglass_pose\n'
        'from hourglass_pose import DataGenerator, Predictor\n'
        'assert "tensorflow" not in sys.modules and not {"scipy", "h5py", "matplotlib"} & set(sys.modules)\n'
        f'Predictor({command_line_run.folder!r}, device="cpu").close(); assert "tensorflow" in sys.modules\n'
        'from hourglass_pose import HourglassModel\n'
        'print(Predictor.__name__, HourglassModel.__name__, DataGenerator.__name__)'
    )
    found = subprocess.run(
        [sys.executable, '-c', program], env=dict(os.environ, PYTHONPATH=CODE), stdout=subprocess.PIPE, text=True
    )
    assert found.returncode == 0 and found.stdout == 'Predictor HourglassModel DataGenerator\n'


def test_folded_batch_norms_change_heatmaps_by_rounding_alone(predictor, command_line_run, crops):
    with Predictor(command_line_run.folder, device='cpu', batch_size=BATCH, folds_batch_norms=False) as plain:
        expected, found = plain.heatmaps(crops), predictor.heatmaps(crops)
    assert 0 < np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


def test_a_person_does_not_depend_on_the_others_on_a_cpu(command_line_run, persons):
    image = read_image(persons[0].image_path)
    boxes = [(x, 10, 60, 70) for x in range(5)]
    with Predictor(command_line_run.folder, device='cpu') as one_at_a_time:
        for box, pose in zip(boxes, one_at_a_time.predict_boxes(image, boxes)):
            assert np.array_equal(one_at_a_time.predict(image, box).joints_img, pose.joints_img)


def test_a_crop_and_its_mirror_image_are_computed_side_by_side_on_a_cpu(command_line_run, crops):
    with Predictor(command_line_run.folder, device='cpu') as predictor:
        pair = predictor.engine.run(crops[:2])[0]
        singles = [predictor.engine.run(crop[None])[0] for crop in crops[:2]]
        assert np.array_equal(pair, np.concatenate(singles))
        convolutions = [
            sum(operation.type == 'Conv2D' for operation in predictor.engine._session(count).graph.get_operations())
            for count in (1, 2)
        ]
    # Each of the two has operations of its own.
    assert convolutions[1] == 2 * convolutions[0] > 0
