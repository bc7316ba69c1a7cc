"""The result lines that ModelZoo's tools look for, with the measurements of a run."""

import json
import os
import platform
from typing import Any, Dict, List, Optional, Tuple

from hourglass_pose.training.performance import PERFORMANCE

NETWORK = 'hourglass-pose_for_TensorFlow'
METRICS = 'metrics.json'

# ModelZoo's scripts write it for a missing number.
NOT_MEASURED = 'NULL'


class Results:
    """The files of results that a run writes into its folder; files that existed before are not taken for its own.

    Create it before the run starts.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._before = {name: self._stamp(name) for name in (PERFORMANCE, METRICS)}

    def _stamp(self, name: str) -> Optional[Tuple[int, int]]:
        try:
            found = os.stat(os.path.join(self.folder, name))
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def read(self, name: str) -> Dict[str, Any]:
        """Return the content of a JSON file of the run, {} if the run has not written it."""
        if self._stamp(name) in (None, self._before[name]):
            return {}
        with open(os.path.join(self.folder, name), encoding='utf-8') as stream:
            return json.load(stream)

    def collect(self, batch_size: int, size: int, case: str, seconds: float) -> Dict[str, Any]:
        """Return the lines of CaseName.log by name. seconds: from the start of the run to its end.

        ActualFPS: images a second of all devices. TrainingTime: milliseconds of a step. TrainAccuracy: PCKh@0.5 in
        percent, mean over the joints, of the validation persons. ActualLoss: of the last step.
        """
        speed, metrics = self.read(PERFORMANCE), self.read(METRICS)
        step = speed.get('seconds_per_step')
        return {
            'Network': NETWORK,
            'RankSize': size,
            'BatchSize': batch_size,
            'DeviceType': platform.machine(),
            'CaseName': f'{NETWORK}_bs{batch_size}_{size}p_{case}',
            'ActualFPS': _shown(speed.get('images_per_second'), '.2f'),
            'TrainingTime': _shown(step and 1000 * step, '.2f'),
            'TrainAccuracy': _shown(metrics.get('pckh@0.5', {}).get('mean'), '.2f'),
            'ActualLoss': _shown(speed.get('last_loss'), '.6g'),
            'E2ETrainingTime': f'{round(seconds)}',
        }


def _shown(value: Optional[float], form: str) -> str:
    return NOT_MEASURED if value is None else format(value, form)


def final_lines(collected: Dict[str, Any]) -> List[str]:
    """Return the lines that are printed at the end of a run."""
    return [
        f'Final Performance images/sec : {collected["ActualFPS"]}',
        f'Final Train Accuracy : {collected["TrainAccuracy"]}',
        f'E2E Training Duration sec : {collected["E2ETrainingTime"]}',
    ]


def case_log(collected: Dict[str, Any]) -> str:
    """Return the text of CaseName.log."""
    return ''.join(f'{name} = {value}\n' for name, value in collected.items())
