"""The arguments of scripts/run_npu.sh, as ModelZoo writes them, and the settings of config.cfg that they stand for."""

import difflib
import os
import textwrap
from dataclasses import dataclass
from types import SimpleNamespace

from hourglass_pose.errors import LaunchError

TEXT, INTEGER, FLAG, MANY = 'text', 'integer', 'flag', 'many'

_TRUE, _FALSE = ('true', '1', 'yes', 'on'), ('false', '0', 'no', 'off')


@dataclass(frozen=True)
class Argument:
    """One argument --name=value. kind: TEXT, INTEGER, FLAG (True or False; alone it is True) or MANY (repeatable).

    setting: Section.key that the value is for, or ''.
    """

    name: str
    kind: str
    effect: str
    default: object = None
    setting: str = ''


ARGUMENTS = (
    Argument('data_path', TEXT, 'folder with dataset.txt (or one *.jsonl, *.jsonl.gz) and images/'),
    Argument('ckpt_path', TEXT, 'goes on with this run folder, or starts from this checkpoint of the original code'),
    Argument('config', TEXT, 'settings of the run (default: code/config.cfg)'),
    Argument('set', MANY, 'Section.key=value: any other setting; the strongest, may be repeated', ()),
    Argument('batch_size', TEXT, 'persons in a step of one device', setting='Train.batch_size'),
    Argument('train_epochs', TEXT, 'epochs of the run', setting='Train.nEpochs'),
    Argument('train_steps', TEXT, 'steps of an epoch; without train_epochs, of the run', setting='Train.epoch_size'),
    Argument(
        'precision_mode',
        TEXT,
        'allow_mix_precision, allow_fp32_to_fp16, must_keep_origin_dtype, force_fp32, ...',
        setting='Device.precision_mode',
    ),
    Argument(
        'loss_scale', TEXT, "factor on the loss, None for a dynamic one, 'none' for none", setting='Device.loss_scale'
    ),
    Argument('over_dump', FLAG, 'writes out operations that overflow', False),
    Argument('over_dump_path', TEXT, 'where to (default: OUTPUT/overflow_dump)'),
    Argument('data_dump_flag', FLAG, 'writes out the tensors of operations', False),
    Argument('data_dump_step', TEXT, 'in which steps, such as 10 or 0|3-5 (default: 10)'),
    Argument('data_dump_path', TEXT, 'where to (default: OUTPUT/data_dump)'),
    Argument('profiling', FLAG, 'takes the time of every operation', False),
    Argument('profiling_dump_path', TEXT, 'where to (default: OUTPUT/profiling)'),
    Argument('autotune', FLAG, 'taken, and without effect: tune with the tools of the toolkit', False),
    Argument('device_id', INTEGER, 'the device (default: ASCEND_DEVICE_ID, then DEVICE_ID, then 0)'),
    Argument('device_ids', TEXT, 'devices of this server, such as 0,1,2,3 or 0-7'),
    Argument('rank_size', INTEGER, 'processes in all; without device_ids they run on the devices from 0'),
    Argument('rank_table', TEXT, 'rank table (default: RANK_TABLE_FILE, else written from hccn_conf for this server)'),
    Argument('server_id', TEXT, 'which server of the rank table this is (default: the one whose address is here)'),
    Argument('hccn_conf', TEXT, "addresses of the devices' network ports", '/etc/hccn.conf'),
    Argument('output', TEXT, 'folder of logs', 'output'),
    Argument('run_dir', TEXT, 'checkpoints and results of a new run (default: Saver.saver_directory of the config)'),
    Argument('fresh', FLAG, 'sets an earlier run in that folder aside; without effect beside ckpt_path', False),
    Argument('case', TEXT, 'acc or perf: what the case of the result lines is called', 'acc'),
    Argument('stop_seconds', INTEGER, 'how long processes may take to end after one has failed', 60),
    Argument('dry_run', FLAG, 'prints what would be started, and starts nothing', False),
    Argument('help', FLAG, 'prints this', False),
)

_BY_NAME = {argument.name: argument for argument in ARGUMENTS}


def parse_arguments(words):
    """Return the arguments as attributes of an object. words: as in sys.argv, '--key=value' or '--key value'.

    Raises LaunchError.
    """
    values = {argument.name: argument.default for argument in ARGUMENTS}
    waiting = ['--help' if word == '-h' else word for word in words]
    while waiting:
        word = waiting.pop(0)
        argument, equals, text = _split(word)
        if not equals and argument.kind != FLAG:
            if not waiting or waiting[0].startswith('--'):
                raise LaunchError(f'{word}: expected --{argument.name}=value; --help lists all arguments')
            text = waiting.pop(0)
        value = True if argument.kind == FLAG and not equals else _value(argument, text)
        values[argument.name] = values[argument.name] + (value,) if argument.kind == MANY else value
    if values['case'] not in ('acc', 'perf'):
        raise LaunchError(f"--case: expected acc or perf, found '{values['case']}'")
    return SimpleNamespace(**values)


def _split(word):
    """Return (Argument, '=' or '', text of the value)."""
    name, equals, text = word.partition('=')
    if not name.startswith('--'):
        raise LaunchError(f"expected --key=value, found '{word}'; --help lists all arguments")
    name = name[2:]
    if name not in _BY_NAME:
        near = difflib.get_close_matches(name[:60].lower(), _BY_NAME, 1, 0.0)
        raise LaunchError(f'--{name}: unknown argument, the nearest known one is --{near[0]}; --help lists all')
    return _BY_NAME[name], equals, text


def _value(argument, text):
    if argument.kind == FLAG:
        if text.lower() not in _TRUE + _FALSE:
            raise LaunchError(f"--{argument.name}: expected True or False, found '{text}'")
        return text.lower() in _TRUE
    if not text:
        raise LaunchError(f'--{argument.name}: expected a value after =, found none')
    if argument.kind == INTEGER:
        if not text.isdigit():
            raise LaunchError(f"--{argument.name}: expected an integer >= 0, found '{text}'")
        return int(text)
    return text


def settings_of(arguments):
    """Return the overrides 'Section.key=value' that the arguments stand for, but for the data; later ones win."""
    overrides = ["Device.device='npu'"]
    for argument in ARGUMENTS:
        value = getattr(arguments, argument.name)
        if argument.setting and value is not None:
            overrides.append(f'{argument.setting}={value}')
    if arguments.train_steps is not None and arguments.train_epochs is None:
        overrides.append('Train.nEpochs=1')
    if arguments.run_dir and not arguments.ckpt_path:
        overrides.append(f'Saver.saver_directory={arguments.run_dir!r}')
    return overrides + _debugging(arguments) + list(arguments.set)


def debugging_folders(arguments):
    """Return {what: folder} that the run is asked to write for those who look for mistakes. Raises LaunchError."""
    if arguments.over_dump and arguments.data_dump_flag:
        raise LaunchError('--over_dump and --data_dump_flag: the device does one of them at a time; leave one out')
    asked = (
        ('overflow_dump', arguments.over_dump, arguments.over_dump_path),
        ('data_dump', arguments.data_dump_flag, arguments.data_dump_path),
        ('profiling', arguments.profiling, arguments.profiling_dump_path),
    )
    return {
        name: os.path.abspath(path or os.path.join(arguments.output, name)) for name, wanted, path in asked if wanted
    }


def _debugging(arguments):
    folders, overrides = debugging_folders(arguments), []
    if 'overflow_dump' in folders:
        overrides += ['Device.over_dump=True', f'Device.dump_path={folders["overflow_dump"]!r}']
    if 'data_dump' in folders:
        overrides += [
            'Device.data_dump=True',
            f'Device.dump_path={folders["data_dump"]!r}',
            'Device.dump_step=%r' % (arguments.data_dump_step or '10'),
        ]
    if 'profiling' in folders:
        overrides += ['Device.profiling=True', f'Device.profiling_path={folders["profiling"]!r}']
    return overrides


def help_text():
    lines = [
        'usage: bash scripts/run_npu.sh [--key=value ...]',
        '',
        'Trains on the Ascend devices of this server, one process a device.',
        '',
    ]
    for argument in ARGUMENTS:
        name = f'--{argument.name}{"" if argument.kind == FLAG else "=..."}'
        effect = argument.effect
        if argument.kind not in (FLAG, MANY) and argument.default is not None:
            effect += f' (default: {argument.default})'
        lines += textwrap.wrap(effect, 116, initial_indent=f'  {name:26}', subsequent_indent=' ' * 28)
    return '\n'.join(lines)


def document_arguments():
    """Return the arguments as a Markdown table."""
    lines = ['| argument | default | setting | effect |', '| --- | --- | --- | --- |']
    for argument in ARGUMENTS:
        default = '' if argument.kind in (FLAG, MANY) or argument.default is None else f'`{argument.default}`'
        setting = argument.setting and f'`{argument.setting}`'
        lines.append(
            '| `--{}` | {} | {} | {} |'.format(argument.name, default, setting, argument.effect.replace('|', '\\|'))
        )
    return '\n'.join(lines)
