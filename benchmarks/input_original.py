"""Training input of this project compared with the generator of the original TensorFlow 1 code, on one core.

    python benchmarks/input_original.py --datagen FILE.PY --annotations FILE --images DIR [--pack DIR] [--config FILE]

FILE.PY is the datagen.py of github.com/wbenbihi/hourglasstensorlfow, which needs scikit-image; it runs unchanged.
FILE is one of the JSON lines of `prepare`. Both take the persons in random order and prepare crops of 256 px with
rotation of up to 30 degrees, each in its own single-threaded process; the original also computes heatmaps, which this
project leaves to the graph. They run in turns, and processor time is counted, so that other processes matter little.
"""

import argparse
import contextlib
import importlib.util
import io
import multiprocessing
import os
import sys
import tempfile
import time
import types

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'code'))

from hourglass_pose.annotations.dataset_txt import write_dataset_txt  # noqa: E402
from hourglass_pose.annotations.person_lines import read_joint_names, read_person_lines  # noqa: E402
from hourglass_pose.config.config import load_config  # noqa: E402
from hourglass_pose.experiment.experiment import Experiment  # noqa: E402

BATCH = 16


def original(datagen, annotations, images):
    """Return an iterator of the original's batches."""
    # Removed from SciPy in 1.3; for uint8 it was Pillow's bilinear resizing.
    misc = types.ModuleType('scipy.misc')
    misc.imresize = lambda image, size: np.asarray(Image.fromarray(image).resize(size[::-1], Image.BILINEAR))
    sys.modules['scipy.misc'] = misc
    import scipy

    scipy.misc = misc
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        sys.modules['matplotlib'] = types.ModuleType('matplotlib')
        sys.modules['matplotlib.pyplot'] = types.ModuleType('matplotlib.pyplot')
    specification = importlib.util.spec_from_file_location('datagen', datagen)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    count = len(read_joint_names(annotations))
    persons = [person for _, person in read_person_lines(annotations, count)]
    folder = os.getcwd()
    with tempfile.TemporaryDirectory() as scratch:
        # It writes its split into the current folder.
        os.chdir(scratch)
        try:
            write_dataset_txt('dataset.txt', persons)
            with contextlib.redirect_stdout(io.StringIO()):
                generator = module.DataGenerator(img_dir=images, train_data_file='dataset.txt')
                generator.generateSet()
                if not generator.train_set:
                    generator.train_set = generator.valid_set
        finally:
            os.chdir(folder)
    return generator.generator(BATCH, 2, True, 'train')


def ours(annotations, images, config):
    """Return an iterator of this project's batches, made on demand by one thread."""
    settings = [f'DataSetHG.training_txt_file={annotations}', f'DataSetHG.img_directory={images}']
    settings += ['Train.cache_mb=0', 'Train.workers=0']
    experiment = Experiment(load_config(config, settings), lambda line: None)
    return experiment.generator(experiment.split()['train'], BATCH).training_batches()


def serve(connection, make, *arguments):
    """Answer every request with the processor time in seconds of a crop; None ends."""
    cv2.setNumThreads(1)
    batches = make(*arguments)
    next(batches)
    while connection.recv():
        begin = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            next(batches)
        connection.send((time.process_time() - begin) / BATCH)


def main():
    """Print the crops a second of each side and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    for name in ('--datagen', '--annotations', '--images'):
        parser.add_argument(name, required=True)
    parser.add_argument('--pack')
    parser.add_argument('--config', help='settings of this project (default: the defaults)')
    parser.add_argument('--blocks', type=int, default=10)
    options = parser.parse_args()
    makers = {'original': (original, options.datagen, options.annotations, os.path.abspath(options.images))}
    makers['photos'] = (ours, options.annotations, options.images, options.config)
    if options.pack:
        makers['pack'] = (ours, options.pack, options.pack, options.config)
    sides = {}
    for name, arguments in makers.items():
        sides[name], other = multiprocessing.Pipe()
        multiprocessing.Process(target=serve, args=(other,) + arguments, daemon=True).start()
    seconds = {name: [] for name in sides}
    for _ in range(options.blocks):
        for name, connection in sides.items():
            connection.send(True)
            seconds[name].append(connection.recv())
    for name, found in seconds.items():
        low, median, high = np.percentile(np.array(seconds['original']) / found, [25, 50, 75])
        print(
            f'{name}: {1 / np.median(found):.0f} crops/s a core, {1000 * np.median(found):.2f} ms; '
            f'{median:.2f} ({low:.2f} to {high:.2f}) x the original'
        )


if __name__ == '__main__':
    main()
