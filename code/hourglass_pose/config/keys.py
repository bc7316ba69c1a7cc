"""Every key of config.cfg, declared once, and what keys demand of each other."""

import os

from hourglass_pose.config.device import device_contradictions
from hourglass_pose.config.key import Key
from hourglass_pose.config.network_keys import network_contradictions, network_keys
from hourglass_pose.config.rules import (
    file,
    folder,
    joint_names,
    json_object,
    loss_scale,
    name_pairs,
    paths,
    rising_shares,
    step_ranges,
    zeros_and_ones,
)
from hourglass_pose.input.augmentations.table import SETTINGS
from hourglass_pose.representations.table import REPRESENTATIONS, codec_class
from hourglass_pose.rules import boolean, choice, integer, number, or_none
from hourglass_pose.runtime.npu_precision import PRECISION_MODES
from hourglass_pose.skeleton import SKELETONS, Skeleton

KEYS = (
    Key(
        'DataSetHG',
        'training_txt_file',
        '../data/mpii/dataset.txt',
        paths('an annotation file'),
        'persons to train on and to validate with',
        anywhere=True,
        note='A line of the file is one person: '
        'NAME[LETTER] xmin ymin xmax ymax x1 y1 ... xJ yJ in pixels, '
        '-1 for an unlabelled joint; or the file is what "python -m hourglass_pose prepare" has written.',
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
        note='For example, six 1, two 0 and eight 1 leave out pelvis and thorax.',
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
        note='It holds for training, validation and evaluation alike. The latter is that of the papers '
        'and needs annotations with centre and scale, as "python -m hourglass_pose prepare mpii" makes them.',
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
        note='0.2 is what the original code uses.',
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
    *(Key('DataSetHG', key.name, key.default, number(0, key.highest), key.effect) for key in SETTINGS),
    Key('DataSetHG', 'synthetic_images', 4000, integer(2), 'pictures that --synthetic draws'),
    *network_keys(),
    Key('Train', 'training', True, boolean(), 'False makes a validation run only', anywhere=True),
    Key(
        'Train',
        'batch_size',
        16,
        integer(1),
        'persons in a training step',
        anywhere=True,
        note='Halve it when the memory of the device does not suffice.',
    ),
    Key('Train', 'nEpochs', 100, integer(1), 'epochs of the run', anywhere=True),
    Key(
        'Train',
        'epoch_size',
        None,
        or_none(integer(1)),
        'steps of an epoch, fixed at the first start of a run; None goes once through the training data',
        anywhere=True,
    ),
    Key('Train', 'seed', 0, integer(0), 'start weights, data order and augmentation follow from it'),
    Key(
        'Train',
        'loss',
        'softmax',
        choice(*REPRESENTATIONS),
        '; '.join(f'{name}: {effect}' for name, effect in REPRESENTATIONS.items()),
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
        note='The paper uses 2.5e-4 with RMSProp.',
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
    Key(
        'Train',
        'weight_decay',
        0.0,
        number(0),
        "decay of the weights, relative to the rate; optimizer 'adamw' only",
        note='Each step subtracts this share of the weights times the learning rate.',
    ),
    Key(
        'Train',
        'ema_decay',
        0.0,
        number(0, 1, below=True),
        'decay a step of the moving average of the weights, which evaluation then uses; 0 is off',
        note='0.999 averages over about the last thousand steps.',
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
    Key(
        'Train',
        'prefetch',
        4,
        integer(1),
        'batches prepared ahead',
        note='More of them even out slow images and take memory.',
    ),
    Key('Train', 'cache_mb', 2048, integer(0), 'memory for decoded images in MB; 0 decodes them every time'),
    Key(
        'Train', 'patience', 0, integer(0), 'epochs without a better validation after which the training ends; 0 is off'
    ),
    Key(
        'Validation',
        'valid_iteration',
        None,
        or_none(integer(1)),
        'batches of a validation; None validates with all',
        anywhere=True,
    ),
    Key('Validation', 'valid_every', 1, integer(1), 'epochs from one validation to the next'),
    Key(
        'Validation',
        'flip_test',
        True,
        boolean(),
        'average the heatmaps of the crop and of its mirror image',
        note='It doubles the time of a validation.',
    ),
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
    Key(
        'Validation',
        'best_by',
        'auto',
        choice('auto', 'pckh', 'pck', 'box_pck', 'loss'),
        'what decides which checkpoint is the best: PCKh@0.5, PCK@0.2 of the torso, the area under the curve of PCK '
        "by the longer side of the person's box, or the loss; auto is the first PCK that is defined for the data",
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
    Key(
        'Saver',
        'checkpoint_every',
        1,
        integer(1),
        'epochs from one checkpoint to the next; the best validation so far, the last epoch and a stop are saved, too',
    ),
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
    if not values['weighted_loss'] and not codec_class(values['loss']).teaches_absence:
        yield 'weighted_loss', f'True, as loss {values["loss"]!r} teaches no empty maps', 'False'
    yield from network_contradictions(values)
    if values['crop_rule'] == 'centre_scale' and values['train_crop'] != 'box':
        yield ('train_crop', "'box', or crop_rule 'box'", f"'{values['train_crop']}' with crop_rule 'centre_scale'")
    if values['weight_decay'] > 0 and values['optimizer'] != 'adamw':
        yield (
            'weight_decay',
            "0, or optimizer 'adamw'",
            f"{values['weight_decay']:g} with optimizer '{values['optimizer']}'",
        )
    yield from device_contradictions(values)
