"""Program of test_host_channel.py: one process of several.

Arguments: rank, number of ranks, port, timeout, task.

work      exchanges 20 messages, then ends as it should
block     exchanges once, then waits for ever, as in a run of the device whose peers do not come
fail      exchanges once, waits for a line of input, then ends with a failure
flood     exchanges once, then exchanges messages of 64 MiB for ever, a line of output before each
"""

import os
import sys
import time

CODE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), 'code')
sys.path.insert(0, CODE)

from hourglass_pose.runtime.host_channel import HostChannel  # noqa: E402  (the path comes first)


def main(rank: int, world_size: int, port: int, timeout: float, task: str) -> None:
    channel = HostChannel(rank, world_size, '127.0.0.1', port, b'job', timeout)
    for number in range(20 if task == 'work' else 1):
        expected = [f'{number} of {other}'.encode() for other in range(world_size)]
        assert channel.exchange(expected[rank]) == expected
    print('met', flush=True)
    if task == 'block':
        time.sleep(3600)
    if task == 'fail':
        sys.stdin.readline()
    while task == 'flood':
        print('next', flush=True)
        channel.exchange(bytes(2**26))
    channel.close(failure='the loss is nan' if task == 'fail' else None)


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
