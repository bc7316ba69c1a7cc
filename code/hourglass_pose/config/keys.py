"""Every key of config.cfg, declared once, and what keys demand of each other."""

import os
from dataclasses import dataclass
from typing import Any, Callable, Optional

from hourglass_pose.config.device import device_contradictions
from hourglass_pose.config.rules import (
    Rule,
    boolean,
    channel_shares,
    choice,
    file,
    file_prefix,
    folder,
    integer,
    joint_names,
    json_object,
    loss_scale,
    name_pairs,
    number,
    or_none,
    paths,
    rising_shares,
    stem_channels,
    step_ranges,
    zeros_and_ones,
)
from hourglass_pose.graph.architectures import ARCHS, input_step, modelzoo_limits, modelzoo_stem
from hourglass_pose.runtime.npu_precision import PRECISION_MODES
from hourglass_pose.skeleton import SKELETONS, Skeleton


@dataclass(frozen=True)
class Key:
    """One key of config.cfg.

    rule: what it accepts; the default is given as a person would write it, and has to pass, too.
    effect: one line for people, without the allowed values.
    other: another accepted spelling, or ''.
    anywhere: accepted in every section, as in the configuration files of the original TensorFlow 1 code.
    derive: for a key whose None stands for a value that follows from others, the function that computes it
    from a dict of all values by key name.
    """

    section: str
    name: str
    default: Any
    rule: Rule
    effect: str
    other: str = ''
    anywhere: bool = False
    derive: Optional[Callable[[dict], Any]] = None


KEYS = (
    Key(
        'DataSetHG',
        'training_txt_file',
        '../data/mpii/dataset.txt',
        paths('an annotation file'),
        'persons to train on and to validate with',
        anywhere=True,
    ),
    Key(
        'DataSetHG',
        'img_directory',
        '../data/mpii/images',
        paths('a folder'),
        'images of each annotation file, one folder a file',
        anywhere=True,
    ),
    Key(
        'DataSetHG',
        'skeleton',
        'mpii',
        choice(*SKELETONS),
        'the joints of MPII (16), COCO (17) or LSP (14); joint_list overrides it',
    ),
    Key(
        'DataSetHG',
        'joint_list',
        None,
        or_none(joint_names()),
        'joints in the order of the annotation files; None takes those of skeleton',
        anywhere=True,
        derive=lambda values: SKELETONS[values['skeleton']].joints,
    ),
    Key(
        'DataSetHG',
        'flip_pairs',
        None,
        or_none(name_pairs()),
        'pairs of joints that a mirrored image exchanges; None finds them by their names, such as r_x and l_x, '
        'right_x and left_x, x_r and x_l, RX and LX',
    ),
    Key(
        'DataSetHG',
        'remove_joints',
        None,
        or_none(zeros_and_ones()),
        'one entry a joint: 0 keeps it out of the loss and the metrics; None uses every joint',
        anywhere=True,
    ),
    Key(
        'DataSetHG',
        'on_bad_annotation',
        'strict',
        choice('strict', 'skip'),
        'stop at wrong lines of an annotation file, or report them and go on without',
    ),
    Key(
        'DataSetHG',
        'max_unreadable',
        0.01,
        number(0, 1),
        'share of the pictures that may be unreadable before the run stops',
    ),
    Key(
        'DataSetHG',
        'valid_fraction',
        0.1,
        number(0, 1, above=True, below=True),
        'share of the images kept for validation where the annotations do not say who is; all persons of an image '
        'fall on the same side',
    ),
    Key('DataSetHG', 'split_seed', 0, integer(0), 'another number chooses other images for validation'),
    Key(
        'DataSetHG',
        'split_by',
        'image',
        choice('image', 'folder'),
        'what is kept on one side of the split: an image, or all images of a folder, such as the frames of a video',
    ),
    Key(
        'DataSetHG',
        'crop_rule',
        'box',
        choice('box', 'centre_scale'),
        "what a crop is cut around: the box, or MPII's centre lowered by 15 x scale with a side of 250 x scale",
    ),
    Key(
        'DataSetHG',
        'crop_corners',
        'exact',
        choice('exact', 'princeton', 'bearpaw'),
        "corners of a crop by crop_rule 'centre_scale': exact, or as the code cuts them whose weights were imported",
    ),
    Key(
        'DataSetHG',
        'box_margin',
        0.2,
        number(0, 2),
        'widening of the box on each side, as a share of its longer side; the crop is a square around it; '
        "crop_rule 'box' only",
    ),
    Key(
        'DataSetHG',
        'train_crop',
        'box',
        choice('box', 'joints'),
        'what a training crop is drawn around: the annotated box or the labelled joints; '
        'evaluation and prediction always use the box',
    ),
    Key('DataSetHG', 'joints_margin', 0.16, number(0, 2), "margin in place of box_margin with train_crop 'joints'"),
    Key('DataSetHG', 'flip_prob', 0.5, number(0, 1), 'probability of a horizontal flip in training'),
    Key('DataSetHG', 'rotation_deg', 30, number(0, 180), 'largest rotation in degrees, uniform to either side'),
    Key('DataSetHG', 'rotation_prob', 0.6, number(0, 1), 'probability of a rotation'),
    Key('DataSetHG', 'scale_range', 0.25, number(0, 0.9), 'scale factor, uniform from 1 - this to 1 + this'),
    Key('DataSetHG', 'scale_prob', 1.0, number(0, 1), 'probability of a change of scale'),
    Key(
        'DataSetHG',
        'shift_range',
        0.05,
        number(0, 0.5),
        'largest shift in x and in y as a share of the crop side, uniform to either side',
    ),
    Key('DataSetHG', 'shift_prob', 0.5, number(0, 1), 'probability of a shift'),
    Key(
        'DataSetHG',
        'colour_range',
        0.2,
        number(0, 1),
        'largest relative change of brightness, contrast and the gain of each channel',
    ),
    Key('DataSetHG', 'colour_prob', 0.5, number(0, 1), 'probability of a change of colour'),
    Key('DataSetHG', 'occluder_prob', 0.0, number(0, 1), 'probability of a patch that hides part of the crop'),
    Key('DataSetHG', 'occluder_size', 0.3, number(0, 1), "patch's largest side as a share of the crop side"),
    Key('DataSetHG', 'synthetic_images', 4000, integer(2), 'pictures that --synthetic draws'),
    Key('Network', 'name', 'hourglass', file_prefix(), 'prefix of the checkpoint files', anywhere=True),
    Key(
        'Network',
        'arch',
        'newell',
        choice(*ARCHS),
        'the published network, or the graph of the original TensorFlow 1 code',
    ),
    Key('Network', 'nStack', 2, integer(1), 'hourglasses in a row, each supervised', 'nStacks', anywhere=True),
    Key('Network', 'nFeat', 256, integer(8, multiple=4), 'channels inside the hourglasses', 'nFeats', anywhere=True),
    Key('Network', 'nLow', 4, integer(1, 6), 'poolings of one hourglass', anywhere=True),
    Key('Network', 'nModules', 1, integer(1), 'residual modules at each place of an hourglass', anywhere=True),
    Key(
        'Network',
        'outputDim',
        None,
        or_none(integer(1)),
        'number of joints; None counts joint_list, and any other number must be that count',
        'num_joints',
        anywhere=True,
        derive=lambda values: len(values['joint_list']),
    ),
    Key(
        'Network',
        'img_size',
        256,
        integer(8, multiple=4),
        "side of the network input in pixels, a multiple of 4 * 2^nLow; with arch 'modelzoo' of 8 * 2^nLow",
        anywhere=True,
    ),
    Key(
        'Network',
        'hm_size',
        None,
        or_none(integer(2)),
        'side of the heatmaps in cells; None stands for img_size / 4, the only size there is',
        anywhere=True,
        derive=lambda values: values['img_size'] // 4,
    ),
    Key(
        'Network',
        'stem_feat',
        None,
        or_none(stem_channels()),
        'channels after the first convolution and after the first two residual modules; '
        'None stands for nFeat / 4, nFeat / 2 and nFeat / 2, the published 64, 128 and 128 at nFeat 256',
        derive=lambda values: _stem_channels(values),
    ),
    Key(
        'Network',
        'input_mean',
        (0.5, 0.5, 0.5),
        channel_shares(),
        "red, green and blue that are subtracted from the image in [0, 1]; arch 'newell' only",
    ),
    Key('Network', 'tiny', False, boolean(), 'lighter residual modules: faster and less accurate', anywhere=True),
    Key('Network', 'attention', False, boolean(), 'multi-context attention (Chu et al. 2017)', 'mcam', anywhere=True),
    Key(
        'Network',
        'attention_kernel',
        11,
        integer(1, odd=True),
        "side of the kernel that smooths an attention map, in cells; arch 'newell' only",
    ),
    Key(
        'Network',
        'attention_iterations',
        3,
        integer(1),
        "mean-field steps that make an attention map; arch 'newell' only",
    ),
    Key(
        'Network',
        'modif',
        False,
        boolean(),
        "the original code's variant with a ReLU after each sum; arch 'modelzoo' only",
        anywhere=True,
    ),
    Key(
        'Network',
        'drop_rate',
        0.0,
        number(0, 1, below=True),
        'share of features dropped after each hourglass in training',
        'dropout_rate',
        anywhere=True,
    ),
    Key('Train', 'training', True, boolean(), 'False makes a validation run only', anywhere=True),
    Key('Train', 'batch_size', 16, integer(1), 'persons in a training step', anywhere=True),
    Key('Train', 'nEpochs', 100, integer(1), 'epochs of the run', anywhere=True),
    Key(
        'Train',
        'epoch_size',
        None,
        or_none(integer(1)),
        'steps of an epoch; None goes once through the training data',
        anywhere=True,
    ),
    Key('Train', 'seed', 0, integer(0), 'start weights, data order and augmentation follow from it'),
    Key(
        'Train',
        'loss',
        'softmax',
        choice('softmax', 'mse', 'sigmoid'),
        'cross-entropy of a softmax over the cells of a map, mean squared error, or sigmoid cross-entropy',
    ),
    Key(
        'Train',
        'sigma',
        2.0,
        number(0, above=True),
        "standard deviation of the target's Gaussian in cells of a 64-cell heatmap; scales with hm_size",
    ),
    Key(
        'Train',
        'weighted_loss',
        True,
        boolean(),
        'unlabelled joints stay out of the loss; False teaches empty maps for them, like the original code',
        anywhere=True,
    ),
    Key('Train', 'optimizer', 'adam', choice('adam', 'adamw', 'rmsprop'), 'rule of the weight updates'),
    Key(
        'Train',
        'lear_rate',
        1e-3,
        number(0, above=True),
        'learning rate after the warm-up',
        'learning_rate',
        anywhere=True,
    ),
    Key(
        'Train',
        'schedule',
        'cosine',
        choice('exponential', 'multistep', 'cosine'),
        'how the rate falls: by decay at every decay_step, by decay at each of milestones, '
        'or along half a cosine to 0 at the end of the run',
    ),
    Key(
        'Train',
        'decay',
        0.96,
        number(0, 1, above=True),
        'factor on the rate; exponential and multistep only',
        'learning_rate_decay',
        anywhere=True,
    ),
    Key('Train', 'decay_step', 2000, integer(1), 'steps from one decay to the next; exponential only', anywhere=True),
    Key(
        'Train',
        'milestones',
        (0.6, 0.85),
        rising_shares(),
        'shares of the run after which the rate is multiplied by decay; multistep only',
    ),
    Key('Train', 'warmup_steps', 500, integer(0), 'first steps, over which the rate rises from 0'),
    Key('Train', 'weight_decay', 0.0, number(0), "decay of the weights, relative to the rate; optimizer 'adamw' only"),
    Key(
        'Train',
        'ema_decay',
        0.0,
        number(0, 1, below=True),
        'decay a step of the moving average of the weights, which evaluation then uses; 0 is off',
    ),
    Key('Train', 'clip_norm', 0.0, number(0), 'largest global norm of the gradients; 0 is off'),
    Key('Train', 'w_summary', False, boolean(), 'histograms of the weights in TensorBoard', anywhere=True),
    Key(
        'Train',
        'workers',
        None,
        or_none(integer(0)),
        'threads that prepare batches; 0 prepares them between the steps, None is one a processor core',
    ),
    Key('Train', 'prefetch', 4, integer(1), 'batches prepared ahead'),
    Key('Train', 'cache_mb', 2048, integer(0), 'memory for decoded images in MB; 0 decodes them every time'),
    Key(
        'Validation',
        'valid_iteration',
        None,
        or_none(integer(1)),
        'batches of a validation; None validates with all',
        anywhere=True,
    ),
    Key('Validation', 'valid_every', 1, integer(1), 'epochs from one validation to the next'),
    Key('Validation', 'flip_test', True, boolean(), 'average the heatmaps of the crop and of its mirror image'),
    Key(
        'Validation',
        'decoding',
        'dark',
        choice('dark', 'quarter', 'argmax'),
        'heatmap to joint: DARK (Zhang et al. 2020), a quarter cell towards the higher neighbour, or the highest cell',
    ),
    Key(
        'Validation',
        'valid_batch_size',
        None,
        or_none(integer(1)),
        'persons in a batch of validation; None stands for batch_size',
        derive=lambda values: values['batch_size'],
    ),
    Key('Saver', 'saver_directory', '../runs/hourglass', folder(), 'checkpoints and results of the run', anywhere=True),
    Key(
        'Saver',
        'log_dir_train',
        None,
        or_none(folder()),
        'TensorBoard events of training; None stands for saver_directory/log_train',
        anywhere=True,
        derive=lambda values: os.path.join(values['saver_directory'], 'log_train'),
    ),
    Key(
        'Saver',
        'log_dir_test',
        None,
        or_none(folder()),
        'TensorBoard events of validation; None stands for saver_directory/log_test',
        anywhere=True,
        derive=lambda values: os.path.join(values['saver_directory'], 'log_test'),
    ),
    Key('Saver', 'saver_step', 100, integer(1), 'steps from one summary to the next', anywhere=True),
    Key('Saver', 'checkpoint_every', 1, integer(1), 'epochs from one checkpoint to the next'),
    Key('Saver', 'checkpoint_minutes', 15, number(0), 'a checkpoint after this many minutes, too; 0 is off'),
    Key('Saver', 'keep_last', 3, integer(1), 'newest checkpoints kept; the best one is kept besides'),
    Key(
        'Device',
        'device',
        'auto',
        choice('auto', 'cpu', 'gpu', 'npu'),
        'where the network runs; auto takes an NPU, else a GPU, else the CPU',
    ),
    Key(
        'Device',
        'precision',
        'auto',
        choice('auto', 'float32', 'mixed'),
        'arithmetic; mixed is bfloat16 on a CPU and float16 elsewhere, auto is mixed where it is faster',
    ),
    Key(
        'Device',
        'loss_scale',
        None,
        loss_scale(),
        "factor on the loss in float16; None adapts it, from 2^16 on an NPU; 'none' leaves the loss as it is",
    ),
    Key('Device', 'intra_threads', 0, integer(0), 'processor threads of one operation; 0 is all cores'),
    Key(
        'Device',
        'iterations_per_loop',
        1,
        integer(1),
        'training steps of one call of the device; saver_step and epoch_size are multiples of it',
    ),
    Key(
        'Device',
        'precision_mode',
        None,
        or_none(choice(*PRECISION_MODES)),
        "the NPU's own word for its arithmetic; None follows precision",
    ),
    Key(
        'Device',
        'modify_mixlist',
        None,
        or_none(file()),
        'JSON file of operations that an NPU keeps in, or takes out of, float16; mixed precision only',
    ),
    Key(
        'Device',
        'jit_compile',
        None,
        or_none(choice('true', 'false', 'auto')),
        'when an NPU compiles operations: before the run, never or as needed; None is its default',
    ),
    Key('Device', 'data_dump', False, boolean(), 'an NPU writes the tensors of operations into dump_path'),
    Key('Device', 'over_dump', False, boolean(), 'an NPU writes operations that overflow into dump_path'),
    Key('Device', 'dump_path', None, or_none(folder()), 'folder, which has to exist, for data_dump and over_dump'),
    Key('Device', 'dump_step', None, or_none(step_ranges()), 'steps that data_dump writes; None is all'),
    Key('Device', 'dump_mode', 'output', choice('input', 'output', 'all'), 'tensors that data_dump writes'),
    Key('Device', 'profiling', False, boolean(), 'an NPU measures the steps into profiling_path'),
    Key('Device', 'profiling_path', None, or_none(folder()), 'folder, which has to exist, for profiling'),
    Key(
        'Device',
        'profiling_options',
        None,
        or_none(json_object()),
        "the NPU's own options of profiling, as JSON without output; None traces the steps and the tasks",
    ),
    Key(
        'Device',
        'rank_timeout',
        60,
        number(5, 86400),
        'seconds without a sign of life after which a process of many counts as lost',
    ),
    Key('Device', 'rank_port', 29517, integer(1024, 65535), 'port at which the first process of many meets the others'),
)

SECTIONS = tuple(sorted({key.section for key in KEYS}, key=[key.section for key in KEYS].index))

KEY_BY_SPELLING = {spelling.lower(): key for key in KEYS for spelling in (key.name, key.other) if spelling}


def contradictions(values):
    """Yield (key name, what it would have to be, what it is) for values that cannot go together.

    values: dict of all values by key name, in their normal form and with derived values filled in.
    """
    files, folders = len(values['training_txt_file']), len(values['img_directory'])
    if files != folders:
        yield ('img_directory', 'as many folders as training_txt_file has files, %d' % files, '%d' % folders)
    joints = len(values['joint_list'])
    if values['flip_pairs'] is not None:
        try:
            Skeleton(values['joint_list'], values['flip_pairs'])
        except ValueError as error:
            yield 'flip_pairs', f'pairs of different joints of joint_list ({error})', repr(values['flip_pairs'])
    if values['outputDim'] != joints:
        yield 'outputDim', 'None or the length of joint_list, %d' % joints, '%d' % values['outputDim']
    if values['remove_joints'] is not None and len(values['remove_joints']) != joints:
        yield (
            'remove_joints',
            'None or an entry for each of the %d joints of joint_list' % joints,
            f'{len(values["remove_joints"])} entries',
        )
    step = input_step(values['arch'], values['nLow'], values['attention'])
    if values['img_size'] % step:
        nearest = max(1, round(values['img_size'] / step)) * step
        yield (
            'img_size',
            'a multiple of %d * 2^nLow = %d, for instance %d' % (step // 2 ** values['nLow'], step, nearest),
            '%d' % values['img_size'],
        )
    elif values['hm_size'] != values['img_size'] // 4:
        yield 'hm_size', 'None or img_size / 4 = %d' % (values['img_size'] // 4), '%d' % values['hm_size']
    if values['modif'] and values['arch'] != 'modelzoo':
        yield 'modif', "False, or arch 'modelzoo'", f"True with arch '{values['arch']}'"
    if values['arch'] == 'modelzoo':
        yield from _modelzoo_contradictions(values)
    if values['crop_rule'] == 'centre_scale' and values['train_crop'] != 'box':
        yield ('train_crop', "'box', or crop_rule 'box'", f"'{values['train_crop']}' with crop_rule 'centre_scale'")
    if values['weight_decay'] > 0 and values['optimizer'] != 'adamw':
        yield (
            'weight_decay',
            "0, or optimizer 'adamw'",
            f"{values['weight_decay']:g} with optimizer '{values['optimizer']}'",
        )
    yield from device_contradictions(values)


def _modelzoo_contradictions(values):
    names = {'num_stacks': 'nStack', 'num_features': 'nFeat', 'num_modules': 'nModules'}
    limits = modelzoo_limits(*(values[name] for name in ('nStack', 'nFeat', 'nLow', 'nModules', 'attention')))
    for trait, expected, found in limits:
        yield names[trait], f"{expected}, or arch 'newell'", '%d' % found
    if values['stem_feat'] != _stem_channels(values):
        yield (
            'stem_feat',
            f"None with arch 'modelzoo', whose stem is {_stem_channels(values)}",
            f'{values["stem_feat"]}',
        )


def _stem_channels(values):
    features = values['nFeat']
    if values['arch'] == 'modelzoo':
        return modelzoo_stem(features, values['attention'])
    return (features // 4, features // 2, features // 2)


def document_keys():
    """Return the keys as Markdown: for each section its name in bold and a table of its keys."""
    lines = []
    for section in SECTIONS:
        lines += [
            f'**[{section}]**',
            '',
            '| key | also written | default | allowed | effect |',
            '| --- | --- | --- | --- | --- |',
        ]
        for key in KEYS:
            if key.section == section:
                default = list(key.default) if isinstance(key.default, tuple) else key.default
                cells = (
                    f'`{key.name}`',
                    key.other and f'`{key.other}`',
                    f'`{default!r}`',
                    key.rule.allowed,
                    key.effect,
                )
                lines.append('| {} |'.format(' | '.join(cells).replace('\\', '\\\\')))
        lines.append('')
    return '\n'.join(lines)
