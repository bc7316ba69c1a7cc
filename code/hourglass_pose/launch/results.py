"""The lines that ModelZoo's tools look for after a run, with what the run has measured."""

import json
import os
import platform
from collections import OrderedDict

from hourglass_pose.training.performance import PERFORMANCE

NETWORK = 'hourglass-pose_for_TensorFlow'
METRICS = 'metrics.json'

# What ModelZoo's scripts write for a number that there is not.
NOT_MEASURED = 'NULL'


class Results:
    """What a run left in its folder; files that were there before it are not taken for its own.

    To be made before the run starts.
    """

    def __init__(self, folder):
        self.folder = folder
        self._before = {name: self._stamp(name) for name in (PERFORMANCE, METRICS)}

    def _stamp(self, name):
        try:
            found = os.stat(os.path.join(self.folder, name))
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def read(self, name):
        """Return the content of a JSON file that the run has written, {} where it has not."""
        if self._stamp(name) in (None, self._before[name]):
            return {}
        with open(os.path.join(self.folder, name), encoding='utf-8') as stream:
            return json.load(stream)

    def collect(self, batch_size, size, case, seconds):
        """Return OrderedDict of the lines of CaseName.log. seconds: from the start of the run to its end.

        ActualFPS: images a second of all devices. TrainingTime: milliseconds of a step. TrainAccuracy: PCKh@0.5 in
        percent, mean over the joints, of the persons kept for validation. ActualLoss: of the last step.
        """
        speed, metrics = self.read(PERFORMANCE), self.read(METRICS)
        step = speed.get('seconds_per_step')
        return OrderedDict(
            [
                ('Network', NETWORK),
                ('RankSize', size),
                ('BatchSize', batch_size),
                ('DeviceType', platform.machine()),
                ('CaseName', '%s_bs%s_%dp_%s' % (NETWORK, batch_size, size, case)),
                ('ActualFPS', _shown(speed.get('images_per_second'), '%.2f')),
                ('TrainingTime', _shown(step and 1000 * step, '%.2f')),
                ('TrainAccuracy', _shown(metrics.get('pckh@0.5', {}).get('mean'), '%.2f')),
                ('ActualLoss', _shown(speed.get('last_loss'), '%.6g')),
                ('E2ETrainingTime', '%d' % round(seconds)),
            ]
        )


def _shown(value, form):
    return NOT_MEASURED if value is None else form % value


def final_lines(collected):
    """Return the lines that are printed at the end of a run."""
    return [
        f'Final Performance images/sec : {collected["ActualFPS"]}',
        f'Final Train Accuracy : {collected["TrainAccuracy"]}',
        f'E2E Training Duration sec : {collected["E2ETrainingTime"]}',
    ]


def case_log(collected):
    """Return the text of CaseName.log."""
    return ''.join('{} = {}\n'.format(*item) for item in collected.items())
