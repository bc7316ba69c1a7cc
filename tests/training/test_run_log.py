"""RunLog: events that TensorBoard reads, and a history that a resumed run continues without a gap."""

import glob
import os

import cv2
import numpy as np
import pytest

from hourglass_pose.errors import UserError
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.run_log import HISTORY, RunLog, read_history


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


def open_log(folder):
    return RunLog(folder, os.path.join(folder, 'log_train'), os.path.join(folder, 'log_test'))


def events(folder, side):
    """Return [(step, tag, Summary.Value)] of all event files of a side, in order."""
    found = []
    for path in sorted(glob.glob(os.path.join(folder, f'log_{side}', 'events.*'))):
        for event in tf.train.summary_iterator(path):
            found += [(event.step, value.tag, value) for value in event.summary.value]
    return found


def row(epoch, step, loss, **more):
    return {'epoch': epoch, 'step': step, 'train_loss': repr(loss), **more}


def test_scalars_go_to_their_split_and_none_is_left_out(folder):
    log = open_log(folder)
    log.scalars('train', 3, {'loss': 0.5, 'speed': None})
    log.scalars('test', 4, {'pckh': 25.0})
    log.close()
    assert [(step, tag, value.simple_value) for step, tag, value in events(folder, 'train')] == [(3, 'loss', 0.5)]
    assert [(step, tag, value.simple_value) for step, tag, value in events(folder, 'test')] == [(4, 'pckh', 25.0)]


def test_starts_within_one_second_keep_the_events_of_each(folder):
    for step in range(5):
        log = open_log(folder)
        log.scalars('train', step, {'loss': 0.5})
        log.close()
    assert [step for step, _, _ in events(folder, 'train')] == list(range(5))


def test_picture_is_a_lossless_png_in_rgb(folder, rng):
    log, image = open_log(folder), rng.randint(0, 256, (5, 7, 3)).astype(np.uint8)
    log.picture('test', 1, 'sheet', image)
    log.close()
    ((_, tag, value),) = events(folder, 'test')
    encoded = np.frombuffer(value.image.encoded_image_string, np.uint8)
    assert (tag, value.image.height, value.image.width, value.image.colorspace) == ('sheet', 5, 7, 3)
    assert np.array_equal(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[:, :, ::-1], image)


def test_histograms_count_every_number_once(folder, rng):
    log, weights = open_log(folder), rng.normal(size=(3, 3, 4, 5))
    log.histograms(2, {'weights': weights, 'biases': np.zeros(4)})
    log.close()
    for (_, _, value), numbers in zip(events(folder, 'train'), (weights, np.zeros(4))):
        histogram = value.histo
        assert sum(histogram.bucket) == histogram.num == numbers.size
        assert histogram.sum == pytest.approx(numbers.sum()) and histogram.min == numbers.min()
        limit = histogram.bucket_limit[9]
        assert sum(histogram.bucket[:10]) == (numbers < limit).sum()


def test_history_has_a_row_an_epoch_with_all_digits(folder):
    log = open_log(folder)
    loss = 0.1 + 0.2
    log.epoch(row(1, 10, loss))
    log.epoch(row(2, 20, 1.0, valid=None))
    log.epoch(row(3, 30, 1.0, valid=7.5))
    log.close()
    rows = read_history(os.path.join(folder, HISTORY))
    assert [row['step'] for row in rows] == ['10', '20', '30']
    assert float(rows[0]['train_loss']) == loss
    assert [row['valid'] for row in rows] == ['', '', '7.5']


def test_resumed_log_drops_rows_after_its_step_and_continues(folder):
    log = open_log(folder)
    for epoch in (1, 2, 3):
        log.epoch(row(epoch, 10 * epoch, float(epoch)))
    log.close()
    log = open_log(folder)
    log.start_at(20)
    log.epoch(row(3, 30, 3.5))
    log.close()
    assert [row['train_loss'] for row in read_history(os.path.join(folder, HISTORY))] == ['1.0', '2.0', '3.5']


def test_row_of_the_same_step_replaces_the_old_one(folder):
    log = open_log(folder)
    log.epoch(row(1, 10, 1.0))
    log.epoch(row(1, 10, 2.0))
    log.close()
    assert [row['train_loss'] for row in read_history(os.path.join(folder, HISTORY))] == ['2.0']


def test_tensorboard_gets_the_step_at_which_a_run_resumes(folder):
    log = open_log(folder)
    log.start_at(20)
    log.close()
    (path,) = glob.glob(os.path.join(folder, 'log_train', 'events.*'))
    started = [
        event.step for event in tf.train.summary_iterator(path) if event.session_log.status == tf.SessionLog.START
    ]
    assert started == [21]


@pytest.mark.parametrize('content', ['nonsense', 'epoch,loss\n1,2\n', 'epoch,step\n1,ten\n', 'epoch,step\n1\n'])
def test_history_file_of_another_program_is_one_line_for_the_user(folder, content):
    with open(os.path.join(folder, HISTORY), 'w') as stream:
        stream.write(content)
    log = open_log(folder)
    if content == 'nonsense':
        log.start_at(5)  # a header without rows holds nothing that could be lost
    else:
        with pytest.raises(UserError, match='history.csv: expected the table of a run'):
            log.start_at(5)
    log.close()


def test_folder_of_events_that_cannot_be_made_is_a_user_error(tmp_path):
    (tmp_path / 'file').write_bytes(b'')
    with pytest.raises(UserError, match='events cannot be written .*Saver.log_dir_train'):
        RunLog(str(tmp_path), str(tmp_path / 'file' / 'log'), str(tmp_path / 'log_test'))


@pytest.mark.parametrize('method', ['add_summary', 'flush', 'close'])
def test_a_disk_that_refuses_events_is_one_line(folder, monkeypatch, method):
    log = open_log(folder)

    def refuse(*arguments):
        raise RuntimeError('log_test/events.out; No space left on device\n\tFailed to flush 1 events to it')

    monkeypatch.setattr(tf.summary.FileWriter, method, refuse)
    with pytest.raises(UserError, match='No space left on device') as caught:
        log.scalars('test', 1, {'pckh': 25.0})
        log.flush()
        log.close()
    assert '\n' not in str(caught.value)
