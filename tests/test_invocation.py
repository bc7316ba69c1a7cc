"""Messages name the commands of the way in which the program was started."""

import pytest

from hourglass_pose.invocation import command


@pytest.mark.parametrize(
    'program, expected',
    [
        ('/home/me/code/train_launcher.py', ('python train_launcher.py', 'python load.py', 'python -m hourglass_pose')),
        ('load.py', ('python train_launcher.py', 'python load.py', 'python -m hourglass_pose')),
        ('/usr/bin/hourglass-pose', ('hourglass-pose train', 'hourglass-pose resume', 'hourglass-pose')),
        (
            '/code/hourglass_pose/__main__.py',
            ('python -m hourglass_pose train', 'python -m hourglass_pose resume', 'python -m hourglass_pose'),
        ),
        ('', ('python -m hourglass_pose train', 'python -m hourglass_pose resume', 'python -m hourglass_pose')),
    ],
)
def test_commands_are_those_of_the_program_that_runs(monkeypatch, program, expected):
    monkeypatch.setattr('sys.argv', [program, 'x'])
    found = (command('train'), command('resume'), command())
    assert found == expected and command('evaluate') == f'{expected[2]} evaluate'
