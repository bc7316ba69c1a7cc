"""The arguments of scripts/run_npu.sh, in the style of ModelZoo, and the config.cfg settings that they stand for."""

import argparse
import difflib
import os
from dataclasses import dataclass
from typing import Any, Dict, List, NoReturn, Sequence

from hourglass_pose.errors import LaunchError


def _text(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError('expected a value after =, found none')
    return text


def _number(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected an integer >= 0, found '{text}'")
    return int(text)


def _flag(text: str) -> bool:
    words = {'true': True, '1': True, 'yes': True, 'on': True, 'false': False, '0': False, 'no': False, 'off': False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"expected True or False, found '{text}'")
    return words[text.lower()]


# The kinds of arguments, as options of add_argument. A flag without a value is True.
TEXT: Dict[str, Any] = {'type': _text, 'metavar': '...'}
NUMBER: Dict[str, Any] = {'type': _number, 'metavar': '...'}
CASE: Dict[str, Any] = {'choices': ('acc', 'perf'), 'metavar': '...'}
MANY: Dict[str, Any] = {'type': _text, 'metavar': '...', 'action': 'append'}
FLAG: Dict[str, Any] = {'type': _flag, 'metavar': 'True', 'nargs': '?', 'const': True}
HELP: Dict[str, Any] = {'action': 'store_true'}


@dataclass(frozen=True)
class Argument:
    """One argument --name=value. setting: Section.key that the value is for, or ''."""

    name: str
    kind: Dict[str, Any]
    effect: str
    default: Any = None
    setting: str = ''

    @property
    def shown_default(self) -> str:
        """The default as text, '' for none and for a flag."""
        return '' if self.default in (None, False) else str(self.default)


ARGUMENTS = (
    Argument('data_path', TEXT, 'folder with dataset.txt (or one *.jsonl, *.jsonl.gz) and images/'),
    Argument('ckpt_path', TEXT, 'resumes this run folder, or starts from this checkpoint of the original code'),
    Argument('config', TEXT, 'settings of the run (default: code/config.cfg)'),
    Argument('set', MANY, 'Section.key=value: any other setting; overrides all others, may be repeated'),
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
    Argument('over_dump', FLAG, 'dumps operations that overflow', False),
    Argument('over_dump_path', TEXT, 'folder of the overflow dump (default: OUTPUT/overflow_dump)'),
    Argument('data_dump_flag', FLAG, 'dumps the tensors of operations', False),
    Argument('data_dump_step', TEXT, 'steps whose tensors are dumped, such as 10 or 0|3-5 (default: 10)'),
    Argument('data_dump_path', TEXT, 'folder of the dump (default: OUTPUT/data_dump)'),
    Argument('profiling', FLAG, 'measures the time of every operation', False),
    Argument('profiling_dump_path', TEXT, 'folder of the profile (default: OUTPUT/profiling)'),
    Argument('autotune', FLAG, 'accepted without effect: use the tuning tools of the toolkit', False),
    Argument('device_id', NUMBER, 'the device (default: ASCEND_DEVICE_ID, then DEVICE_ID, then 0)'),
    Argument('device_ids', TEXT, 'devices of this server, such as 0,1,2,3 or 0-7'),
    Argument('rank_size', NUMBER, 'total number of processes; without device_ids they run on the devices from 0'),
    Argument(
        'rank_table', TEXT, 'rank table (default: RANK_TABLE_FILE, otherwise written from hccn_conf for this server)'
    ),
    Argument(
        'server_id', TEXT, 'the server of the rank table that this is (default: the one with an address of this server)'
    ),
    Argument('hccn_conf', TEXT, "file with the addresses of the devices' network ports", '/etc/hccn.conf'),
    Argument('output', TEXT, 'folder of logs', 'output'),
    Argument('run_dir', TEXT, 'checkpoints and results of a new run (default: Saver.saver_directory of the config)'),
    Argument('fresh', FLAG, 'sets an earlier run in that folder aside; without effect if ckpt_path is given', False),
    Argument('case', CASE, 'acc or perf: the case name in the result lines', 'acc'),
    Argument('stop_seconds', NUMBER, 'seconds that processes may take to end after one has failed', 60),
    Argument('dry_run', FLAG, 'prints the commands without starting them', False),
    Argument('help', HELP, 'prints this help', False),
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LaunchError(f'{message.replace("argument --", "--")}; --help lists all arguments')


def _parser() -> _Parser:
    parser = _Parser(
        prog='bash scripts/run_npu.sh',
        usage='%(prog)s [--key=value ...]',
        description='Trains on the Ascend devices of this server, one process a device.',
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=30, width=118),
        allow_abbrev=False,
        add_help=False,
    )
    for argument in ARGUMENTS:
        names = ['-h', '--help'] if argument.name == 'help' else [f'--{argument.name}']
        default = f' (default: {argument.shown_default})' if argument.shown_default else ''
        parser.add_argument(*names, help=argument.effect + default, default=argument.default, **argument.kind)
    return parser


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments as attributes. words: as in sys.argv, '--key=value' or '--key value'. Raises LaunchError."""
    arguments, unknown = _parser().parse_known_args(list(words))
    if unknown:
        name = unknown[0].partition('=')[0]
        if not name.startswith('--'):
            raise LaunchError(f"expected --key=value, found '{unknown[0]}'; --help lists all arguments")
        known = [f'--{argument.name}' for argument in ARGUMENTS]
        near = difflib.get_close_matches(name[:60].lower(), known, 1, 0.0)
        raise LaunchError(f'{name}: unknown argument, the nearest known one is {near[0]}; --help lists all arguments')
    arguments.set = arguments.set or []
    return arguments


def settings_of(arguments: argparse.Namespace) -> List[str]:
    """Return the overrides 'Section.key=value' that the arguments stand for, without the data; later ones win."""
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


def debugging_folders(arguments: argparse.Namespace) -> Dict[str, str]:
    """Return {kind: folder} of the dumps and profiles that the run writes. Raises LaunchError."""
    if arguments.over_dump and arguments.data_dump_flag:
        raise LaunchError(
            '--over_dump and --data_dump_flag: the device can do only one of them at a time; leave one out'
        )
    asked = (
        ('overflow_dump', arguments.over_dump, arguments.over_dump_path),
        ('data_dump', arguments.data_dump_flag, arguments.data_dump_path),
        ('profiling', arguments.profiling, arguments.profiling_dump_path),
    )
    return {
        name: os.path.abspath(path or os.path.join(arguments.output, name)) for name, wanted, path in asked if wanted
    }


def _debugging(arguments: argparse.Namespace) -> List[str]:
    folders = debugging_folders(arguments)
    overrides: List[str] = []
    if 'overflow_dump' in folders:
        overrides += ['Device.over_dump=True', f'Device.dump_path={folders["overflow_dump"]!r}']
    if 'data_dump' in folders:
        overrides += [
            'Device.data_dump=True',
            f'Device.dump_path={folders["data_dump"]!r}',
            f'Device.dump_step={arguments.data_dump_step or "10"!r}',
        ]
    if 'profiling' in folders:
        overrides += ['Device.profiling=True', f'Device.profiling_path={folders["profiling"]!r}']
    return overrides


def help_text() -> str:
    """Return the help with all arguments."""
    return _parser().format_help()


def document_arguments() -> str:
    """Return the arguments as a Markdown table."""
    lines = ['| argument | default | setting | effect |', '| --- | --- | --- | --- |']
    for argument in ARGUMENTS:
        default = argument.shown_default and f'`{argument.shown_default}`'
        setting = argument.setting and f'`{argument.setting}`'
        effect = argument.effect.replace('|', '\\|')
        lines.append(f'| `--{argument.name}` | {default} | {setting} | {effect} |')
    return '\n'.join(lines)
