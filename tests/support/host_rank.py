"""Program of test_host_channel.py: one process of several. Arguments: rank, number of ranks, port, timeout, what to do.

work      exchanges 20 messages, then ends as it should
block     exchanges once, then waits for ever, as in a run of the device whose peers do not come
fail      exchanges once, waits for a line of input, then ends with a failure
"""

import os
import sys
import time

CODE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), 'code')
sys.path.insert(0, CODE)

from hourglass_pose.runtime.host_channel import HostChannel  # noqa: E402  (the path comes first)


def main(rank, world_size, port, timeout, task):
    channel = HostChannel(rank, world_size, '127.0.0.1', port, 'job', timeout)
    for number in range(20 if task == 'work' else 1):
        expected = [('%d of %d' % (number, other)).encode() for other in range(world_size)]
        assert channel.exchange(expected[rank]) == expected
    print('met', flush=True)
    if task == 'block':
        time.sleep(3600)
    if task == 'fail':
        sys.stdin.readline()
    channel.close(failure='the loss is nan' if task == 'fail' else None)


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
