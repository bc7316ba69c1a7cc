"""The command line: the files that each command writes, and one line for each mistake of the user."""

import glob
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from conftest import CODE
from PIL import Image

from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.annotations.splits import split_persons
from hourglass_pose.cli import SUBCOMMANDS, main, report_mistakes
from hourglass_pose.evaluation.pckh import PckhEvaluator
from hourglass_pose.skeleton import Skeleton
from hourglass_pose.tf_compat import tf

# Of counted joints, and those that follow every error smoothly.
COUNTED = {'pckh@0.5', 'pckh@0.1', 'pck@0.2', 'auc', 'argmax_accuracy', 'box_pck_auc'}
METRICS = COUNTED | {'oks'}


def read_json(*path):
    with open(os.path.join(*path)) as stream:
        return json.load(stream)


@pytest.fixture
def refuse(capsys):
    """Return a function that runs a command which has to fail by the user's mistake, and returns its message."""

    def run(*arguments, **expected):
        capsys.readouterr()
        try:
            code = main(list(arguments))
        except SystemExit as end:
            code = end.code
        message = capsys.readouterr().err
        assert code == 2
        assert message.startswith('error: ') and 'Traceback' not in message
        assert message.count('\n') == expected.get('lines', 1)
        return message

    return run


@pytest.fixture
def run_copy(command_line_run, tmp_path):
    """Return a copy of the finished run's folder, to be changed."""
    return shutil.copytree(command_line_run.folder, str(tmp_path / 'run'), symlinks=True)


@pytest.fixture
def photo(command_line_run):
    return os.path.join(command_line_run.images, '000001.jpg')


def below_a_file(tmp_path):
    """Return a folder that cannot be created, not even by root, who needs no permission."""
    (tmp_path / 'file').write_text('')
    return str(tmp_path / 'file' / 'folder')


def test_a_command_line_that_cannot_be_understood_is_answered_in_one_line(refuse):
    assert 'SUBCOMMAND' in refuse()
    assert "'tarin'" in refuse('tarin')
    assert '--output' in refuse('synthesize', '--images', '1')


def test_a_subcommand_loads_its_own_module_only():
    program = (
        'import sys\n'
        'from hourglass_pose.cli import main\n'
        'try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n'
        'print([name for name in sys.modules if name.startswith("hourglass_pose.cli.")])'
    )
    for arguments, loaded in ((['resume', '--help'], 2), (['--help'], len(SUBCOMMANDS))):
        done = subprocess.run([sys.executable, '-c', program, *arguments], cwd=CODE, text=True, capture_output=True)
        assert done.stdout.splitlines()[-1].count("'") // 2 >= loaded
        assert ('hourglass_pose.cli.train' in done.stdout.splitlines()[-1]) == (arguments == ['--help'])


@pytest.mark.parametrize(
    'error, parts',
    [
        (OSError(28, 'No space left on device', '/full/a.json'), ['/full/a.json', 'No space left on device']),
        (IsADirectoryError(21, 'Is a directory', 'b.json'), ['b.json', 'Is a directory']),
        (OSError('cannot\nwrite'), ['cannot write']),
    ],
)
def test_an_error_of_the_disk_is_one_line_with_path_and_reason(error, parts, capsys):
    def fail():
        raise error

    assert report_mistakes(fail) == 2
    message = capsys.readouterr().err
    assert message.startswith('error: ') and message.count('\n') == 1
    assert all(part in message for part in parts)


def test_names_that_the_output_cannot_show_are_escaped(tmp_path):
    for encoding, folder in (('ascii', '\u4eba\u7269'), ('utf-8:strict', 'caf\udce9')):
        missing = str(tmp_path / folder)
        environment = dict(os.environ, PYTHONIOENCODING=encoding)
        command = [sys.executable, '-m', 'hourglass_pose', 'resume', missing]
        done = subprocess.run(command, cwd=CODE, env=environment, capture_output=True)
        assert done.returncode == 2 and b'Traceback' not in done.stderr
        assert done.stderr.startswith(b'error: ') and b'\\u' in done.stderr


def test_without_a_config_file_the_defaults_are_used_and_a_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    missing = str(tmp_path / 'none.txt')
    assert main(['train', '--set', f'DataSetHG.training_txt_file={missing}']) == 2
    captured = capsys.readouterr()
    assert 'no config.cfg in this folder' in captured.out and captured.out.count('\n') == 1
    assert missing in captured.err


def test_mistakes_in_the_config_name_the_file_and_the_nearest_key(refuse, tmp_path):
    assert 'nothing.cfg' in refuse('train', '--config', str(tmp_path / 'nothing.cfg'))
    config = tmp_path / 'wrong.cfg'
    config.write_text('[Train]\nbatchsize: 4\n')
    message = refuse('train', '--config', str(config))
    assert 'wrong.cfg [Train] batchsize' in message and 'nearest known key is batch_size' in message
    assert 'nStacks' in refuse('train', '--config', os.path.join(CODE, 'config.cfg'), '--set', 'Network.nStaks=1')


def test_missing_data_is_named_with_the_ways_to_get_some(refuse, command_line_run, tmp_path):
    missing = str(tmp_path / 'dataset.txt')
    message = refuse('train', '--config', command_line_run.config, '--set', 'DataSetHG.training_txt_file=' + missing)
    for part in (missing, 'human-pose.mpi-inf.mpg.de', '--synthetic', 'DataSetHG.img_directory'):
        assert part in message


def test_a_missing_image_is_named_with_its_line(refuse, command_line_run, tmp_path):
    with open(command_line_run.annotations) as stream:
        lines = stream.read().splitlines()
    lines[2] = 'nobody.jpg' + lines[2].split('.jpg', 1)[1]
    annotations = tmp_path / 'dataset.txt'
    annotations.write_text('\n'.join(lines) + '\n')
    # A heading, the location, the advice.
    message = refuse(
        'train',
        '--config',
        command_line_run.config,
        '--set',
        f'DataSetHG.training_txt_file={annotations}',
        '--set',
        f'Saver.saver_directory={tmp_path / "run"}',
        lines=3,
    )
    assert f'{annotations}:3: there is no image' in message and 'nobody.jpg' in message


def test_a_folder_for_results_that_cannot_be_made_is_named(refuse, command_line_run, photo, tmp_path):
    folder = below_a_file(tmp_path)
    run = command_line_run
    for arguments in (
        ('train', '--config', run.config, '--set', 'Saver.saver_directory=' + folder),
        ('train', '--config', run.config, '--synthetic', '--set', 'Saver.saver_directory=' + folder + '/run'),
        ('predict', '--checkpoint', run.folder, photo, '--output', folder),
        (
            'evaluate',
            '--checkpoint',
            run.folder,
            '--annotations',
            run.annotations,
            '--images',
            run.images,
            '--output',
            folder,
        ),
        ('synthesize', '--output', folder, '--images', '1'),
    ):
        message = refuse(*arguments)
        assert folder in message and 'cannot be written' in message


def test_an_earlier_run_is_kept_and_the_ways_on_are_named(refuse, command_line_run):
    before = sorted(os.listdir(command_line_run.folder))
    message = refuse('train', '--config', command_line_run.config)
    assert '--fresh' in message and ' resume ' in message and 'Saver.saver_directory' in message
    assert sorted(os.listdir(command_line_run.folder)) == before


def test_resume_without_a_checkpoint_or_with_another_network_is_refused(refuse, run_copy, tmp_path):
    assert 'there is no such checkpoint' in refuse('resume', str(tmp_path / 'none'))
    message = refuse('resume', run_copy, '--set', 'Network.nFeat=16')
    assert 'another network' in message and 'nFeat: 8 / 16' in message
    # The mistaken setting must not stick.
    with open(os.path.join(run_copy, 'config.cfg')) as stream:
        assert 'nFeat: 8' in stream.read()


def test_the_scripts_end_with_one_line_on_the_real_error_stream(tmp_path):
    folder = str(tmp_path / 'run')
    for script, arguments, part in (
        ('train_launcher.py', ['--set', 'DataSetHG.training_txt_file=' + str(tmp_path / 'none.txt')], 'synthetic'),
        ('load.py', ['--set', 'Saver.saver_directory=' + folder], folder),
    ):
        ended = subprocess.run([sys.executable, script] + arguments, cwd=CODE, text=True, capture_output=True)
        assert ended.returncode == 2 and ended.stdout == ''
        assert ended.stderr.startswith('error: ') and ended.stderr.count('\n') == 1 and part in ended.stderr


def test_a_wrong_box_or_checkpoint_for_prediction_is_refused(refuse, command_line_run, photo, tmp_path):
    predict = ['predict', '--checkpoint', command_line_run.folder, '--output', str(tmp_path / 'out'), photo]
    for box in ('1,2,3', 'a,b,c,d', '1,2,3,4,5', ''):
        message = refuse(*predict + ['--box', box])
        assert '--box' in message and 'x,y,width,height' in message
    assert 'within the photo' in refuse(*predict + ['--box', '9000,0,10,10'])
    other = os.path.join(command_line_run.images, '000002.jpg')
    assert 'one photo, found 2' in refuse(*predict + [other, '--box', '0,0,9,9'])
    predict[2] = str(tmp_path / 'none')
    assert 'there is no such checkpoint' in refuse(*predict)
    assert 'no such file' in refuse(*predict + [str(tmp_path / 'none.jpg')])


def test_training_leaves_the_promised_files(command_line_run):
    folder = command_line_run.folder
    for name in (
        'latest/manifest.json',
        'best/manifest.json',
        'config.cfg',
        'history.csv',
        'metrics.json',
        'predictions.json',
        'report.html',
    ):
        assert os.path.getsize(os.path.join(folder, name)) > 0
    for name in ('pckh.png', 'predictions.png'):
        assert cv2.imread(os.path.join(folder, name)).std() > 10
    assert set(read_json(folder, 'metrics.json')) == METRICS | {'baselines', 'protocol', 'breakdown', 'worst_persons'}
    tags = {
        side: {
            value.tag
            for path in glob.glob(os.path.join(folder, 'log_' + side, 'events*'))
            for event in tf.train.summary_iterator(path)
            for value in event.summary.value
        }
        for side in ('train', 'test')
    }
    assert {'loss', 'learning_rate', 'images_per_second', 'samples'} <= tags['train']
    assert METRICS | {'predictions'} <= tags['test']
    with open(os.path.join(folder, 'history.csv')) as stream:
        assert [line.split(',')[:2] for line in stream] == [['epoch', 'step'], ['1', '2'], ['2', '4']]


def validation_persons(run):
    return split_persons(read_annotations(run.annotations, run.images, 16).persons, 0.3, 0)['valid']


def evaluate(run, output, *options):
    """Return the exit code of evaluating a run on its own data, on the CPU."""
    data = ['--annotations', run.annotations, '--images', run.images, '--device', 'cpu']
    return main(['evaluate', '--checkpoint', run.folder, '--output', output, *data, *options])


def test_evaluate_measures_the_validation_persons_as_training_did(command_line_run, tmp_path):
    run, output = command_line_run, str(tmp_path / 'out')
    assert evaluate(run, output, '--split', 'valid', '--batch-size', '4') == 0
    found, expected = read_json(output, 'metrics.json'), read_json(run.folder, 'metrics.json')
    assert {name: found[name] for name in COUNTED} == {name: expected[name] for name in COUNTED}
    assert found['oks']['mean'] == pytest.approx(expected['oks']['mean'], rel=1e-3)
    assert found['baselines'] == expected['baselines']
    measured = read_json(output, 'predictions.json')['predictions']
    assert [person['person_id'] for person in measured] == [person.person_id for person in validation_persons(run)]
    # Training validates in batches and evaluate one by one, which may differ in the last bits of a heatmap; a step of
    # the decoding follows it smoothly, so poses agree to a small part of a pixel.
    for found, expected in zip(measured, read_json(run.folder, 'predictions.json')['predictions']):
        np.testing.assert_allclose(found['joints_img'], expected['joints_img'], atol=0.01)


def test_scoring_the_predictions_file_gives_the_metrics(command_line_run, tmp_path):
    run, output = command_line_run, str(tmp_path / 'out')
    assert evaluate(run, output, '--flip-test', 'off', '--decoding', 'quarter') == 0
    metrics = read_json(output, 'metrics.json')
    assert metrics['protocol']['flip_test'] is False and metrics['protocol']['decoding'] == 'quarter'
    persons = {person.person_id: person for person in read_annotations(run.annotations, run.images, 16).persons}
    predicted = read_json(output, 'predictions.json')['predictions']
    assert {entry['person_id'] for entry in predicted} == set(persons) and len(predicted) == len(persons)
    evaluator = PckhEvaluator(Skeleton())
    for index, entry in enumerate(predicted):
        person = persons[entry['person_id']]
        evaluator.add([index], [entry['joints_img']], [person.joints_img], [person.labelled])
    for name in COUNTED - {'argmax_accuracy', 'box_pck_auc'}:
        assert evaluator.result().metrics[name] == metrics[name]


def test_a_validation_run_measures_without_training(command_line_run, run_copy):
    steps = sorted(glob.glob(os.path.join(run_copy, 'step-*')))
    expected = read_json(run_copy, 'metrics.json')
    os.remove(os.path.join(run_copy, 'metrics.json'))
    assert (
        main(
            [
                'train',
                '--config',
                command_line_run.config,
                '--set',
                'Train.training=False',
                '--set',
                'Saver.saver_directory=' + run_copy,
            ]
        )
        == 0
    )
    assert read_json(run_copy, 'metrics.json')['pckh@0.5'] == expected['pckh@0.5']
    assert sorted(glob.glob(os.path.join(run_copy, 'step-*'))) == steps


@pytest.mark.slow
def test_resuming_a_finished_run_writes_its_results_again(command_line_run, run_copy, capsys):
    expected = read_json(run_copy, 'metrics.json')
    os.remove(os.path.join(run_copy, 'metrics.json'))
    assert main(['resume', run_copy]) == 0
    assert 'the run is finished' in capsys.readouterr().out
    found = read_json(run_copy, 'metrics.json')
    assert {name: found[name] for name in METRICS} == {name: expected[name] for name in METRICS}
    # The run was moved: it goes on where it is now.
    assert found['protocol']['checkpoint'] == os.path.join(run_copy, 'latest')
    assert len(os.listdir(os.path.join(run_copy, 'log_test'))) > len(
        os.listdir(os.path.join(command_line_run.folder, 'log_test'))
    )


@pytest.mark.slow
def test_synthetic_people_are_rendered_and_trained_on(command_line_run, tmp_path):
    folder = str(tmp_path / 'runs' / 'rendered')
    # Quotes that the shell has left, and none where it has taken them.
    assert (
        main(
            [
                'train',
                '--config',
                command_line_run.config,
                '--synthetic',
                '--quiet',
                '--set',
                'DataSetHG.synthetic_images=12',
                '--set',
                'DataSetHG.training_txt_file=/nowhere',
                '--set',
                'Network.nStack=1',
                '--set',
                'Train.nEpochs=1',
                '--set',
                'Train.epoch_size=1',
                '--set',
                'Train.loss=mse',
                '--set',
                "Network.name='rendered people'",
                '--set',
                f'Saver.saver_directory="{folder}"',
            ]
        )
        == 0
    )
    pictures = os.listdir(os.path.join(str(tmp_path), 'runs', 'synthetic_people_12_seed0', 'images'))
    assert len(pictures) == 12
    assert os.path.isfile(os.path.join(folder, 'latest', 'rendered people.index'))
    assert read_json(folder, 'latest', 'manifest.json')['inference']['loss'] == 'mse'
    assert os.path.isfile(os.path.join(folder, 'metrics.json'))


def png_claiming(width, height):
    """Return a small file that claims to be a PNG of some size: no picture follows its header."""
    chunks = (b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0), b'IDAT' + zlib.compress(b''))
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(chunk) - 4) + chunk + struct.pack('>I', zlib.crc32(chunk)) for chunk in chunks
    )


def write_odd_pictures(folder):
    """Fill a folder with pictures of every kind; return {stem: [width, height] as seen} of the readable ones."""
    pixels = np.random.RandomState(0).randint(0, 256, (40, 60, 3)).astype(np.uint8)

    def path(name):
        return os.path.join(folder, name)

    Image.fromarray(pixels[:1, :1]).save(path('dot.png'))
    Image.fromarray(pixels[:, :, 0]).save(path('grey.jpg'))
    Image.fromarray(np.dstack([pixels, pixels[:, :, 0]])).save(path('rgba.png'))
    cv2.imwrite(path('deep.png'), pixels.astype(np.uint16) * 256)
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(pixels).save(path('turned.jpg'), exif=exif.tobytes())
    jpeg = cv2.imencode('.jpg', pixels)[1].tobytes()
    for name, content in (
        ('cut.jpg', jpeg[: len(jpeg) // 2]),
        ('huge.png', png_claiming(20000, 10000)),
        ('notes.txt', b'no picture'),
    ):
        with open(path(name), 'wb') as stream:
            stream.write(content)
    return {'dot': [1, 1], 'grey': [60, 40], 'rgba': [60, 40], 'deep': [60, 40], 'turned': [40, 60]}


def test_predict_reads_every_kind_of_photo_and_names_those_it_cannot(refuse, command_line_run, tmp_path):
    folder, output = str(tmp_path / 'photos'), str(tmp_path / 'out')
    os.mkdir(folder)
    sizes = write_odd_pictures(folder)
    cut, huge = refuse(
        'predict',
        '--checkpoint',
        command_line_run.folder,
        folder,
        '--whole-image',
        '--device',
        'cpu',
        '--output',
        output,
        lines=2,
    ).splitlines()
    assert 'cut.jpg: damaged or truncated' in cut
    assert 'huge.png: 20000 x 10000 pixels' in huge
    assert sorted(os.listdir(output)) == sorted(stem + end for stem in sizes for end in ('.pose.json', '.pose.png'))
    for stem, (width, height) in sizes.items():
        record = read_json(output, stem + '.pose.json')
        assert record['image_size'] == [width, height]
        (person,) = record['persons']
        assert person['box'] == [0, 0, width, height]
        assert cv2.imread(os.path.join(output, stem + '.pose.png')).shape == (height, width, 3)
        joints = np.array([person['joints'][name] for name in Skeleton().joints])
        # A joint is found in the crop: a square around the photo, wider than its longer side by the margins.
        reach = 0.7 * max(width, height)
        assert np.abs(joints[:, :2] - [(width - 1) / 2, (height - 1) / 2]).max() <= reach + 1e-9
        assert (joints[:, 2] >= 0).all() and (joints[:, 2] <= 1).all()
        assert {'checkpoint', 'versions', 'flip_test', 'decoding'} <= set(record)
