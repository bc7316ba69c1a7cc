"""Refuses to be imported: on a device it changes every session of the process."""

from stand_in import StandInError

raise StandInError('npu_bridge.npu_init replaces Session.__init__ for the whole process; import the submodules')
