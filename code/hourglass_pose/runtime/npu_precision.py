"""The precision modes of an NPU and their properties.

This module has no dependencies, so that a config is checked without TensorFlow.
"""

from typing import Optional

NEWER_MODES = ('cube_fp16in_fp32out', 'allow_mix_precision_fp16', 'allow_mix_precision_bf16', 'allow_fp32_to_bf16')
"""Modes that the adapter of December 2023 knows and that of February 2021 does not."""
PRECISION_MODES = ('allow_mix_precision', 'allow_fp32_to_fp16', 'must_keep_origin_dtype', 'force_fp32') + NEWER_MODES
"""Modes for training."""
ATC_PRECISION_MODES = (
    'allow_mix_precision',
    'allow_fp32_to_fp16',
    'force_fp16',
    'must_keep_origin_dtype',
    'force_fp32',
)
"""Modes of ATC, the compiler of offline models; the first one is the default."""
_WITHOUT_FLOAT16 = ('must_keep_origin_dtype', 'force_fp32', 'allow_mix_precision_bf16', 'allow_fp32_to_bf16')


def mode_of(precision: str, precision_mode: Optional[str] = None) -> str:
    """Return the NPU's mode for [Device] precision and precision_mode.

    'float32' is float32 where the device supports it: the matrix unit of the 910 supports only float16.
    """
    return precision_mode or ('allow_fp32_to_fp16' if precision == 'float32' else 'allow_mix_precision')


def has_float16(mode: str) -> bool:
    """Return whether some of the arithmetic has float16's narrow range, so that the loss has to be scaled."""
    return mode not in _WITHOUT_FLOAT16


def is_mixed(mode: str) -> bool:
    """Return whether a list of operations (modify_mixlist) may change their precision."""
    return mode.startswith('allow_mix_precision')
