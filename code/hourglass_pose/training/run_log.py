"""RunLog: TensorBoard scalars and pictures of a run, and its history.csv with a row an epoch."""

import csv
import io
import os
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

import cv2
import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.files import write_whole
from hourglass_pose.invocation import command
from hourglass_pose.tf_compat import reason_of, tf

HISTORY = 'history.csv'


class RunLog:
    """Writes summaries from the host: no summary operation runs on the device.

    folder: of the run, for history.csv. log_dir_train, log_dir_test: folders of the event files.
    Raises UserError for a folder that cannot be created or written.
    """

    def __init__(self, folder: str, log_dir_train: str, log_dir_test: str) -> None:
        self._path = os.path.join(folder, HISTORY)
        self._writers = {'train': _open_writer(log_dir_train), 'test': _open_writer(log_dir_test)}
        self._rows: List[Dict[str, Any]] = []

    def start_at(self, step: int) -> None:
        """Continue after a step. Later rows, which a killed run wrote, are dropped, as their steps are repeated.

        Raises UserError for a history.csv that no run has written.
        """
        try:
            self._rows = [row for row in read_history(self._path) if int(row['step']) <= step]
        except (ValueError, KeyError, TypeError, csv.Error):
            raise UserError(f'{self._path}: expected the table of a run with a step in each row; move the file away')
        for writer in self._writers.values():
            writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), step + 1)

    def scalars(self, split: str, step: int, values: Dict[str, Optional[float]]) -> None:
        """Write {name: number}; split is 'train' or 'test'."""
        self._write(
            split,
            step,
            [tf.Summary.Value(tag=name, simple_value=value) for name, value in values.items() if value is not None],
        )

    def picture(self, split: str, step: int, name: str, image_rgb: np.ndarray) -> None:
        """Write a picture (H, W, 3) uint8 RGB."""
        encoded = cv2.imencode('.png', cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))[1].tobytes()
        height, width = image_rgb.shape[:2]
        image = tf.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=encoded)
        self._write(split, step, [tf.Summary.Value(tag=name, image=image)])

    def histograms(self, step: int, arrays: Dict[str, np.ndarray]) -> None:
        """Write {name: array of numbers} as histograms of 30 bins."""
        self._write(
            'train', step, [tf.Summary.Value(tag=name, histo=_histogram(array)) for name, array in arrays.items()]
        )

    def epoch(self, row: Dict[str, Any]) -> None:
        """Append a row, which must hold 'step', to history.csv; None stays empty.

        A row of the same step, which an interrupted run wrote before it was killed, is replaced.
        """
        self._rows = [old for old in self._rows if int(old['step']) < row['step']]
        self._rows.append({name: '' if value is None else value for name, value in row.items()})
        columns = list(dict.fromkeys(name for each in self._rows for name in each))
        text = io.StringIO()
        table = csv.DictWriter(text, columns, restval='', lineterminator='\n')
        table.writeheader()
        table.writerows(self._rows)
        write_whole(self._path, text.getvalue().encode('utf-8'))

    def flush(self) -> None:
        for writer in self._writers.values():
            with _refusals():
                writer.flush()

    def close(self) -> None:
        for writer in self._writers.values():
            with _refusals():
                writer.close()

    def _write(self, split: str, step: int, values: List[Any]) -> None:
        if values:
            with _refusals():
                self._writers[split].add_summary(tf.Summary(value=values), step)


def _open_writer(folder: str) -> Any:
    try:
        # TensorFlow names a file by second and host: another start within the second would empty the first one's file.
        return tf.summary.FileWriter(folder, filename_suffix=f'.{time.time_ns()}')
    except tf.errors.OpError as error:
        raise UserError(
            f'{folder}: the folder of TensorBoard events cannot be written ({reason_of(error)}); choose another by '
            'Saver.log_dir_train or Saver.log_dir_test'
        )


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise UserError for the errors of TensorFlow's writing thread, such as that of a full disk."""
    try:
        yield
    except (tf.errors.OpError, RuntimeError) as error:
        raise UserError(
            f'the TensorBoard events cannot be written ({reason_of(error)}); free some space or repair the folder, '
            f'then continue with "{command("resume")}"'
        )


def read_history(path: str) -> List[Dict[str, str]]:
    """Return the rows of a history.csv as dicts of text, none if there is no file."""
    if not os.path.isfile(path):
        return []
    with open(path, newline='') as stream:
        return [dict(row) for row in csv.DictReader(stream)]


def _histogram(array: np.ndarray) -> Any:
    values = np.asarray(array, np.float64).ravel()
    counts, edges = np.histogram(values, bins=30)
    return tf.HistogramProto(
        min=values.min(),
        max=values.max(),
        num=values.size,
        sum=values.sum(),
        sum_squares=np.square(values).sum(),
        bucket_limit=edges[1:],
        bucket=counts,
    )
