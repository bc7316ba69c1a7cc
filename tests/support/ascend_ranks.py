"""Program of forked_ranks.py: a tiny training run on the stand-in, as one of its ranks or alone.

Arguments: 'start' or 'go_on', the folder of the run, the annotations, and overrides of the config. Into the folder
'seen' beside the run go, of each rank: the persons of each batch that is handed out (persons-RANK.json), persons and
learning rate of each step that is made (steps-RANK.json), the variables at the end of the session (variables-RANK.npz)
and what the last evaluation measured (evaluation-RANK.npz). With
TERMINATE_AFTER=N in the environment the process sends itself SIGTERM when the N-th batch is handed out.
"""

import json
import os
import signal
import sys

import numpy as np

import tiny_run
from graph_values import graph_values
from hourglass_pose.errors import UserError
from hourglass_pose.experiment import run_parts
from hourglass_pose.experiment import training_run as session
from hourglass_pose.input.generator import DataGenerator
from hourglass_pose.runtime import ascend
from hourglass_pose.tf_compat import tf
from hourglass_pose.training.stepper import Stepper
from one_layer_model import OneLayerModel

OVERRIDES = (
    'Device.device=npu',
    'Train.optimizer=adamw',
    'Network.drop_rate=0',
    'Validation.flip_test=False',
    'Validation.valid_every=100',
    'Saver.saver_step=4',
    'Saver.keep_last=99',
    'Train.warmup_steps=0',
    'Train.clip_norm=0',
    'Train.workers=1',
)


def main(arguments):
    command, folder, annotations = arguments[:3]
    with Watching(os.path.join(os.path.dirname(folder), 'seen'), os.environ.get('RANK_ID', '0')):
        config = tiny_run.tiny_config(folder, annotations, *(OVERRIDES + tuple(arguments[3:])))
        try:
            (tiny_run.start if command == 'start' else tiny_run.go_on)(config)
        except UserError as error:
            print(f'error: {error}', file=sys.stderr)
            return 2
    return 0


class Watching:
    """Context in which a network of one layer is trained, and what happens is written down."""

    def __init__(self, folder, name):
        os.makedirs(folder, exist_ok=True)
        self._path = lambda kind: os.path.join(folder, f'{kind}-{name}')
        self._kept = []

    def __enter__(self):
        self._replace(run_parts, 'HourglassModel', lambda original: OneLayerModel)
        # The stand-in works with any TensorFlow, unlike what it stands for.
        self._replace(ascend, 'VERSION', lambda original: (1, 15))
        self._replace(session, 'write_results', lambda original: self._write_evaluation)
        self._replace(DataGenerator, 'training_batches', self._noting_persons)
        self._replace(Stepper, 'run', self._noting_steps)
        self._replace(tf.Session, '__exit__', self._saving_variables)
        return self

    def __exit__(self, *exception):
        for owner, name, original in reversed(self._kept):
            setattr(owner, name, original)

    def _replace(self, owner, name, make):
        original = getattr(owner, name)
        self._kept.append((owner, name, original))
        setattr(owner, name, make(original))

    def _write_evaluation(self, folder, evaluation, *others):
        np.savez(
            self._path('evaluation'),
            joints_img=evaluation.joints_img,
            scores=evaluation.scores,
            images=[person.image for person in evaluation.persons],
            metrics=json.dumps(evaluation.result.metrics, sort_keys=True),
        )

    def _noting_persons(self, original):
        def training_batches(generator, *position):
            for number, batch in enumerate(original(generator, *position), 1):
                if str(number) == os.environ.get('TERMINATE_AFTER'):
                    os.kill(os.getpid(), signal.SIGTERM)
                with open(f'{self._path("persons")}.json', 'a') as stream:
                    stream.write(f'{json.dumps([int(index) for index in batch.indices])}\n')
                yield batch

        return training_batches

    def _noting_steps(self, original):
        def run(stepper):
            outcome = original(stepper)
            with open(f'{self._path("steps")}.json', 'a') as stream:
                persons = [int(index) for index in stepper.last_batch().indices]
                stream.write(f'{json.dumps([persons, float(outcome.rate)])}\n')
            return outcome

        return run

    def _saving_variables(self, original):
        def leave(entered, *exception):
            with entered.graph.as_default():
                has_variables = bool(tf.global_variables())
            if has_variables and exception[0] is None:
                # Past the stand-in, which would count this as one more graph for the device.
                run = (
                    sys.modules['stand_in.sessions'].ORIGINALS['run']
                    if 'stand_in.sessions' in sys.modules
                    else (tf.Session.run)
                )
                values = graph_values(entered, run)
                np.savez(self._path('variables'), **{name.replace('/', '|'): value for name, value in values.items()})
            return original(entered, *exception)

        return leave
