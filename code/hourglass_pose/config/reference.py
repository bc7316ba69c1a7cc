"""The documentation of the keys: the text of config.cfg and the tables of docs/settings.md."""

import textwrap
from typing import Any, List

from hourglass_pose.config.key import Key
from hourglass_pose.config.keys import KEYS, SECTIONS

_WIDTH = 118
_DOCUMENT_COLUMNS = ('key', 'also written', 'default', 'allowed', 'effect')

_HEADER = """\
# The reference experiment: a stacked hourglass of two stacks for the sixteen joints of MPII.
#
# Network: Newell, Yang and Deng, "Stacked Hourglass Networks for Human Pose Estimation", ECCV 2016
# (arXiv:1603.06937), at 256 pixels and 256 channels. The paper trains eight stacks by mean squared error with
# RMSProp and lowers the rate once, to a fifth, when validation stops gaining. The nearest settings here: nStack: 8,
# loss: 'mse', optimizer: 'rmsprop', lear_rate: 2.5e-4, schedule: 'multistep', milestones: [0.8], decay: 0.2.
#
# Time: MPII has about 25,000 labelled persons, so 100 epochs take about 2.3 million crops; divide them by the
# crops a second of the progress bar. The paper reports 3 days for eight stacks on one TitanX GPU.
# Accuracy: the paper reports 90.9 % PCKh@0.5 on MPII's test set; no run of this file has been measured yet.
#
# Commands, in the folder of this file:
#   python train_launcher.py                             train; shows how to get MPII if it is missing
#   python train_launcher.py --synthetic                 render people and train on them
#   python train_launcher.py --set Train.batch_size=8    train with another value of any key
#   python load.py                                       continue from the newest checkpoint
#   python -m hourglass_pose predict --checkpoint ../runs/hourglass/latest PHOTO.jpg --output predictions
#
# Every value is a Python literal: text in quotes, True, False, None, numbers, [lists]. Names of sections and
# keys are read in any case. The values below are the defaults. Relative paths start from this folder.
"""

_SECTION_TITLES = {
    'DataSetHG': 'The data: images, joints, split, crops and augmentation.',
    'Network': 'The network.',
    'Train': 'The training.',
    'Validation': 'The evaluation during training.',
    'Saver': 'The outputs: where and how often they are written.',
    'Device': 'The hardware.',
}


def reference_text() -> str:
    """Return the text of config.cfg: every key with its default, effect and allowed values."""
    lines = [_HEADER]
    for section in SECTIONS:
        lines += [f'[{section}]', f'# {_SECTION_TITLES[section]}', '']
        for key in _keys_of(section):
            lines += _comment(key) + _setting(key) + ['']
    return '\n'.join(lines[:-1]) + '\n'


def _comment(key: Key) -> List[str]:
    effect = f'{key.effect[0].upper()}{key.effect[1:]}.' + (f' {key.note}' if key.note else '')
    allowed = f'Allowed: {key.rule.allowed}.' + (f' Also written {key.other}.' if key.other else '')
    # The allowed values begin a new line, unless everything fits into one.
    texts = [f'{effect} {allowed}'] if len(f'# {effect} {allowed}') <= _WIDTH else [effect, allowed]
    return [
        line
        for text in texts
        for line in textwrap.wrap(
            text, _WIDTH, initial_indent='# ', subsequent_indent='# ', break_long_words=False, break_on_hyphens=False
        )
    ]


def _setting(key: Key) -> List[str]:
    return textwrap.wrap(f'{key.name}: {_literal(key.default)}', _WIDTH, subsequent_indent='    ')


def document_keys() -> str:
    """Return the keys as Markdown: for each section its name in bold and a table of its keys."""
    lines = []
    for section in SECTIONS:
        lines += [f'**[{section}]**', '', _row(_DOCUMENT_COLUMNS), _row(['---'] * len(_DOCUMENT_COLUMNS))]
        for key in _keys_of(section):
            other = key.other and f'`{key.other}`'
            cells = (f'`{key.name}`', other, f'`{_literal(key.default)}`', key.rule.allowed, key.effect)
            lines.append(_row(cells).replace('\\', '\\\\'))
        lines.append('')
    return '\n'.join(lines)


def _row(cells: Any) -> str:
    return f'| {" | ".join(cells)} |'


def _literal(value: Any) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)


def _keys_of(section: str) -> List[Key]:
    return [key for key in KEYS if key.section == section]
