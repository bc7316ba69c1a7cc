"""Compares the settings of the processes that train together, as those of several machines are in several files."""

from typing import Any, Callable, Dict, List

from hourglass_pose.config.config import Config
from hourglass_pose.config.keys import KEYS
from hourglass_pose.errors import ConfigError

_SECTIONS = ('DataSetHG', 'Network', 'Train', 'Validation')
_OF_DEVICE = ('loss_scale', 'iterations_per_loop', 'precision', 'precision_mode')

# Settings that depend on the machine of a process.
_OF_MACHINE = ('workers', 'prefetch', 'cache_mb')

Exchange = Callable[[Dict[str, Any]], List[Dict[str, Any]]]


def common_settings(config: Config) -> Dict[str, Any]:
    """Return {'Section.key': value} of the settings that decide what is trained, JSON-able, without paths."""
    values = config.as_dict()
    return {
        f'{key.section}.{key.name}': values[key.section][key.name]
        for key in KEYS
        if (key.section in _SECTIONS and key.name not in _OF_MACHINE and not key.rule.is_path)
        or (key.section == 'Device' and key.name in _OF_DEVICE)
    }


def require_same_settings(config: Config, exchange: Exchange) -> None:
    """Check that all processes have the same settings; it is also a meeting of them.

    Args:
        config: of this process.
        exchange: returns the values of all processes by rank, as Runtime.exchange.

    Raises:
        ConfigError: in all processes, if one of them differs from rank 0.
    """
    settings = exchange(common_settings(config))
    for rank, found in enumerate(settings):
        for name, expected in settings[0].items():
            if name not in found or found[name] != expected:
                raise ConfigError(
                    f'config {name}: expected {expected!r} in all processes, as in rank 0, found '
                    f'{found.get(name, "no such key")!r} in rank {rank}; start all with the same settings'
                )
