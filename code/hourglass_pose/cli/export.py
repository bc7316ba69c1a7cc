"""export: a checkpoint as an offline model, compared with the checkpoint before it is left anywhere."""

import os
import shutil
import tempfile

from hourglass_pose.cli.options import add_decoding_option, add_device_options, add_original_options
from hourglass_pose.errors import UserError
from hourglass_pose.experiment import original_settings

HELP = 'write a checkpoint as an offline model: frozen graph, SavedModel, ONNX, or Ascend .om'

NAME = 'hourglass'
_FILES = {'frozen': f'{NAME}.pb', 'saved_model': 'saved_model', 'onnx': f'{NAME}.onnx', 'om': f'{NAME}.pb'}
_PRECISION_MODES = ('allow_mix_precision', 'allow_fp32_to_fp16', 'force_fp16', 'must_keep_origin_dtype', 'force_fp32')
_TURNS = 20


def add_arguments(parser):
    parser.add_argument('--checkpoint', required=True, help='a run folder, or a checkpoint in it such as RUN/best')
    parser.add_argument('--format', required=True, choices=sorted(_FILES))
    parser.add_argument('--output', required=True, metavar='DIR', help='folder for the model and a JSON about it')
    parser.add_argument('--batch', type=int, default=1, metavar='N', help='crops that the model takes (default: 1)')
    parser.add_argument(
        '--decode', action='store_true', help='give joints, in pixels of the crop, and scores in place of heatmaps'
    )
    add_decoding_option(parser)
    parser.add_argument(
        '--normalise',
        choices=('in_graph', 'aipp'),
        default='in_graph',
        help='in_graph (default): the model takes uint8 RGB; aipp: it takes what AIPP makes of that, '
        'and aipp.cfg is written',
    )
    parser.add_argument(
        '--opset', type=int, choices=range(11, 16), default=15, help="version of ONNX's operators (default: 15)"
    )
    parser.add_argument('--soc-version', default='Ascend910A', help='of the NPU, for ATC (default: Ascend910A)')
    parser.add_argument(
        '--precision-mode',
        choices=_PRECISION_MODES,
        default=_PRECISION_MODES[0],
        help=f'for ATC (default: {_PRECISION_MODES[0]})',
    )
    parser.add_argument(
        '--annotations',
        nargs='+',
        metavar='FILE',
        default=[],
        help='annotation files of the persons to compare on (default: drawn people)',
    )
    parser.add_argument('--images', nargs='+', metavar='DIR', default=[], help='a folder of images for each file')
    parser.add_argument('--persons', type=int, default=32, help='persons to compare on, at most (default: 32)')
    parser.add_argument(
        '--benchmark', action='store_true', help='measure images a second of the checkpoint and of the model, in turns'
    )
    add_device_options(parser, precisions=None)
    add_original_options(parser)


def run(options):
    for name in ('batch', 'persons'):
        if getattr(options, name) < 1:
            raise UserError('--%s: expected an integer >= 1, found %d' % (name, getattr(options, name)))
    if bool(options.annotations) != bool(options.images):
        raise UserError('--annotations and --images: expected both, or neither to compare on drawn people')
    from hourglass_pose.experiment.experiment import make_folder
    from hourglass_pose.export.offline_graph import build_offline_graph
    from hourglass_pose.export.offline_models import require_onnx
    from hourglass_pose.prediction.predictor import Predictor

    if options.format == 'onnx':
        require_onnx()
    make_folder(options.output)
    _check_target(os.path.join(options.output, _FILES[options.format]))
    with Predictor(
        options.checkpoint,
        flip_test=False,
        decoding=options.decoding,
        device=options.device,
        batch_size=options.batch,
        **original_settings.predictor_options(options),
    ) as predictor:
        print(f'checkpoint: {predictor.stored.path}, step {predictor.stored.step}')
        offline = build_offline_graph(
            predictor.stored, predictor.traits, predictor.codec, options.batch, options.decode, options.normalise
        )
        print('\n'.join(offline.lines()))
        # Nobody shall take a model that has not passed: it is made aside, and put in its place when it has.
        with tempfile.TemporaryDirectory(prefix='.export-', dir=options.output) as workshop:
            _make(options, predictor, offline, workshop)
            names = _deliver(workshop, options.output)
    print(f'in {options.output}: {", ".join(names)}')
    if options.format == 'om':
        _compile(options, offline)


def _check_target(path):
    """Raise UserError where a model would take the place of a folder that is none."""
    if os.path.isdir(path) and not os.path.isfile(os.path.join(path, 'saved_model.pb')):
        raise UserError(f'{path}: the folder is there already and holds no SavedModel; name another --output')


def _make(options, predictor, offline, folder):
    """Write an offline model with what belongs to it into a folder, and compare it. Exits with code 1 if it differs."""
    from hourglass_pose.export.offline_models import MODELS, WRITERS
    from hourglass_pose.export.record import describe_model
    from hourglass_pose.report.tables import write_json

    kind = 'frozen' if options.format == 'om' else options.format
    path = os.path.join(folder, _FILES[options.format])
    WRITERS[kind](offline, path, **({'opset': options.opset} if kind == 'onnx' else {}))
    model = MODELS[kind](path, offline.outputs, predictor.runtime.session_config())
    try:
        record = _compare(options, predictor, offline, model)
    finally:
        model.close()
    write_json(f'{path}.json', describe_model(options.format, _FILES[options.format], predictor, offline, record))
    _write_ascend_files(options, offline, folder)


def _compare(options, predictor, offline, model):
    from hourglass_pose.annotations.reading import read_annotations
    from hourglass_pose.export.gate import compare, measure_speed
    from hourglass_pose.export.gate_crops import crops_of_drawn_people, crops_of_persons

    if options.annotations:
        annotations = read_annotations(
            options.annotations,
            options.images,
            len(predictor.skeleton),
            joint_names=predictor.skeleton.joints,
            needs_centre=predictor.rule.needs_centre,
        )
        crops = crops_of_persons(annotations.persons, predictor, options.persons)
    else:
        crops = crops_of_drawn_people(predictor, options.persons)
    result = compare(predictor, offline, model, crops)
    print(
        'gate: {}, {}'.format(
            crops.description,
            'the frozen graph that the .om is made from, not the .om itself'
            if options.format == 'om'
            else 'the file read back',
        )
    )
    for line in result.lines:
        print(f'gate: {line}')
    if not result.passed:
        raise SystemExit(
            f'error: the {options.format} model differs from its checkpoint by more than rounding can; it was removed'
        )
    if not options.benchmark:
        return result.record
    checkpoint, model_rate = measure_speed(predictor, offline, model, crops.images, _TURNS)
    print(
        'speed: checkpoint %.1f images/s, offline model %.1f images/s, ratio %.2f; medians of %d turns, batch %d, %s'
        % (checkpoint, model_rate, model_rate / checkpoint, _TURNS, options.batch, predictor.runtime.description)
    )
    return dict(result.record, images_per_second={'checkpoint': checkpoint, 'offline': model_rate})


def _write_ascend_files(options, offline, folder):
    from hourglass_pose.export import ascend_files

    if options.normalise == 'aipp':
        ascend_files.write_aipp(os.path.join(folder, 'aipp.cfg'), offline)
    if options.format == 'om':
        ascend_files.write_atc_script(os.path.join(folder, 'atc.sh'), _atc_command(options, offline))


def _atc_command(options, offline):
    from hourglass_pose.export.ascend_files import atc_command

    return atc_command(offline, NAME, options.soc_version, options.precision_mode)


def _deliver(workshop, folder):
    """Move finished files and folders to where they belong, in place of older ones, and return their names."""
    names = sorted(os.listdir(workshop))
    for name in names:
        target = os.path.join(folder, name)
        if os.path.isdir(target):
            shutil.rmtree(target)
        os.replace(os.path.join(workshop, name), target)
    return names


def _compile(options, offline):
    from hourglass_pose.export.ascend_files import run_atc

    if run_atc(options.output, _atc_command(options, offline)):
        print(f'in {options.output}: {NAME}.om, made by atc')
    else:
        print(
            'atc is not on the PATH, so there is no {}.om yet; on a machine with the Ascend toolkit run {}'.format(
                NAME, os.path.join(options.output, 'atc.sh')
            )
        )
