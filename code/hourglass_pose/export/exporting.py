"""Export of a checkpoint: writes an offline model into a temporary folder, compares it, and moves it if it agrees."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from typing import Dict, List, Optional

from hourglass_pose.errors import UserError
from hourglass_pose.export import ascend_files
from hourglass_pose.export.gate import compare, measure_speed
from hourglass_pose.export.gate_crops import GateCrops
from hourglass_pose.export.half_weights import round_weights
from hourglass_pose.export.offline_graph import OfflineGraph, build_offline_graph
from hourglass_pose.export.offline_models import (
    DEFAULT_OPSET,
    FrozenModel,
    OfflineModel,
    OnnxModel,
    SavedModel,
    require_onnx,
    write_frozen,
    write_onnx,
    write_saved_model,
)
from hourglass_pose.export.record import describe_model, describe_tensors
from hourglass_pose.prediction.predictor import Predictor
from hourglass_pose.prediction.tensorflow_engine import TensorFlowEngine
from hourglass_pose.report.json_files import write_json
from hourglass_pose.runtime.npu_precision import ATC_PRECISION_MODES

NAME = 'hourglass'
_FILES = {'frozen': f'{NAME}.pb', 'saved_model': 'saved_model', 'onnx': f'{NAME}.onnx', 'om': f'{NAME}.pb'}
_TURNS = 20


@dataclass(frozen=True)
class ExportSettings:
    """format: 'frozen', 'saved_model', 'onnx' or 'om'. batch_size: crops that the model takes, None for any number.

    decode: whether it gives joints and scores in place of heatmaps. normalise: 'in_graph' or 'aipp', as in
    build_offline_graph. opset: of ONNX. soc_version, precision_mode: for ATC. benchmark: whether its speed is measured.
    store_float16: whether an ONNX file has the weights in float16.
    """

    format: str
    batch_size: Optional[int] = 1
    decode: bool = False
    normalise: str = 'in_graph'
    opset: int = DEFAULT_OPSET
    soc_version: str = 'Ascend910A'
    precision_mode: str = ATC_PRECISION_MODES[0]
    benchmark: bool = False
    store_float16: bool = False


def check_target(settings: ExportSettings, folder: str) -> None:
    """Raise UserError if a library is missing, or if the model would replace a folder that is not a SavedModel."""
    if settings.format == 'onnx':
        require_onnx()
    path = os.path.join(folder, _FILES[settings.format])
    if os.path.isdir(path) and not os.path.isfile(os.path.join(path, 'saved_model.pb')):
        raise UserError(f'{path}: this folder exists and is not a SavedModel; choose another --output')


def export_model(predictor: Predictor, settings: ExportSettings, crops: GateCrops, folder: str) -> bool:
    """Write an offline model, the files that belong to it and a JSON into a folder, and return whether it agrees.

    predictor: of the checkpoint, as in gate.compare. A model that does not agree is removed.
    """
    stored, engine = predictor.stored, predictor.engine
    if not isinstance(engine, TensorFlowEngine):
        raise UserError(f'{stored.path}: this is an exported model; give the checkpoint that it was exported from')
    print(f'checkpoint: {stored.path}, step {stored.step}')
    offline = build_offline_graph(
        stored, engine.hyperparameters, predictor.codec, settings.batch_size, settings.decode, settings.normalise
    )
    if settings.store_float16:
        offline = round_weights(offline)
    for line in offline.lines():
        print(line)
    # A model that has not passed must not be used, so it is written into a temporary folder and moved afterwards.
    with tempfile.TemporaryDirectory(prefix='.export-', dir=folder) as temporary:
        if not _write_compared(predictor, settings, offline, crops, temporary):
            return False
        names = _move_into(temporary, folder)
    print(f'in {folder}: {", ".join(names)}')
    if settings.format == 'om':
        compile_om(settings, offline, folder)
    return True


def _write_compared(
    predictor: Predictor, settings: ExportSettings, offline: OfflineGraph, crops: GateCrops, folder: str
) -> bool:
    """Write an offline model with the files that belong to it, and return whether it agrees with its checkpoint."""
    file = _FILES[settings.format]
    path = os.path.join(folder, file)
    model = _write_and_open(predictor, settings, offline, path)
    try:
        result = compare(predictor, offline, model, crops)
        source = (
            'the frozen graph that the .om is made from, not the .om itself'
            if settings.format == 'om'
            else 'the file read back'
        )
        print(f'gate: {crops.description}, {source}')
        for line in result.lines:
            print(f'gate: {line}')
        if not result.passed:
            return False
        record = dict(result.record)
        if settings.benchmark:
            record['images_per_second'] = _measure(predictor, offline, model, crops)
    finally:
        model.close()
    write_json(f'{path}.json', describe_model(settings.format, file, predictor, offline, record))
    if settings.normalise == 'aipp':
        ascend_files.write_aipp(os.path.join(folder, 'aipp.cfg'), offline)
    if settings.format == 'om':
        ascend_files.write_atc_script(os.path.join(folder, 'atc.sh'), _atc_command(settings, offline))
    return True


def _write_and_open(predictor: Predictor, settings: ExportSettings, offline: OfflineGraph, path: str) -> OfflineModel:
    if settings.format == 'onnx':
        write_onnx(offline, path, settings.opset, describe_tensors(predictor, offline))
        return OnnxModel(path, offline.outputs)
    if settings.format == 'saved_model':
        write_saved_model(offline, path)
        return SavedModel(path, offline.outputs)
    write_frozen(offline, path)
    return FrozenModel(path, offline.outputs)


def _measure(predictor: Predictor, offline: OfflineGraph, model: OfflineModel, crops: GateCrops) -> Dict[str, float]:
    checkpoint, offline_model = measure_speed(predictor, offline, model, crops.images, _TURNS)
    print(
        f'speed: checkpoint {checkpoint:.1f} images/s, offline model {offline_model:.1f} images/s, ratio '
        f'{offline_model / checkpoint:.2f}; medians of {_TURNS} turns, batch {offline.crops_of_pass()}, '
        f'{predictor.engine.description}'
    )
    return {'checkpoint': checkpoint, 'offline': offline_model}


def _move_into(temporary: str, folder: str) -> List[str]:
    """Move finished files and folders into a folder, replacing older ones, and return their names."""
    names = sorted(os.listdir(temporary))
    for name in names:
        target = os.path.join(folder, name)
        if os.path.isdir(target):
            shutil.rmtree(target)
        os.replace(os.path.join(temporary, name), target)
    return names


def _atc_command(settings: ExportSettings, offline: OfflineGraph) -> List[str]:
    return ascend_files.atc_command(offline, NAME, settings.soc_version, settings.precision_mode)


def compile_om(settings: ExportSettings, offline: OfflineGraph, folder: str) -> None:
    """Compile the .om from the frozen graph in a folder with ATC, or report which script does it elsewhere."""
    if ascend_files.run_atc(folder, _atc_command(settings, offline)):
        print(f'in {folder}: {NAME}.om, made by atc')
    else:
        print(
            f'atc is not on the PATH, so {NAME}.om was not compiled; on a machine with the Ascend toolkit run '
            f'{os.path.join(folder, "atc.sh")}'
        )
