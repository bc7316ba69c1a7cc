"""Workers: processes that measure, one for each checkout and device, started here and sent requests in turn."""

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, TextIO

from hourglass_pose.errors import UserError

if TYPE_CHECKING:
    from hourglass_pose.benchmark.timed import Timed  # loads TensorFlow, which only the workers need

_MARK = '@benchmark '
_SERVE = '--serve'

# For checkouts older than --serve: the same measurements with the classes that those checkouts have.
_EARLIER_CHECKOUT = """
import json, sys, time
def answer(value):
    print('@benchmark ' + json.dumps(value), flush=True)
order = json.loads(sys.stdin.readline())
runs, found = [], []
if order['what'] == 'predict':
    import numpy as np
    from hourglass_pose import Predictor
    predictor = Predictor(order['checkpoint'])
    photo = np.random.RandomState(0).randint(0, 256, (480, 640, 3)).astype(np.uint8)
    runs.append(lambda: predictor.predict(photo, (200, 100, 200, 300)))
    found.append(dict(description=predictor.runtime.description, images=1, gflop=0, untimed=2))
else:
    try:
        from hourglass_pose.config import load_config
        from hourglass_pose.cli.experiment import Experiment
    except ImportError:
        from hourglass_pose.config.config import load_config
        from hourglass_pose.experiment.experiment import Experiment
    for overrides in order['sides']:
        config = load_config(order['config'], overrides)
        batch_size = config.Train.batch_size
        if order['what'] == 'step':
            from hourglass_pose.cli.benchmark import Contestant
            side = Contestant(config)
            side.make_sample = lambda index: None
            runs.append(side.step)
            gflop = 3 * side.summary.gflops * batch_size
            description = side.runtime.description + '; ' + side.summary.describe()
            found.append(dict(description=description, images=batch_size, gflop=gflop, untimed=1))
        else:
            experiment = Experiment(config, lambda line: None)
            batches = experiment.generator(experiment.split()['train'], batch_size).training_batches(0)
            runs.append(lambda batches=batches: next(batches))
            untimed = 2 * config.Train.prefetch + 1
            found.append(dict(description='input', images=batch_size, gflop=0, untimed=untimed))
answer(found)
for line in sys.stdin:
    index, count = map(int, line.split())
    for _ in range(found[index]['untimed']):
        runs[index]()
    begin = time.perf_counter()
    for _ in range(count):
        runs[index]()
    answer((time.perf_counter() - begin) / count)
"""


def serve(parts: Sequence['Timed'], requests: TextIO) -> None:
    """Run in the process of a Worker: answer requests 'index count' with the mean seconds of `count` runs."""
    _answer([{name: getattr(part, name) for name in ('description', 'images', 'gflop', 'untimed')} for part in parts])
    for line in requests:
        index, count = map(int, line.split())
        for _ in range(parts[index].untimed):
            parts[index].run()
        begin = time.perf_counter()
        for _ in range(count):
            parts[index].run()
        _answer((time.perf_counter() - begin) / count)
    for part in parts:
        part.close()


def _answer(value: Any) -> None:
    print(_MARK + json.dumps(value), flush=True)


def _benchmark_of(code: str) -> List[str]:
    """Return the arguments of Python that start the benchmark of a checkout."""
    command_line = os.path.join(code, 'hourglass_pose', 'cli', 'benchmark.py')
    if not os.path.isfile(command_line):
        raise UserError(f'{code}: expected a folder with the package hourglass_pose and its benchmark')
    with open(command_line, encoding='utf-8') as stream:
        is_earlier = _SERVE not in stream.read()
    return ['-c', _EARLIER_CHECKOUT] if is_earlier else ['-m', 'hourglass_pose', 'benchmark', _SERVE]


class Worker:
    """A process of a checkout that measures on request.

    Args:
        code: folder of the checkout that has the package hourglass_pose.
        order: JSON-able, what the process builds: 'what', 'config', 'sides' and 'checkpoint'.
        environment: of the process, besides this one's.
        program: arguments of Python that start a process which calls `serve`; None for the benchmark of the checkout.

    Raises:
        UserError: the process ends before it is ready; its own message is on the error stream.
    """

    def __init__(
        self,
        code: str,
        order: Dict[str, Any],
        environment: Optional[Mapping[str, str]] = None,
        program: Optional[Sequence[str]] = None,
    ) -> None:
        self.code = code
        self._process = subprocess.Popen(
            [sys.executable, *(program or _benchmark_of(code))],
            cwd=code,
            env=dict(os.environ, PYTHONPATH=code, **(environment or {})),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        self.parts: List[Dict[str, Any]] = self._ask(json.dumps(order))

    def block(self, index: int, count: int) -> float:
        """Return the mean seconds of a run over `count` runs of a part."""
        return float(self._ask(f'{index} {count}'))

    def cpu_seconds(self) -> float:
        """Return the processor time that the process has used."""
        with open(f'/proc/{self._process.pid}/stat') as stream:
            user, system = stream.read().rpartition(')')[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, request: str) -> Any:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(f'{request}\n')
            self._process.stdin.flush()
            for line in self._process.stdout:
                if line.startswith(_MARK):
                    return json.loads(line[len(_MARK) :])
        except BrokenPipeError:
            pass
        raise UserError(
            f'{self.code}: the benchmark of this checkout ended with exit code {self._process.wait()}; its message is '
            'above'
        )
