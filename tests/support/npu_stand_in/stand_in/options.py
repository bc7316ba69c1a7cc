"""The keys of an NpuOptimizer's parameter_map, of which kind each is, and which values go together."""

import json
import os
import re

from stand_in import StandInError, size, state

ON, OFF, NO_MEMORY_OPTIMIZATION = 1, 2, 1

BOTH = {
    'b': 'dynamic_input enable_compress_weight enable_data_pre_proc enable_dump enable_dump_debug hcom_multi_mode '
    'hcom_parallel is_tailing_optimization lower_functional_ops mix_compile_mode profiling_mode use_off_line '
    'variable_format_optimize',
    'i': 'dynamic_node_type enable_exception_dump enable_small_channel graph_run_mode iterations_per_loop '
    'local_rank_id op_debug_level session_device_id task_index',
    's': 'auto_tune_mode buffer_optimize compress_weight_conf debug_dir dump_debug_mode dump_mode dump_path dump_step '
    'dynamic_dims dynamic_graph_execute_mode dynamic_inputs_shape_range enable_scope_fusion_passes '
    'fusion_switch_file graph_memory_max_size input_shape job local_device_list op_compiler_cache_dir '
    'op_compiler_cache_mode op_select_implmode optypelist_for_implmode precision_mode profiling_options '
    'stream_max_parallel_num variable_memory_max_size work_path',
}
ONLY = {
    'A21': {'b': '', 'i': '', 's': 'mstune_mode'},
    'A23': {
        'b': 'enable_graph_parallel external_weight frozen_variable',
        'i': 'deterministic graph_exec_timeout hccl_timeout op_execute_timeout op_wait_timeout '
        'stream_sync_timeout topo_sorting_mode',
        's': 'HCCL_algorithm aoe_config_file aoe_mode customize_dtypes dump_data dump_layer '
        'graph_compiler_cache_dir jit_compile memory_optimization_policy modify_mixlist '
        'op_debug_config op_precision_mode precision_mode_v2',
    },
}

PRECISION_MODES = {
    'A21': {'allow_fp32_to_fp16', 'allow_mix_precision', 'must_keep_origin_dtype', 'force_fp32', 'force_fp16'},
    'A23': {
        'allow_fp32_to_fp16',
        'allow_mix_precision',
        'must_keep_origin_dtype',
        'force_fp32',
        'force_fp16',
        'allow_mix_precision_fp16',
        'allow_mix_precision_bf16',
        'allow_fp32_to_bf16',
        'cube_fp16in_fp32out',
    },
}


def kinds_of_keys():
    """Return {key: 'b', 'i' or 's'} of the state played."""
    return {key: kind for table in (BOTH, ONLY[state()]) for kind, keys in table.items() for key in keys.split()}


def read_options(config):
    """Return {key: value} of the NpuOptimizer in a ConfigProto, None where there is none. Raises StandInError."""
    customs = [c for c in config.graph_options.rewrite_options.custom_optimizers if c.name == 'NpuOptimizer']
    others = [c.name for c in config.graph_options.rewrite_options.custom_optimizers if c.name != 'NpuOptimizer']
    if others or len(customs) > 1:
        raise StandInError(
            f'custom_optimizers: expected one NpuOptimizer, found {others + ["NpuOptimizer"] * len(customs)}'
        )
    if not customs:
        return None
    kinds, options = kinds_of_keys(), {}
    for key, attribute in customs[0].parameter_map.items():
        kind = attribute.WhichOneof('value')
        if key not in kinds:
            raise StandInError(f'parameter_map: {state()} does not read {key!r}, it would be ignored')
        if kind != kinds[key]:
            raise StandInError(
                f'parameter_map[{key!r}]: set as .{kind} but read as .{kinds[key]}, the default would be used'
            )
        value = getattr(attribute, kind)
        options[key] = value.decode('utf-8') if kind == 's' else value
    check(options, config)
    return options


def check(options, config):
    """Raise StandInError for options that contradict each other, or a session config that does not suit them."""
    rewrite = config.graph_options.rewrite_options
    refuse(rewrite.remapping != OFF, 'rewrite_options.remapping has to be OFF')
    refuse(
        rewrite.memory_optimization not in (OFF, NO_MEMORY_OPTIMIZATION),
        'rewrite_options.memory_optimization has to be OFF',
    )
    refuse(rewrite.auto_mixed_precision == ON, 'auto_mixed_precision is for other devices')
    refuse(config.graph_options.optimizer_options.global_jit_level > 0, 'XLA is not for this device')
    refuse(options.get('use_off_line') is not True, 'use_off_line has to be True')
    refuse(options.get('graph_run_mode', 1) not in (0, 1), 'graph_run_mode has to be 0 or 1')
    check_precision(options)
    check_dump(options)
    check_profiling(options)
    loop = options.get('iterations_per_loop', 1)
    refuse(loop < 1, 'iterations_per_loop has to be at least 1')
    refuse(loop > 1 and not options.get('enable_data_pre_proc'), 'iterations_per_loop needs enable_data_pre_proc')
    refuse(loop > 1 and options.get('mix_compile_mode'), 'iterations_per_loop forbids mix_compile_mode')
    refuse(size() > 1 and 'session_device_id' in options, 'session_device_id is not for several ranks')


def check_precision(options):
    mode, newer_mode = options.get('precision_mode'), options.get('precision_mode_v2')
    refuse(mode is not None and newer_mode is not None, 'precision_mode and precision_mode_v2 exclude each other')
    refuse(mode is not None and mode not in PRECISION_MODES[state()], f'precision_mode: {mode!r} is unknown')
    refuse(mode == 'force_fp16' and options.get('graph_run_mode', 1) == 1, 'force_fp16 is for inference')
    mixed = (mode or '').startswith('allow_mix') or (newer_mode or '').startswith('mixed')
    mixlist = options.get('modify_mixlist')
    refuse(mixlist is not None and not mixed, 'modify_mixlist needs a mixed precision mode')
    refuse(mixlist is not None and not os.path.isfile(mixlist), f'modify_mixlist: {mixlist!r} is no file')
    refuse(options.get('jit_compile', 'auto') not in ('true', 'false', 'auto'), 'jit_compile: true, false or auto')


def check_dump(options):
    dump, debug = options.get('enable_dump', False), options.get('enable_dump_debug', False)
    refuse(dump and debug, 'enable_dump and enable_dump_debug exclude each other')
    path = options.get('dump_path', '')
    refuse(
        (dump or debug) and not (os.path.isdir(path) and os.access(path, os.W_OK)),
        f'dump_path: {path!r} is not a folder that can be written',
    )
    refuse(not re.match(r'^(\d+(-\d+)?)(\|\d+(-\d+)?)*$', options.get('dump_step', '0')), 'dump_step is like 0|3-5')
    refuse(options.get('dump_mode', 'output') not in ('input', 'output', 'all'), 'dump_mode: input, output or all')
    refuse(
        options.get('dump_debug_mode', 'all') not in ('aicore_overflow', 'atomic_overflow', 'all'),
        'dump_debug_mode: aicore_overflow, atomic_overflow or all',
    )


def check_profiling(options):
    if not options.get('profiling_mode', False):
        return
    try:
        profiling = json.loads(options.get('profiling_options', ''))
    except ValueError:
        raise StandInError(f'profiling_options: expected JSON, found {options.get("profiling_options")!r}')
    refuse(not os.path.isdir(profiling.get('output', '')), 'profiling_options: output is not a folder')


def refuse(is_wrong, message):
    if is_wrong:
        raise StandInError(message)
