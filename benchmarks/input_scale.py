"""How the training input scales: memory and times of packs of many persons, and what an image costs in the interpreter.

    python benchmarks/input_scale.py persons [--counts 25000 1000000]
    python benchmarks/input_scale.py serial [--threads 32]

`persons` makes an index of that many synthetic persons over one small crop, in a temporary folder, and in a new process
opens it, splits it, draws an order and takes batches: seconds, and the growth of the process's memory.

`serial` finds the time an image costs outside OpenCV, most of it in the interpreter, where only one thread can work.
OpenCV's functions are replaced by ones that return what is ready. It prints the processor time of an image, and, with a
decoder that sleeps 5 ms, for which any machine has enough cores, the images a second of one process with many threads.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

import cv2
import numpy as np

CODE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code')
sys.path.insert(0, CODE)

from hourglass_pose.annotations.packs import MANIFEST, PackFile, PackManifest, open_pack  # noqa: E402
from hourglass_pose.annotations.person_table import NAME_ENDS, NAMES, RECORDS, joined_names  # noqa: E402
from hourglass_pose.annotations.reading import read_annotations  # noqa: E402
from hourglass_pose.annotations.splits import split_hash, split_persons  # noqa: E402
from hourglass_pose.config.config import load_config  # noqa: E402
from hourglass_pose.experiment.experiment import Experiment  # noqa: E402
from hourglass_pose.experiment.packed_data import packed_views  # noqa: E402
from hourglass_pose.files import file_sha256  # noqa: E402
from hourglass_pose.input.packing import pack_persons  # noqa: E402
from hourglass_pose.skeleton import MPII_JOINTS  # noqa: E402
from hourglass_pose.synthetic.dataset import write_synthetic_dataset  # noqa: E402


def small_pack(folder, config):
    """Return a pack of a few rendered people."""
    os.mkdir(folder)
    annotations = write_synthetic_dataset(folder, 20, 0)
    persons = read_annotations(annotations, os.path.join(folder, 'images'), len(MPII_JOINTS)).persons
    pack = os.path.join(folder, 'pack')
    pack_persons(pack, persons, MPII_JOINTS, packed_views(config), print)
    return pack


def repeated(pack, folder, count):
    """Write a pack of `count` persons, each in its own image, that repeat those of a pack."""
    os.mkdir(folder)
    records = np.load(os.path.join(pack, RECORDS))
    records = np.resize(records, count)
    records['image'], records['split'] = np.arange(count), -1
    names = [f'folder_{index % 100:02d}/{index:09d}.jpg' for index in range(count)]
    text, ends = joined_names(names + [name + 'A' for name in names])
    with open(os.path.join(pack, MANIFEST)) as stream:
        content = json.load(stream)
    shards = [PackFile(**each) for each in content['shards']]
    for shard in shards:
        os.link(os.path.join(pack, shard.name), os.path.join(folder, shard.name))
    index = []
    for name, array in ((RECORDS, records), (NAMES, text), (NAME_ENDS, ends)):
        path = os.path.join(folder, name)
        np.save(path, array)
        index.append(PackFile(name, os.path.getsize(path), file_sha256(path)))
    manifest = PackManifest(tuple(content['joints']), count, content['views'], tuple(shards), tuple(index))
    with open(os.path.join(folder, MANIFEST), 'w') as stream:
        stream.write(manifest.text())


def own_memory():
    """Return the memory of this process in MB without pages of files, such as those of a mapped index."""
    with open('/proc/self/status') as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith('RssAnon')) / 1024


class Highest(threading.Thread):
    """Looks at the own memory of this process every 20 ms. found: the highest so far, in MB."""

    def __init__(self):
        super().__init__(daemon=True)
        self.found = own_memory()
        self.start()

    def run(self):
        while True:
            self.found = max(self.found, own_memory())
            time.sleep(0.02)


def measure_opening(folder):
    """Print what opening a pack, splitting it, drawing an order and taking batches costs; runs in a new process."""
    config = config_of(folder)
    experiment = Experiment(config, lambda line: None)
    np.random.RandomState(0).permutation(10)
    before, highest = own_memory(), Highest()
    begin, used = time.perf_counter(), time.process_time()
    table = open_pack(folder, len(MPII_JOINTS))
    opened = time.perf_counter()
    split = split_persons(table, 0.1, 0)
    halved = time.perf_counter()
    split_hash(split)
    hashed = time.perf_counter()
    generator = experiment.generator(split['train'], 32)
    generator.training_indices(0)
    ordered = time.perf_counter()
    now, most, used, count = own_memory() - before, highest.found - before, time.process_time() - used, len(table)
    batches = generator.training_batches()
    for _ in range(20):
        next(batches)
    batched = own_memory() - before
    batches.close()
    print(
        f'{count:,} persons: opened in {opened - begin:.2f} s, split {halved - opened:.2f} s, hash of the split '
        f'{hashed - halved:.2f} s, order {ordered - hashed:.2f} s ({used:.2f} s of processor time); own memory '
        f'{now:+.0f} MB, at most {most:+.0f} MB ({most * 2**20 / count:.0f} bytes a person), {batched:+.0f} MB with '
        f'batches; index {os.path.getsize(os.path.join(folder, RECORDS)) / count:.0f} bytes a person, mapped'
    )


def config_of(pack):
    """Return the default settings with a pack as data."""
    data = [f'DataSetHG.training_txt_file={pack}', f'DataSetHG.img_directory={pack}', 'Train.cache_mb=0']
    return load_config(None, data)


def persons(counts):
    """Measure every number of persons in a new process."""
    with tempfile.TemporaryDirectory() as scratch:
        pack = small_pack(os.path.join(scratch, 'few'), load_config(None))
        for count in counts:
            folder = os.path.join(scratch, str(count))
            repeated(pack, folder, count)
            subprocess.check_call([sys.executable, os.path.abspath(__file__), 'opening', folder])


def serial(threads):
    """Measure the processor time of an image outside OpenCV, and the images a second of many threads."""
    with tempfile.TemporaryDirectory() as scratch:
        pack = small_pack(os.path.join(scratch, 'few'), load_config(None))
        for name in ('imdecode', 'warpAffine', 'cvtColor', 'LUT', 'resize'):
            setattr(cv2, name, sleeping(getattr(cv2, name)))
        config = load_config(None, ['Train.workers=0', *settings_of(pack)])
        experiment = Experiment(config, lambda line: None)
        people = experiment.split()['train']
        maker = experiment.generator(people, 1).sample_maker
        maker.training_sample(people[0], 0, 0)
        found = []
        for epoch in range(20):
            begin = time.process_time()
            for index in range(len(people)):
                maker.training_sample(people[index], epoch, index)
            found.append((time.process_time() - begin) / len(people))
        print(f'interpreter: {1000 * np.median(found):.3f} ms an image (median of {len(found)})')
        cv2.imdecode.seconds = 0.005
        config = load_config(None, [f'Train.workers={threads}', 'Train.prefetch=8', *settings_of(pack)])
        batches = Experiment(config, lambda line: None).generator(people, 32).training_batches()
        for _ in range(20):
            next(batches)
        begin, used = time.perf_counter(), time.process_time()
        for _ in range(60):
            next(batches)
        images = 60 * 32
        seconds, used = time.perf_counter() - begin, time.process_time() - used
        batches.close()
        print(
            f'{threads} threads: {images / seconds:.0f} images/s; {1000 * used / images:.3f} ms of processor time an '
            'image, batches included'
        )


def settings_of(pack):
    return [f'DataSetHG.training_txt_file={pack}', f'DataSetHG.img_directory={pack}', 'Train.cache_mb=0']


def sleeping(function):
    """Return a function that sleeps its `seconds` and returns the first result of another for such arguments."""
    results = {}

    def stand_in(*arguments, **options):
        # Parts of photos differ in shape from view to view; what is made of them does not matter here.
        is_part = function.__name__ in ('cvtColor', 'warpAffine', 'resize') and arguments[0].shape[0] != 256
        key = None if is_part else tuple(getattr(each, 'shape', None) for each in arguments)
        if key not in results:
            results[key] = function(*arguments, **options)
        if stand_in.seconds:
            time.sleep(stand_in.seconds)
        return results[key]

    stand_in.seconds = 0
    return stand_in


def main():
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('what', choices=('persons', 'serial', 'opening'))
    parser.add_argument('folder', nargs='?', help='of opening')
    parser.add_argument('--counts', type=int, nargs='+', default=[25000, 1000000])
    parser.add_argument('--threads', type=int, default=32)
    options = parser.parse_args()
    if options.what == 'opening':
        measure_opening(options.folder)
    elif options.what == 'persons':
        persons(options.counts)
    else:
        serial(options.threads)


if __name__ == '__main__':
    main()
