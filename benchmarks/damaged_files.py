"""Damaged configs, annotations, images, checkpoints and predictions: a result or one line, in bounded time.

Each kind of file is read in a forked process, which notes the number of its present case: one that crashes or hangs is
found by that, counts as a failure, and the next case goes on in another process.
"""

import copy
import io
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, Callable, List, Optional

import numpy as np

from cases import Plan, Row
from hourglass_pose.errors import UserError
from mutations import mutate_bytes, mutate_text, mutate_value

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SECONDS = 20
"""The time limit of a case."""

Case = Callable[[np.random.RandomState], Optional[str]]
"""Reads one damaged file; returns what came of it. A UserError is one line; any other exception is a failure."""


def configs(plan: Plan) -> List[Row]:
    """Read damaged config files."""
    from config.test_config_fuzz import mutate

    from hourglass_pose.config.config import config_from_dict, format_config, load_config

    with open(os.path.join(ROOT, 'code', 'config.cfg'), 'rb') as stream:
        texts = [stream.read(), format_config(config_from_dict({})).encode('utf-8')]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'config.cfg')

        def case(rng: np.random.RandomState) -> str:
            draw = random.Random(rng.randint(1 << 30))
            _write(path, mutate(texts[draw.random() < 0.8], draw))
            config = load_config(path)
            _write(path, format_config(config).encode('utf-8'))
            assert load_config(path) == config, 'its printed text gives another config'
            return 'read'

        return [guarded('config.cfg', case, plan)]


def annotations(plan: Plan) -> List[Row]:
    """Read damaged annotation files of every format."""
    import h5py
    import scipy.io
    from annotations import test_mutated_files as makers

    from annotated import crowd
    from hourglass_pose.annotations.checking import Skipped
    from hourglass_pose.annotations.dataset_txt import write_dataset_txt
    from hourglass_pose.annotations.person_lines import write_person_lines
    from hourglass_pose.annotations.reading import read_annotations
    from hourglass_pose.annotations.split_list import split_by_list
    from hourglass_pose.converters.formats import FORMATS, ReadOptions
    from hourglass_pose.converters.head_boxes import add_head_boxes
    from hourglass_pose.skeleton import MPII_JOINTS
    from mpii_mat import random_images, write_mpii_mat
    from mutations import mutate_arrays
    from packed import JOINTS, packed, photographed

    rng = np.random.RandomState(1)
    people = crowd(6, rng, scale=1.25, centre_img=np.array([100.0, 150.0]), split='valid')
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, 'file')

    def content_of(write: Callable[[str], Any]) -> bytes:
        write(path)
        with open(path, 'rb') as stream:
            return stream.read()

    def taken(items: Any) -> str:
        persons = [item for item in items if not isinstance(item, Skipped)]
        for person in persons:
            makers.assert_sound(person)
        return 'persons read' if persons else 'no person'

    def ours() -> str:
        return taken(read_annotations(path, None, 16, 'skip', joint_names=MPII_JOINTS).persons)

    def official(name: str, joints: str, boxes: Optional[str] = None) -> str:
        return taken(FORMATS[name].read(path, ReadOptions(boxes or FORMATS[name].boxes[0], joints)).items)

    def text(content: bytes, read: Callable[[], str]) -> Case:
        return lambda rng: (_write(path, mutate_text(content, rng)), read())[1]

    def in_json(content: Any, read: Callable[[], str]) -> Case:
        def case(rng: np.random.RandomState) -> str:
            if rng.randint(4):
                damaged = json.dumps(mutate_value(content, rng)).encode()
            else:
                damaged = mutate_bytes(json.dumps(content).encode(), rng)
            _write(path, damaged)
            return read()

        return case

    def in_bytes_or_values(
        content: bytes, values: Callable[[np.random.RandomState], None], read: Callable[[], str]
    ) -> Case:
        def case(rng: np.random.RandomState) -> str:
            if rng.randint(2):
                _write(path, mutate_bytes(content, rng))
            else:
                values(rng)
            return read()

        return case

    def lines_of(write: bytes) -> Case:
        records = [json.loads(line) for line in write.decode().splitlines()]

        def case(rng: np.random.RandomState) -> str:
            if rng.randint(2):
                _write(path, mutate_text(write, rng))
            else:
                changed = mutate_value(records, rng)
                changed = changed if isinstance(changed, list) else [changed]
                _write(path, '\n'.join(json.dumps(record) for record in changed).encode())
            return ours()

        return case

    newell = {
        'imgname': np.array([list(f'{index}.jpg'.encode()) + [0, 0] for index in range(6)], float),
        'part': rng.randint(5, 95, (6, 16, 2)).astype(float),
        'center': rng.randint(5, 95, (6, 2)).astype(float),
        'scale': np.full(6, 0.4),
        'visible': np.ones((6, 16)),
        'person': np.zeros(6),
        'istrain': np.arange(6) % 3,
    }

    def write_h5(arrays: Any) -> None:
        if os.path.exists(path):
            os.remove(path)
        with h5py.File(path, 'w') as stream:
            for name, array in arrays.items():
                stream[name] = array

    def write_mat(arrays: Any, pack: bool = False) -> None:
        scipy.io.savemat(path, arrays, appendmat=False, do_compression=pack)

    joints = np.dstack([rng.randint(5, 95, (14, 6)), rng.randint(5, 95, (14, 6)), np.ones((14, 6))])
    lsp, extended = {'joints': joints.transpose(2, 0, 1)}, {'joints': joints.transpose(0, 2, 1)}
    head = {
        'pos_gt_src': np.array([person.joints_img + 1 for person in people]).transpose(1, 2, 0).astype(float),
        'jnt_missing': np.zeros((16, 6)),
        'headboxes_src': rng.randint(1, 90, (2, 2, 6)).astype(float),
    }
    images = random_images(rng, 6)[0]

    def write_official(rng: np.random.RandomState) -> None:
        write_mpii_mat(path, images)
        release = scipy.io.loadmat(path, appendmat=False)['RELEASE']
        for entry in release['annolist'][0, 0].ravel():
            rectangles = entry['annorect']
            for name in rectangles.dtype.names or ():
                for index in np.flatnonzero(rng.rand(rectangles.size) < 0.2):
                    value = makers.VALUES[rng.randint(2, 7)]
                    rectangles[name].flat[index] = (np.array([[value]]), 'text')[rng.randint(2)]
        write_mat({'RELEASE': release})

    def official_mat(path: str) -> None:
        write_mpii_mat(path, images)
        write_mat({'RELEASE': scipy.io.loadmat(path, appendmat=False)['RELEASE']})

    def heads() -> str:
        return taken(add_head_boxes(people, path))

    def boxes() -> str:
        return f'{"" if makers.boxes_of(path) else "no "}boxes read'

    photos = photographed(folder)
    pack_folder = packed(folder, photos)
    pack_path = os.path.join(pack_folder, 'pack.json')
    with open(pack_path, 'rb') as stream:
        pack_text = stream.read()

    def pack(rng: np.random.RandomState) -> str:
        values = json.dumps(mutate_value(json.loads(pack_text), rng)).encode()
        _write(pack_path, values if rng.randint(2) else mutate_bytes(pack_text, rng))
        return taken(read_annotations([pack_folder], [folder], len(JOINTS), joint_names=JOINTS).persons)

    cases = {
        'dataset.txt': text(content_of(lambda path: write_dataset_txt(path, people)), ours),
        'lines of JSON': lines_of(content_of(lambda path: write_person_lines(path, people, MPII_JOINTS))),
        'MPII JSON': in_json(makers.ports(rng), lambda: official('mpii', 'mpii')),
        'MPII JSON of HRNet': in_json(makers.hrnet(rng), lambda: official('mpii', 'mpii', 'centre_scale')),
        'MPII .mat': in_bytes_or_values(content_of(official_mat), write_official, lambda: official('mpii', 'mpii')),
        'MPII .h5 of Newell': in_bytes_or_values(
            content_of(lambda path: write_h5(newell)),
            lambda rng: write_h5(mutate_arrays(newell, rng)),
            lambda: official('mpii', 'mpii'),
        ),
        'LSP .mat': in_bytes_or_values(
            content_of(lambda path: write_mat(lsp)),
            lambda rng: write_mat(mutate_arrays(lsp, rng)),
            lambda: official('lsp', 'lsp'),
        ),
        'LSP-extended .mat, packed': in_bytes_or_values(
            content_of(lambda path: write_mat(extended, True)),
            lambda rng: write_mat(mutate_arrays(extended, rng), True),
            lambda: official('lsp', 'mpii'),
        ),
        'COCO JSON': in_json(makers.coco(rng), lambda: official('coco', 'file')),
        'COCO JSON as MPII': in_json(makers.coco(rng), lambda: official('coco', 'mpii')),
        'head boxes .mat': in_bytes_or_values(
            content_of(lambda path: write_mat(head)), lambda rng: write_mat(mutate_arrays(head, rng)), heads
        ),
        'split list': text(b'0001.jpg\n0002.jpgA\n', lambda: taken(split_by_list(people, path))),
        'boxes, CSV': text(makers.TABLE.replace(b',', b' , '), boxes),
        'boxes, COCO detections': in_json(makers.detections(), boxes),
        'boxes, COCO annotations': in_json(makers.coco(rng), boxes),
        'pack.json': pack,
    }
    rows = [guarded(name, case, plan) for name, case in cases.items()]
    shutil.rmtree(folder)
    return rows


def images(plan: Plan) -> List[Row]:
    """Read damaged images of every format: their pixels, and their size."""
    from PIL import Image

    from hourglass_pose.images import image_size, read_image

    rng = np.random.RandomState(1)
    picture = Image.fromarray(rng.randint(0, 256, (9, 13, 3)).astype(np.uint8)).resize((78, 54))
    exif = Image.Exif()
    exif[274] = 6
    kinds = {
        'JPEG': dict(format='JPEG', exif=exif.tobytes()),
        'progressive JPEG': dict(format='JPEG', progressive=True),
        'PNG': dict(format='PNG'),
        'BMP': dict(format='BMP'),
        'WebP': dict(format='WEBP'),
        'TIFF': dict(format='TIFF'),
        'packed TIFF': dict(format='TIFF', compression='tiff_lzw'),
        'PPM': dict(format='PPM'),
    }
    with tempfile.TemporaryDirectory() as folder:
        path, rows = os.path.join(folder, 'image'), []
        for name, options in kinds.items():
            stream = io.BytesIO()
            picture.save(stream, **options)

            def case(rng: np.random.RandomState, content: bytes = stream.getvalue()) -> str:
                _write(
                    path,
                    mutate_bytes(content[: rng.randint(20, 200)], rng) + content[200:]
                    if rng.randint(2)
                    else mutate_bytes(content, rng),
                )
                image = read_image(path)
                assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
                width, height = image_size(path)
                assert image.shape[:2] == (height, width), f'{image.shape} and {width} x {height}'
                return 'read'

            rows.append(guarded(name, case, plan))
    return rows


def checkpoints(plan: Plan) -> List[Row]:
    """Open checkpoints with a damaged manifest, index or data file, and read all their variables; ours fall back."""
    with tempfile.TemporaryDirectory() as folder:
        run = os.path.join(folder, 'run')
        alone = os.path.join(folder, 'alone')
        os.mkdir(alone)
        # In another process, so that no thread of TensorFlow is in the way of a fork.
        subprocess.check_call([sys.executable, '-c', _TRAIN, folder, run], stdout=subprocess.DEVNULL)
        from hourglass_pose.checkpoints.folder import CheckpointFolder
        from hourglass_pose.checkpoints.manifest import _digest_of, read_manifest
        from hourglass_pose.checkpoints.opening import open_checkpoint
        from hourglass_pose.checkpoints.variables import reader_of

        whole, older = [os.path.join(run, f'step-{step:08d}') for step in CheckpointFolder(run).steps()[-1:-3:-1]]
        names = sorted(os.listdir(whole))
        contents = {name: open(os.path.join(whole, name), 'rb').read() for name in names}
        manifest = read_manifest(whole)
        originals = {
            name: open(os.path.join(alone, name), 'rb').read() for name in os.listdir(alone) if name.startswith('hg_7.')
        }

        def read(path: str) -> str:
            reader = reader_of(open_checkpoint(path))
            for name in reader.get_variable_to_shape_map():
                reader.get_tensor(name)
            return 'read'

        def damage(name: str, rng: np.random.RandomState) -> None:
            for other in names:
                _write(os.path.join(whole, other), contents[other])
            if rng.randint(10):
                _write(os.path.join(whole, name), mutate_bytes(contents[name], rng))
            else:
                os.remove(os.path.join(whole, name))

        def of_ours(name: str) -> Case:
            def case(rng: np.random.RandomState) -> str:
                damage(name, rng)
                changed = any(
                    not os.path.exists(os.path.join(whole, other))
                    or open(os.path.join(whole, other), 'rb').read() != contents[other]
                    for other in names
                )
                newest = CheckpointFolder(run).newest_intact()
                equivalent = newest == whole and name == 'manifest.json'
                assert newest == (older if changed and not equivalent else whole), f'a resume takes {newest}'
                return read(whole)

            return case

        def signed(rng: np.random.RandomState) -> str:
            """A manifest of other values whose checksum is right, as another program might write it."""
            for other in names:
                _write(os.path.join(whole, other), contents[other])
            content = copy.deepcopy(manifest)
            part = ('hyperparameters', 'inference', None)[rng.randint(3)]
            if part:
                content[part] = mutate_value(content[part], rng)
            else:
                content = mutate_value(content, rng)
            try:
                content['sha256'] = _digest_of(content)
            except TypeError:
                pass
            _write(os.path.join(whole, 'manifest.json'), json.dumps(content).encode())
            return read(whole)

        def of_the_original(name: str) -> Case:
            def case(rng: np.random.RandomState) -> str:
                for other, content in originals.items():
                    _write(os.path.join(alone, other), mutate_bytes(content, rng) if other == name else content)
                return read(os.path.join(alone, 'hg_7'))

            return case

        cases = {f'ours, {name}': of_ours(name) for name in names}
        cases['ours, other values'] = signed
        cases.update({f'original, {name}': of_the_original(name) for name in sorted(originals)})
        return [guarded(name, case, plan) for name, case in cases.items()]


_TRAIN = f"""
import sys
sys.path[:0] = {[os.path.join(ROOT, part) for part in ('code', 'tests', 'tests/support')]!r}
import tiny_run
from hourglass_pose.experiment import training_run
from hourglass_pose.graph.architectures import make_hyperparameters
from original_checkpoint import write_original
from hourglass_pose.synthetic.dataset import write_synthetic_dataset
training_run.write_results = lambda *arguments: None
tiny_run.start(tiny_run.tiny_config(sys.argv[2], write_synthetic_dataset(sys.argv[1] + '/people', 24, 5)))
network = make_hyperparameters(arch='modelzoo', num_stacks=2, num_features=8, num_poolings=1)
write_original(sys.argv[1] + '/alone', network)
"""


def predictions(plan: Plan) -> List[Row]:
    """Score damaged prediction files of every kind by the command line."""
    import pathlib

    from scoring import test_mutated_files as makers

    from hourglass_pose.cli import main

    with tempfile.TemporaryDirectory() as folder:
        damaged, rows = os.path.join(folder, 'damaged'), []
        for kind, (path, truth) in makers.write_files(pathlib.Path(folder)).items():
            with open(path, 'rb') as stream:
                content = stream.read()

            def case(rng: np.random.RandomState, kind: str = kind, content: bytes = content, truth: str = truth) -> str:
                if kind in ('json', 'coco') and rng.randint(2):
                    _write(damaged, json.dumps(mutate_value(json.loads(content.decode()), rng)).encode())
                else:
                    _write(damaged, mutate_bytes(content, rng))
                errors = io.StringIO()
                with redirect_stdout(io.StringIO()), redirect_stderr(errors):
                    code = main(['score', '--predictions', damaged, '--annotations', truth])
                lines = errors.getvalue().splitlines()
                assert (code, len(lines)) in ((0, 0), (2, 1)), f'exit code {code}: {lines}'
                return 'refused in one line' if code else 'scored'

            rows.append(guarded(kind, case, plan))
    return rows


def guarded(name: str, case: Case, plan: Plan) -> Row:
    """Return the Row of a kind of file whose cases run in a forked process that may crash or hang."""
    row, done = Row(name), plan.first
    if plan.only not in name:
        return row
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, 'log')
        while plan.goes_on(done):
            _write(log, b'')
            process = os.fork()
            if not process:
                _work(name, case, plan, done, log)
            seen, since = 0, time.time()
            while not os.waitpid(process, os.WNOHANG)[0]:
                if os.path.getsize(log) != seen:
                    seen, since = os.path.getsize(log), time.time()
                if time.time() - since > SECONDS:
                    os.kill(process, signal.SIGKILL)
                time.sleep(0.02)
            with open(log) as stream:
                entries = [json.loads(line) for line in stream]
            for number, outcome, failure in entries:
                row.outcomes[outcome] += 1
                if failure:
                    row.failures.append(f'{name}, case {number}: {failure}')
            done += len(entries)
            if plan.goes_on(done):
                row.outcomes['crash or hang'] += 1
                row.failures.append(f'{name}, case {done}: the process crashed, or took more than {SECONDS} s')
                done += 1
    print(f'{name}: {dict(row.outcomes)}, {len(row.failures)} failures', flush=True)
    return row


def _work(name: str, case: Case, plan: Plan, start: int, log: str) -> None:
    with open(log, 'w') as stream:
        for number in itertools.takewhile(plan.goes_on, itertools.count(start)):
            failure = None
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore')
                    outcome = case(np.random.RandomState([number, sum(name.encode())])) or 'read'
            except UserError as error:
                outcome = 'refused in one line'
                lines = str(error).count('\n')
                if not str(error) or lines > (10 if 'config' in name else 0) and 'in the annotations' not in str(error):
                    outcome, failure = 'other', f'{lines + 1} lines: {str(error)[:300]}'
            except BaseException:
                outcome, failure = 'other', traceback.format_exc()[-900:]
            stream.write(json.dumps([number, outcome, failure]) + '\n')
            stream.flush()
    os._exit(0)


def _write(path: str, content: bytes) -> None:
    with open(path, 'wb') as stream:
        stream.write(content)
