"""Every key of config.cfg, declared once, and the contradictions between keys."""

from hourglass_pose.config.data_keys import DATA_KEYS, data_contradictions
from hourglass_pose.config.device_keys import DEVICE_KEYS, device_contradictions
from hourglass_pose.config.key import Contradictions, Values
from hourglass_pose.config.network_keys import network_contradictions, network_keys
from hourglass_pose.config.training_keys import TRAINING_KEYS, training_contradictions

KEYS = (*DATA_KEYS, *network_keys(), *TRAINING_KEYS, *DEVICE_KEYS)

SECTIONS = tuple(dict.fromkeys(key.section for key in KEYS))

KEY_BY_SPELLING = {spelling.lower(): key for key in KEYS for spelling in (key.name, key.other) if spelling}


def contradictions(values: Values) -> Contradictions:
    """Yield the contradictions between values each of which is allowed by itself.

    values: all values, with derived ones filled in.
    """
    yield from data_contradictions(values)
    yield from network_contradictions(values)
    yield from training_contradictions(values)
    if values['person'] and not values['negative_prob']:
        yield 'negative_prob', 'a number > 0 with person True, for instance 0.25', '0'
    if values['negative_prob'] and not values['person']:
        yield 'negative_prob', '0, or person True', f'{values["negative_prob"]:g} with person False'
    yield from device_contradictions(values)
