"""How the device's arithmetic treats what is too large."""

import os

from stand_in import gate, state

NEWER = ('is_inf_nan_enabled',)

if state() == 'A23':

    def is_inf_nan_enabled():
        """Tell whether an overflow gives infinity; else it saturates and leaves a mark in the register."""
        return os.environ.get('HOURGLASS_STAND_IN_INF_NAN') == '1'


__getattr__ = gate('npu_plugin', NEWER, NEWER)
