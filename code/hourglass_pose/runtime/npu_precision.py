"""The precision modes of an NPU, and what follows from each.

It has no dependencies, so that a config is checked without TensorFlow.
"""

from typing import Optional

NEWER_MODES = ('cube_fp16in_fp32out', 'allow_mix_precision_fp16', 'allow_mix_precision_bf16', 'allow_fp32_to_bf16')
"""Known to the adapter of December 2023, not to that of February 2021."""
PRECISION_MODES = ('allow_mix_precision', 'allow_fp32_to_fp16', 'must_keep_origin_dtype', 'force_fp32') + NEWER_MODES
"""Those for training."""
_WITHOUT_FLOAT16 = ('must_keep_origin_dtype', 'force_fp32', 'allow_mix_precision_bf16', 'allow_fp32_to_bf16')


def mode_of(precision: str, precision_mode: Optional[str] = None) -> str:
    """Return the NPU's mode for [Device] precision and precision_mode.

    'float32' is float32 wherever the device has it: the matrix unit of the 910 has float16 only.
    """
    return precision_mode or ('allow_fp32_to_fp16' if precision == 'float32' else 'allow_mix_precision')


def has_float16(mode: str) -> bool:
    """Return whether some of the arithmetic has float16's narrow range, so that the loss has to be scaled."""
    return mode not in _WITHOUT_FLOAT16


def is_mixed(mode: str) -> bool:
    """Return whether a list of operations (modify_mixlist) may change their precision."""
    return mode.startswith('allow_mix_precision')
