"""Stands in for train_launcher.py and load.py in tests of the scripts: does as the variable BEHAVIOUR says.

Its first argument is the program in whose place it is. It notes its command line and environment in started.json of
its working folder, and never imports TensorFlow.

finish: leaves results and ends. stopped: leaves the speed of a training that a signal to another process has ended.
unfinished: ends without results. wait: until SIGTERM, then 'checkpoint written'.
fail RANK: that rank ends with exit code 7, the others wait. stubborn RANK: as fail, but the others hear no SIGTERM.
lost RANK: as fail, but the others end before it with the exit code of a process that has lost another one.
"""

import json
import os
import signal
import subprocess
import sys
import time

PERFORMANCE = {'images_per_second': 123.456, 'seconds_per_step': 0.25, 'last_loss': 0.0123456789, 'finished': True}
METRICS = {'pckh@0.5': {'mean': 87.654}}


def folder_of(words):
    """Return the folder of the run that a command line names: its first argument to load.py, otherwise a setting."""
    if words[0].endswith('load.py'):
        return words[1]
    return [word.partition('=')[2].strip("'") for word in words if word.startswith('Saver.saver_directory=')][-1]


def wait(heeds):
    asked = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    print('ready', flush=True)
    while not (asked and heeds):
        time.sleep(0.02)
    print(f'checkpoint written after {len(asked)} signals: {asked[0]}', flush=True)


def main():
    rank = os.environ['RANK_ID']
    with open('started.json', 'w') as stream:
        json.dump({'pid': os.getpid(), 'command': sys.argv[2:], 'environ': dict(os.environ)}, stream)
    behaviour, _, failing = os.environ.get('BEHAVIOUR', 'finish').partition(' ')
    print(f'rank {rank} is at work', flush=True)
    if behaviour in ('finish', 'stopped') and rank == '0':
        folder = folder_of(sys.argv[1:])
        os.makedirs(folder, exist_ok=True)
        speed = dict(PERFORMANCE, finished=behaviour == 'finish')
        results = (('performance.json', speed), ('metrics.json', METRICS))
        for name, content in results if speed['finished'] else results[:1]:
            with open(os.path.join(folder, name), 'w') as stream:
                json.dump(content, stream)
    elif behaviour == 'lost' and rank != failing:
        sys.exit(3)
    elif behaviour == 'wait' or (failing and rank != failing):
        wait(behaviour != 'stubborn')
    elif failing:
        # A process of its own, such as a compiler, that nobody ends.
        with open('helper.pid', 'w') as stream:
            stream.write(str(subprocess.Popen(['sleep', '300']).pid))
        time.sleep(1.0 if behaviour == 'lost' else 0.3)
        print('\n'.join(f'line {number} of rank {rank}' for number in range(100)), flush=True)
        sys.exit(7)


if __name__ == '__main__':
    main()
