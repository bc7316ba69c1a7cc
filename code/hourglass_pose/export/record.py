"""The JSON beside an offline model: what a program that runs it must know."""

from collections import OrderedDict

from hourglass_pose.export.offline_graph import HEATMAPS, INPUT, JOINTS, SCORES
from hourglass_pose.input.cropping import BARE_BOX_MARGIN
from hourglass_pose.tf_compat import describe_versions

_BOX = (
    "the square around the centre of a box (x0, y0, x1, y1; first and last pixel), its side the box's longer "
    'side times 1 + 2 x box_margin, brought to size x size pixels; what lies outside the photo is black'
)
_CENTRE_SCALE = (
    "the square that MPII's centre and scale stand for, its corners rounded as said; of a bare box, the "
    f'square around it with a margin of {BARE_BOX_MARGIN:g} of its longer side'
)
_FRAME = '0-based pixels of the crop: x right, y down, pixel centres at integers; crop = (cell + 0.5) x stride - 0.5'


def describe_model(format_name, file, predictor, offline, gate):
    """Return the JSON-able record of an offline model.

    predictor: of its checkpoint. gate: what the gate found, JSON-able.
    """
    stored, traits, codec = predictor.stored, predictor.traits, predictor.codec
    return OrderedDict(
        [
            ('format', format_name),
            ('file', file),
            ('checkpoint', stored.path),
            ('step', stored.step),
            ('averaged_weights', bool(stored.manifest and stored.manifest['averaged_weights'])),
            ('input', _input(offline)),
            (
                'outputs',
                [_output(name, shape, predictor) for name, shape in zip(offline.outputs, offline.output_shapes)],
            ),
            ('joints', list(predictor.skeleton.joints)),
            ('kept_joints', predictor.kept_joints.tolist()),
            ('crop', _crop(predictor.rule)),
            ('frame', _FRAME),
            ('stride', codec.stride),
            ('decoding', codec.decoding),
            ('loss', codec.loss),
            ('sigma_hm', codec.sigma_hm),
            ('flip_test', False),
            ('network', traits.as_dict()),
            ('batch_norms', {'folded': offline.folded, 'factor_and_offset': offline.spelled_out}),
            ('gate', gate),
            ('versions', describe_versions()),
        ]
    )


def _crop(rule):
    if rule.needs_centre:
        return OrderedDict([('size', rule.crop_size), ('rule', _CENTRE_SCALE), ('corners', rule.corners)])
    return OrderedDict([('size', rule.crop_size), ('rule', _BOX), ('box_margin', rule.box_margin)])


def _input(offline):
    is_uint8 = offline.input_type == 'uint8'
    return OrderedDict(
        [
            ('name', INPUT),
            ('shape', offline.input_shape),
            ('dtype', offline.input_type),
            ('layout', 'batch, row, column, channel'),
            ('channels', 'red, green, blue'),
            ('range', '0 to 255' if is_uint8 else 'value / 255 - mean of values 0 to 255, which aipp.cfg makes'),
            ('mean', offline.input_mean),
            ('normalised', 'in the model' if is_uint8 else 'before the model'),
        ]
    )


def _output(name, shape, predictor):
    probabilities = predictor.traits.gives_probabilities
    meaning = {
        HEATMAPS: f'last stack: {"heatmaps in [0, 1]" if probabilities else predictor.codec.output_meaning}',
        JOINTS: 'x, y in pixels of the crop',
        SCORES: 'highest value of the heatmap, held within [0, 1]',
    }
    axes = {HEATMAPS: 'batch, row, column, joint', JOINTS: 'batch, joint, x and y', SCORES: 'batch, joint'}
    return OrderedDict(
        [('name', name), ('shape', shape), ('dtype', 'float32'), ('layout', axes[name]), ('meaning', meaning[name])]
    )
