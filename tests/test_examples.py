"""The examples run unchanged, on a few rendered people."""

import os
import subprocess
import sys

import pytest
from conftest import CODE

from hourglass_pose.synthetic.dataset import write_synthetic_dataset
from hourglass_pose.synthetic.walks import SyntheticVideo
from hourglass_pose.videos import VideoWriter
from stand_in_predictor import SIZE_WH, StandInPredictor, numbered_image

EXAMPLES = os.path.join(os.path.dirname(CODE), 'examples')


@pytest.mark.slow
def test_the_training_loop_of_the_docs_ends_with_a_score(tmp_path):
    annotations = write_synthetic_dataset(str(tmp_path), 12, 0)
    sizes = dict(Network__nFeat=8, Network__nStack=1, Network__nLow=2, Network__img_size=32, Train__batch_size=2)
    settings = dict(sizes, DataSetHG__valid_fraction=0.3)
    call = (
        'from train_from_python import train\n'
        f'evaluation = train({annotations!r}, {str(tmp_path / "images")!r}, 2, **{settings!r})\n'
        'print("persons", evaluation.result.num_persons, evaluation.result.metrics["pckh@0.5"]["mean"])\n'
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([CODE, EXAMPLES]))
    done = subprocess.run([sys.executable, '-c', call], env=environment, capture_output=True, encoding='utf-8')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-2].startswith('step 2: loss ')
    _, persons, score = lines[-1].split()
    assert int(persons) >= 1 and 0 <= float(score) <= 100


def test_the_squats_of_rendered_people_are_counted(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from count_squats import count_squats

    video = SyntheticVideo(12, 2, 188, SIZE_WH, motion='squat')
    path = str(tmp_path / 'squats.mp4')
    with VideoWriter(path, video.fps, SIZE_WH) as writer:
        for number in range(video.num_frames):
            writer.write(numbered_image(number))
    # A squat is deepest in the middle of a cycle; the video begins and ends with straight knees.
    phases = [(actor.phases[0], actor.phases[-1]) for actor in video._actors]
    assert all(abs(edge % 1 - 0.5) > 0.25 for edges in phases for edge in edges)
    expected = [round(last) - round(first) for first, last in phases]
    assert sorted(count_squats(path, StandInPredictor(video, 0.3), persons=2).values()) == sorted(expected) == [3, 3]
