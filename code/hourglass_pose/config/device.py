"""What the keys of [Device] demand of each other and of the loop: found before anything is compiled for a device."""

from hourglass_pose.runtime.npu_precision import has_float16, is_mixed, mode_of

NPU_KEYS = {
    'precision_mode': None,
    'modify_mixlist': None,
    'jit_compile': None,
    'data_dump': False,
    'over_dump': False,
    'profiling': False,
}
"""Keys that mean something on an NPU alone, with the values at which they do nothing."""


def device_contradictions(values):
    """Yield (key name, what it would have to be, what it is), as config_keys.contradictions does."""
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
            'a file with %s' % (values['precision_mode'] or "precision 'float32'"),
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


def _dump_contradictions(values):
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


def _loop_contradictions(values):
    steps = values['iterations_per_loop']
    for name in ('saver_step', 'epoch_size'):
        # An epoch_size of None follows from the data, which is checked when it is read.
        if values[name] is not None and values[name] % steps:
            yield name, 'a multiple of iterations_per_loop, %d' % steps, '%d' % values[name]
