"""The keys of [Train], [Validation] and [Saver]: how a network is trained, measured and saved."""

import os

from hourglass_pose.config.key import Contradictions, Key, Values
from hourglass_pose.config.rules import ascending_shares, file, folder
from hourglass_pose.representations.heatmap.numpy import DECODINGS
from hourglass_pose.representations.table import REPRESENTATIONS, codec_class
from hourglass_pose.rules import boolean, choice, integer, number, or_none

TRAINING_KEYS = (
    Key('Train', 'training', True, boolean(), 'False only validates the newest checkpoint', anywhere=True),
    Key(
        'Train',
        'batch_size',
        16,
        integer(1),
        'persons in a training step',
        anywhere=True,
        note='Halve it if the device runs out of memory.',
    ),
    Key('Train', 'nEpochs', 100, integer(1), 'epochs of the run', anywhere=True),
    Key(
        'Train',
        'epoch_size',
        None,
        or_none(integer(1)),
        'steps of an epoch; None is one pass through the training data',
        anywhere=True,
    ),
    Key(
        'Train',
        'patience',
        0,
        integer(0),
        'epochs without a better validation after which the training stops; 0 is off',
    ),
    Key('Train', 'seed', 0, integer(0), 'determines initial weights, data order and augmentation'),
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
        'unlabelled joints are left out of the loss; False trains empty maps for them, like the original code, '
        "with loss 'mse' or 'sigmoid'",
        anywhere=True,
    ),
    Key(
        'Train',
        'teacher',
        None,
        or_none(file()),
        'checkpoint of a network whose maps are learnt besides the labels, with the same loss and joints; None for no '
        'teacher',
        note='It may be larger and have another input size; it must know crops of this kind.',
    ),
    Key(
        'Train', 'teacher_weight', 0.5, number(0, 1, above=True), "share of the teacher's map in the target of a joint"
    ),
    Key('Train', 'optimizer', 'adam', choice('adam', 'adamw', 'rmsprop'), 'update rule of the weights'),
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
        'how the rate falls: by the factor decay every decay_step steps, by decay at each of milestones, '
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
        ascending_shares(),
        'shares of the run after which the rate is multiplied by decay; multistep only',
    ),
    Key('Train', 'warmup_steps', 500, integer(0), 'steps at the start over which the rate rises from 0'),
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
        'decay per step of the moving average of the weights, which evaluation then uses; 0 is off',
        note='0.999 averages over about the last thousand steps.',
    ),
    Key(
        'Train',
        'person_weight',
        0.1,
        number(0, above=True),
        'factor on the cross-entropy of the person output in the loss; Network.person only',
        note="For loss 'softmax'. The losses 'mse' and 'sigmoid' have smaller values and need a smaller factor.",
    ),
    Key(
        'Train',
        'sync_batch_norm',
        False,
        boolean(),
        'batch norm uses the statistics of all processes instead of those of each process; not on NPUs',
        note='It takes time, and helps if a process has few persons in a step.',
    ),
    Key(
        'Train',
        'scale_rate_with_workers',
        False,
        boolean(),
        'lear_rate is multiplied by the number of processes',
        note='The linear rule of Goyal et al. 2017; use it with a warm-up.',
    ),
    Key('Train', 'clip_norm', 0.0, number(0), 'largest global norm of the gradients; 0 is off'),
    Key('Train', 'w_summary', False, boolean(), 'histograms of the weights in TensorBoard', anywhere=True),
    Key(
        'Train',
        'workers',
        None,
        or_none(integer(0)),
        'threads that prepare batches; 0 prepares them between the steps, None is one for each processor core',
    ),
    Key(
        'Train',
        'prefetch',
        4,
        integer(1),
        'batches prepared ahead',
        note='More batches compensate for slow images and take memory.',
    ),
    Key('Train', 'cache_mb', 2048, integer(0), 'memory for decoded images in MB; 0 decodes them every time'),
    Key(
        'Validation',
        'valid_iteration',
        None,
        or_none(integer(1)),
        'batches of a validation; None uses all',
        anywhere=True,
    ),
    Key('Validation', 'valid_every', 1, integer(1), 'epochs from one validation to the next'),
    Key(
        'Validation',
        'best_by',
        'auto',
        choice('auto', 'pckh', 'pck', 'box_pck', 'loss'),
        'metric that decides which checkpoint is the best: PCKh@0.5, PCK@0.2 of the torso, the area under the curve '
        "of PCK by the longer side of the person's box, or the loss; auto uses the first PCK that is defined",
    ),
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
        choice(*DECODINGS),
        'heatmap to joint: DARK (Zhang et al. 2020), a quarter cell towards the higher neighbour, or the highest cell',
    ),
    Key(
        'Validation',
        'valid_batch_size',
        None,
        or_none(integer(1)),
        'persons in a validation batch; None stands for batch_size',
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
    Key(
        'Saver',
        'checkpoint_every',
        1,
        integer(1),
        'epochs from one checkpoint to the next; the best validation so far, the last epoch and a stop are also saved',
    ),
    Key('Saver', 'checkpoint_minutes', 15, number(0), 'minutes after which another checkpoint is written; 0 is off'),
    Key('Saver', 'keep_last', 3, integer(1), 'number of newest checkpoints to keep, in addition to the best one'),
)


def training_contradictions(values: Values) -> Contradictions:
    """Yield the contradictions between the keys of [Train] and [Validation]."""
    if values['weight_decay'] > 0 and values['optimizer'] != 'adamw':
        yield (
            'weight_decay',
            "0, or optimizer 'adamw'",
            f"{values['weight_decay']:g} with optimizer '{values['optimizer']}'",
        )
    if not values['weighted_loss'] and not codec_class(values['loss']).learns_maps:
        yield 'weighted_loss', f'True, as loss {values["loss"]!r} cannot train empty maps', 'False'
    if values['teacher'] is not None and not codec_class(values['loss']).learns_maps:
        yield 'teacher', f'None, as loss {values["loss"]!r} does not learn maps', repr(values['teacher'])
    if not codec_class(values['loss']).searches_peak and values['decoding'] != DECODINGS[0]:
        yield (
            'decoding',
            f'{DECODINGS[0]!r}, the default, as loss {values["loss"]!r} takes the mean cell and searches no peak',
            repr(values['decoding']),
        )
