"""The keys of [Device], and the contradictions between them, which are found before anything is compiled."""

from hourglass_pose.config.key import Contradictions, Key, Values
from hourglass_pose.config.rules import file, folder, json_object, loss_scale, step_ranges
from hourglass_pose.rules import boolean, choice, integer, number, or_none
from hourglass_pose.runtime.npu_precision import PRECISION_MODES, has_float16, is_mixed, mode_of

_SECTION = 'Device'

DEVICE_KEYS = (
    Key(
        _SECTION,
        'device',
        'auto',
        choice('auto', 'cpu', 'gpu', 'npu'),
        'where the network runs; auto selects an NPU, otherwise a GPU, otherwise the CPU',
    ),
    Key(
        _SECTION,
        'precision',
        'auto',
        choice('auto', 'float32', 'mixed'),
        'arithmetic; mixed is bfloat16 on a CPU and float16 elsewhere; auto is float32 on a GPU, otherwise mixed if '
        'that is faster',
    ),
    Key(
        _SECTION,
        'loss_scale',
        None,
        loss_scale(),
        "factor on the loss in float16; None adapts it, from 2^16 on an NPU; 'none' leaves the loss as it is",
    ),
    Key(_SECTION, 'intra_threads', 0, integer(0), 'processor threads of one operation; 0 is all cores'),
    Key(
        _SECTION,
        'iterations_per_loop',
        1,
        integer(1),
        'training steps of one call of the device; saver_step and epoch_size are multiples of it',
    ),
    Key(
        _SECTION,
        'precision_mode',
        None,
        or_none(choice(*PRECISION_MODES)),
        "the NPU's own name for its arithmetic; None follows precision",
    ),
    Key(
        _SECTION,
        'modify_mixlist',
        None,
        or_none(file()),
        'JSON file of operations that an NPU keeps in, or takes out of, float16; mixed precision only',
    ),
    Key(
        _SECTION,
        'jit_compile',
        None,
        or_none(choice('true', 'false', 'auto')),
        'when an NPU compiles operations: before the run, never or as needed; None is its default',
    ),
    Key(_SECTION, 'data_dump', False, boolean(), 'an NPU writes the tensors of operations into dump_path'),
    Key(_SECTION, 'over_dump', False, boolean(), 'an NPU writes operations that overflow into dump_path'),
    Key(_SECTION, 'dump_path', None, or_none(folder()), 'existing folder for data_dump and over_dump'),
    Key(_SECTION, 'dump_step', None, or_none(step_ranges()), 'steps that data_dump writes; None is all'),
    Key(_SECTION, 'dump_mode', 'output', choice('input', 'output', 'all'), 'tensors that data_dump writes'),
    Key(_SECTION, 'profiling', False, boolean(), 'an NPU measures the steps into profiling_path'),
    Key(_SECTION, 'profiling_path', None, or_none(folder()), 'existing folder for profiling'),
    Key(
        _SECTION,
        'profiling_options',
        None,
        or_none(json_object()),
        "the NPU's own options of profiling, as JSON without output; None traces the steps and the tasks",
    ),
    Key(
        _SECTION,
        'rank_timeout',
        60,
        number(5, 86400),
        'seconds without a message after which one of several processes counts as lost',
    ),
    Key(
        _SECTION,
        'rank_port',
        None,
        or_none(integer(1024, 65535)),
        'port at which the first of several processes waits for the others; None is 29517 on NPUs, and elsewhere the '
        'port above those of TF_CONFIG',
    ),
)

NPU_KEYS = {
    'precision_mode': None,
    'modify_mixlist': None,
    'jit_compile': None,
    'data_dump': False,
    'over_dump': False,
    'profiling': False,
}
"""Keys that have an effect on an NPU only, with the values at which they have none."""


def device_contradictions(values: Values) -> Contradictions:
    """Yield the contradictions between the keys of [Device], and between them and the keys of the training loop."""
    if values['device'] in ('cpu', 'gpu'):
        for name, idle in NPU_KEYS.items():
            if values[name] != idle:
                yield name, f"{idle!r}, or device 'npu'", f"{values[name]!r} with device '{values['device']}'"
    if values['precision_mode'] is not None and values['precision'] != 'auto':
        yield 'precision', "'auto' with a precision_mode", f"'{values['precision']}'"
    mode = mode_of(values['precision'], values['precision_mode'])
    if values['modify_mixlist'] is not None and not is_mixed(mode):
        yield (
            'modify_mixlist',
            'None, or mixed precision',
            f"""a file with {values['precision_mode'] or "precision 'float32'"}""",
        )
    if type(values['loss_scale']) is float and not has_float16(mode):
        yield (
            'loss_scale',
            f"None or 'none' with precision_mode '{values['precision_mode']}', which has no float16",
            f'{values["loss_scale"]:g}',
        )
    yield from _dump_contradictions(values)
    if values['iterations_per_loop'] > 1:
        yield from _loop_contradictions(values)


def _dump_contradictions(values: Values) -> Contradictions:
    if values['data_dump'] and values['over_dump']:
        yield 'over_dump', 'False with data_dump: an NPU does one of them at a time', 'True'
    if (values['data_dump'] or values['over_dump']) and values['dump_path'] is None:
        yield 'dump_path', f'a folder with {"data_dump" if values["data_dump"] else "over_dump"}', 'None'
    if values['dump_step'] is not None and not values['data_dump']:
        yield 'dump_step', 'None without data_dump', f"'{values['dump_step']}'"
    if values['profiling'] and values['profiling_path'] is None:
        yield 'profiling_path', 'a folder with profiling', 'None'
    if values['profiling_options'] is not None and not values['profiling']:
        yield 'profiling_options', 'None without profiling', f"'{values['profiling_options']}'"


def _loop_contradictions(values: Values) -> Contradictions:
    steps = values['iterations_per_loop']
    for name in ('saver_step', 'epoch_size'):
        # An epoch_size of None follows from the data, which is checked when it is read.
        if values[name] is not None and values[name] % steps:
            yield name, f'a multiple of iterations_per_loop, {steps}', f'{values[name]}'
