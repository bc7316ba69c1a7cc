"""State dicts read from files of PyTorch, without running code that such a file may hold."""

import re
import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any, Dict, Iterator

import numpy as np

from hourglass_pose.errors import CheckpointError, UserError

# Keys under which training programs save the state dict, next to the optimizer's state and the epoch.
_WRAPPERS = ('state_dict', 'model_state_dict', 'model')

# Prefixes that DataParallel, and modules that hold the network as `model`, add to each name.
_PREFIXES = re.compile(r'^(?:module\.|model\.)+')

# The first version that can load weights without unpickling objects, and the first without known ways around this
# (CVE-2025-32434, CVE-2026-24747).
_OLDEST, _SAFE = (1, 13), (2, 10)

_INSTALL = (
    'install it with "pip install .[torch]", or run import-weights on a machine that has it: the result needs no '
    'PyTorch'
)


def read_state_dict(path: str) -> Dict[str, np.ndarray]:
    """Return {name: float32 array} of the state dict in a file that torch.save wrote.

    Prints a line about an old PyTorch. Raises UserError if PyTorch is not installed, CheckpointError for a file that
    cannot be read, that can only be read by running code from it, or that holds no state dict.
    """
    torch = _import_torch()
    try:
        with open(path, 'rb') as stream, warnings.catch_warnings(), _numpy_scalars_allowed(torch):
            warnings.simplefilter('ignore')
            contents = torch.load(stream, map_location='cpu', weights_only=True)
    except OSError as error:
        raise CheckpointError(f'{path}: the file cannot be read ({error.strerror or error})')
    except Exception as error:  # a damaged or crafted file can raise any exception
        raise CheckpointError(f'{path}: {_refusal(error)}')
    try:
        return {name: tensor.detach().float().numpy() for name, tensor in unwrap(contents).items()}
    except CheckpointError as error:
        raise CheckpointError(f'{path}: {error}')


def unwrap(contents: Any) -> Dict[str, Any]:
    """Return {name: tensor} of the contents of a file: a state dict, alone or as an entry of a dict.

    The prefixes 'module.' and 'model.' of names are removed. Raises CheckpointError, without a path, if there is no
    state dict.
    """
    while isinstance(contents, Mapping):
        inner = [contents[key] for key in _WRAPPERS if isinstance(contents.get(key), Mapping)]
        if not inner:
            break
        contents = inner[0]
    if not isinstance(contents, Mapping):
        raise CheckpointError(
            f"it holds a {type(contents).__name__} and no state dict; save the network's state_dict() by torch.save"
        )
    others = [str(name) for name, value in contents.items() if not (isinstance(name, str) and hasattr(value, 'shape'))]
    if others or not contents:
        reason = f'not a tensor: {", ".join(others[:3])}' if others else 'it is empty'
        raise CheckpointError(
            f'it holds a dict that is no state dict ({reason}), and none under {", ".join(map(repr, _WRAPPERS))}; save '
            "the network's state_dict() by torch.save"
        )
    state = {_PREFIXES.sub('', name): value for name, value in contents.items()}
    if len(state) < len(contents):
        raise CheckpointError(
            "it holds two sets of weights whose names differ only by the prefix 'module.' or 'model.'; save one of them"
        )
    return state


@contextmanager
def _numpy_scalars_allowed(torch: Any) -> Iterator[None]:
    """Allow single NumPy numbers, such as the best accuracy that training programs save with the weights."""
    safe_globals = getattr(torch.serialization, 'safe_globals', None)
    if safe_globals is None:
        # Before PyTorch 2.5 nothing can be added to the allowed types.
        yield
        return
    make_scalar = np.float64(0).__reduce__()[0]
    kinds = [type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64)]
    # NumPy 2 moved the function; a file names the module of the NumPy that wrote it.
    functions = [(make_scalar, f'{module}.multiarray.scalar') for module in ('numpy.core', 'numpy._core')]
    with safe_globals(functions + [np.dtype] + kinds):
        yield


def _import_torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise UserError(f'PyTorch, which reads the file, cannot be imported ({error}); {_INSTALL}')
    version = tuple(int(number) for number in re.findall(r'\d+', torch.__version__)[:2])
    if version < _OLDEST:
        raise UserError(
            f'PyTorch {torch.__version__} cannot read a file without running code from it, {_OLDEST[0]}.{_OLDEST[1]} '
            f'or newer can; {_INSTALL}'
        )
    if version < _SAFE:
        print(
            f'note: PyTorch {torch.__version__} refuses dangerous files less reliably than {_SAFE[0]}.{_SAFE[1]} '
            '(CVE-2025-32434, CVE-2026-24747): import only files that you trust'
        )
    return torch


def _refusal(error: Exception) -> str:
    """Return one line for what torch.load raised."""
    message = str(error)
    forbidden = re.search(r'GLOBAL (\S+)', message)
    if forbidden:
        return (
            f'refused: besides tensors and plain values it holds {forbidden.group(1)}, and opening that would run code '
            'from the file; if you trust it, save the state dict alone by torch.save(network.state_dict(), FILE)'
        )
    # The rest of a long message advises to open the file unsafely.
    operand = re.search(r'Unsupported operand \d+', message)
    detail = operand.group(0) if operand else re.split(r'[.\n](?:\s|$)', message)[0]
    reason = ': '.join(filter(None, (type(error).__name__, detail[:200])))
    return f'PyTorch cannot read it, it is damaged or no file of torch.save ({reason})'
