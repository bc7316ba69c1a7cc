"""A training run small enough for tests, with everything on that could make a resumed run differ.

As a program, `tiny_run.py FOLDER ANNOTATIONS STEP`, it goes on with such a run and is killed, as by `kill -9`, in the
middle of writing the checkpoint of STEP.
"""

import os
import signal
import sys

import pytest

if __name__ == '__main__':
    import conftest  # noqa: F401  (puts the package on the path)

from hourglass_pose.checkpoints import folder as checkpoint
from hourglass_pose.checkpoints.folder import CheckpointFolder
from hourglass_pose.config.config import config_from_dict
from hourglass_pose.experiment import run_parts
from hourglass_pose.experiment import training_run as session
from hourglass_pose.experiment.starting import train
from one_layer_model import OneLayerModel

STEPS_PER_EPOCH, EPOCHS = 4, 3

SETTINGS = {
    'DataSetHG': dict(valid_fraction=0.2, box_margin=0.1, shift_prob=1.0, colour_prob=1.0, occluder_prob=0.5),
    'Network': dict(nStack=1, nFeat=8, nLow=1, img_size=64, stem_feat=[4, 8], drop_rate=0.2),
    'Train': dict(
        batch_size=4,
        nEpochs=EPOCHS,
        epoch_size=STEPS_PER_EPOCH,
        optimizer='adamw',
        weight_decay=0.1,
        lear_rate=0.01,
        warmup_steps=2,
        ema_decay=0.5,
        clip_norm=1.0,
        workers=2,
    ),
    'Validation': dict(valid_batch_size=3),
    'Saver': dict(saver_step=2, keep_last=2),
    'Device': dict(device='cpu', precision='float32', intra_threads=1),
}


def tiny_config(folder, annotations, *overrides):
    """Return the Config of a tiny run in `folder` on a dataset.txt with its images beside it."""
    settings = {section: dict(values) for section, values in SETTINGS.items()}
    settings['DataSetHG'].update(
        training_txt_file=[annotations], img_directory=[os.path.join(os.path.dirname(annotations), 'images')]
    )
    settings['Saver'].update(saver_directory=folder)
    return config_from_dict(settings, overrides)


def quick_config(folder, annotations, *overrides):
    """Return the Config of a tiny run whose graph is built and trained faster, with epochs of one step."""
    return tiny_config(
        folder,
        annotations,
        *(
            'Train.optimizer=rmsprop',
            'Train.weight_decay=0',
            'Train.ema_decay=0',
            'Train.w_summary=False',
            'Network.drop_rate=0',
            'Validation.valid_every=100',
            'Validation.flip_test=False',
            'Saver.saver_step=1000',
            'Train.epoch_size=1',
        )
        + overrides,
    )


def person_config(folder, annotations, *overrides):
    """Return the Config of a quick run of two epochs of two steps whose network has a person output."""
    length = ('Train.nEpochs=2', 'Train.epoch_size=2')
    settings = ('Network.person=True', 'DataSetHG.negative_prob=0.4')
    return quick_config(folder, annotations, *length, *settings, *overrides)


def train_one_layer(patch):
    """Train a network of one layer in place of the hourglass, and write no results. patch: a pytest.MonkeyPatch."""
    patch.setattr(run_parts, 'HourglassModel', OneLayerModel)
    without_results(patch)


def without_results(patch):
    """Draw no results, which takes longer than a tiny run. patch: a pytest.MonkeyPatch."""
    patch.setattr(session, 'write_results', lambda *arguments: None)


def terminate_once(function, passed):
    """Return the function, made to send SIGTERM to this process when it is called for the (passed + 1)th time."""
    calls = []

    def terminating(*arguments, **keywords):
        calls.append(1)
        if len(calls) == passed + 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return function(*arguments, **keywords)

    return terminating


def start(config):
    train(config, quiet=True)


def go_on(config, report=print):
    """Resume from the newest intact checkpoint, and return it."""
    newest = CheckpointFolder(config.Saver.saver_directory).newest_intact(report)
    train(config, resume_folder=newest, quiet=True)
    return newest


def main(folder, annotations, step):
    sync = checkpoint._sync

    def kill_in_the_middle(path):
        if f'.partial-step-{int(step):08}' in path and path.endswith('.index'):
            os.kill(os.getpid(), signal.SIGKILL)
        sync(path)

    checkpoint._sync = kill_in_the_middle
    train_one_layer(pytest.MonkeyPatch())
    go_on(tiny_config(folder, annotations))


if __name__ == '__main__':
    main(*sys.argv[1:])
