"""export: a checkpoint as an offline model, compared with the checkpoint before it is kept."""

import argparse
from typing import Optional

from hourglass_pose.cli.options import add_decoding_option, add_original_options, integer_from
from hourglass_pose.errors import UserError
from hourglass_pose.experiment import original_settings
from hourglass_pose.runtime.npu_precision import ATC_PRECISION_MODES

HELP = 'write a checkpoint as an offline model: frozen graph, SavedModel, ONNX, or Ascend .om; or its weights alone'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--checkpoint', required=True, help='a run folder, or a checkpoint in it such as RUN/best')
    parser.add_argument('--format', required=True, choices=('frozen', 'om', 'onnx', 'saved_model', 'weights'))
    parser.add_argument('--output', required=True, metavar='DIR', help='folder for the model and a JSON about it')
    parser.add_argument(
        '--batch',
        type=integer_from(0),
        default=1,
        metavar='N',
        help='crops that the model takes at once, 0 for any number (default: 1)',
    )
    parser.add_argument(
        '--decode', action='store_true', help='output joints, in pixels of the crop, and scores instead of heatmaps'
    )
    add_decoding_option(parser)
    parser.add_argument(
        '--normalise',
        choices=('in_graph', 'aipp'),
        default='in_graph',
        help='in_graph (default): the model takes uint8 RGB; aipp: it takes the output of AIPP, and aipp.cfg is '
        'written',
    )
    parser.add_argument(
        '--opset', type=int, choices=range(11, 16), default=15, help="version of ONNX's operators (default: 15)"
    )
    parser.add_argument(
        '--store-float16',
        action='store_true',
        help='half the size of an ONNX file: weights in float16, which are float32 again when it is loaded',
    )
    parser.add_argument('--soc-version', default='Ascend910A', help='type of the NPU, for ATC (default: Ascend910A)')
    parser.add_argument(
        '--precision-mode',
        choices=ATC_PRECISION_MODES,
        default=ATC_PRECISION_MODES[0],
        help=f'for ATC (default: {ATC_PRECISION_MODES[0]})',
    )
    parser.add_argument(
        '--annotations',
        nargs='+',
        metavar='FILE',
        default=[],
        help='annotation files of the persons to compare on (default: rendered people)',
    )
    parser.add_argument('--images', nargs='+', metavar='DIR', default=[], help='a folder of images for each file')
    parser.add_argument(
        '--persons', type=integer_from(1), default=32, help='largest number of persons to compare on (default: 32)'
    )
    parser.add_argument(
        '--benchmark',
        action='store_true',
        help='measure images a second of the checkpoint and of the model, alternately',
    )
    parser.add_argument(
        '--device',
        choices=('auto', 'cpu', 'gpu', 'npu'),
        default='auto',
        help='without effect: the comparison runs on the CPU, as its bound is that of float32',
    )
    add_original_options(parser)


def run(options: argparse.Namespace) -> Optional[int]:
    if options.format == 'weights':
        from hourglass_pose.experiment.publishing import publish_weights

        publish_weights(options.checkpoint, options.output)
        return None
    if options.format == 'om' and not options.batch:
        raise UserError('--batch 0: an .om takes a fixed number of crops; give --batch 1 or more')
    if options.store_float16 and options.format != 'onnx':
        raise UserError(f'--store-float16: expected --format onnx, found {options.format}; leave it out')
    if bool(options.annotations) != bool(options.images):
        raise UserError('--annotations and --images: expected both, or neither to compare on rendered people')
    from hourglass_pose.export.exporting import ExportSettings, check_target, export_model
    from hourglass_pose.export.gate_crops import find_crops
    from hourglass_pose.files import make_folder
    from hourglass_pose.prediction.predictor import Predictor

    settings = ExportSettings(
        options.format,
        options.batch or None,
        options.decode,
        options.normalise,
        options.opset,
        options.soc_version,
        options.precision_mode,
        options.benchmark,
        options.store_float16,
    )
    make_folder(options.output)
    check_target(settings, options.output)
    with Predictor(
        options.checkpoint,
        flip_test=False,
        decoding=options.decoding,
        device='cpu',
        batch_size=options.batch or 1,
        folds_batch_norms=False,
        **original_settings.predictor_options(options),
    ) as predictor:
        crops = find_crops(predictor, options.annotations, options.images, options.persons)
        if export_model(predictor, settings, crops, options.output):
            return None
    raise SystemExit(
        f'error: the {options.format} model differs from its checkpoint by more than rounding can; it was removed'
    )
