"""The parts of a run that a benchmark times, built from a Config in the same way as for training."""

import itertools
import time
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from hourglass_pose.annotations.packed_crop import PackedCrop
from hourglass_pose.annotations.person import Person
from hourglass_pose.benchmark.timed import Timed, TimedExchange, TimedInput, TimedMatmul, TimedPrediction, TimedTraining
from hourglass_pose.config.config import Config, load_config
from hourglass_pose.errors import counted
from hourglass_pose.experiment.experiment import Experiment
from hourglass_pose.experiment.run_parts import open_device, train_graph
from hourglass_pose.graph.summary import summarise_network
from hourglass_pose.input.pixels import ImageCache
from hourglass_pose.runtime.base import Runtime
from hourglass_pose.runtime.cluster.spec import cluster_of_environment
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.run_length import RunLength

_PHOTO = (480, 640, 3)
_MANY_STEPS = 10000
_WARM_UP = 3  # steps of measure_step that do not count


class _RandomPhoto(ImageCache):
    """A cache in which every photo is the same noise, so nothing is read or decoded."""

    def __init__(self) -> None:
        super().__init__()
        self._photo = np.random.RandomState(1).randint(0, 256, _PHOTO).astype(np.uint8)

    def read_shrunk(self, path: str, most: int, packed: Optional[PackedCrop] = None) -> Tuple[np.ndarray, int]:
        """Return the photo."""
        return self._photo, 1


def timed_training(config: Config, runtime: Runtime) -> TimedTraining:
    """Return the training of a Config on one batch of random photos, which every step repeats."""
    experiment = Experiment(config, report=_silent)
    experiment.cache = _RandomPhoto()
    joints_img = np.random.RandomState(2).uniform(150, 350, (len(experiment.skeleton), 2)).astype(np.float32)
    box_img = np.array([200.0, 100.0, 400.0, 400.0])
    person = Person('photo', 'photo', 'photo', box_img, joints_img, np.ones(len(joints_img), bool))
    batch_size = config.Train.batch_size
    batch = experiment.generator([person] * batch_size, batch_size).training_batch(0)
    with tf.Graph().as_default():
        graph = train_graph(experiment, runtime, RunLength.of_new_run(1, _MANY_STEPS, batch_size))
        batches, summary = itertools.repeat(batch), graph.summary
        return TimedTraining(graph, runtime, batches, batch_size, summary.gflops, summary.describe())


def timed_input(config: Config) -> TimedInput:
    """Return the training input of a Config on its own data. Raises AnnotationError if there is none."""
    experiment = Experiment(config, report=_silent)
    persons, train = experiment.split()['train'], config.Train
    generator = experiment.generator(persons, train.batch_size)
    description = f'{counted(generator.workers, "thread")}; batch {train.batch_size}; {counted(len(persons), "person")}'
    return TimedInput(generator.training_batches(0), train.batch_size, train.prefetch, description)


def parts_of_scaling(config: Config, together: Runtime, alone: Runtime) -> List[Timed]:
    """Return the parts of one process of several, in the order of benchmark/scaling.py.

    together, alone: the runtime of all processes, and one that does not know of the others.
    """
    count = summarise_network(Experiment(config, report=_silent).hyperparameters()).parameters
    return [
        timed_training(config, together),
        timed_training(config, alone),
        TimedExchange(together, count),
        TimedExchange(together, 1),
    ]


def serve_order(order: Dict[str, Any], serve: Any) -> None:
    """Build the parts that a Worker's order lists and pass them to serve(parts); the device is opened once."""
    if order['what'] == 'predict':
        from hourglass_pose.prediction.predictor import Predictor

        predictor = Predictor(order['checkpoint'])
        return serve([TimedPrediction(predictor, predictor.engine.description)])
    configs = [load_config(order['config'], overrides) for overrides in order['sides']]
    if order['what'] == 'input':
        return serve([timed_input(config) for config in configs])
    if order['what'] == 'scale':
        with open_device(configs[0], cluster_of_environment()) as together, open_device(configs[0]) as alone:
            return serve(parts_of_scaling(configs[0], together, alone))
    with open_device(configs[0]) as runtime:
        parts: List[Timed] = [timed_training(config, runtime) for config in configs]
        return serve(parts + [TimedMatmul(runtime.session_config())])


def measure_step(config: Config, num_steps: int) -> float:
    """Return the median seconds of `num_steps` training steps of a Config, on its own device."""
    with open_device(config) as runtime:
        training = timed_training(config, runtime)
        seconds = []
        try:
            for _ in range(_WARM_UP + num_steps):
                begin = time.perf_counter()
                training.run()
                seconds.append(time.perf_counter() - begin)
        finally:
            training.close()
    return float(np.median(seconds[_WARM_UP:]))


def _silent(line: str) -> None:
    """Print nothing: the measurement is the output."""
