"""The keys of [DataSetHG]: images, joints, split, crops and augmentation."""

from hourglass_pose.config.key import Contradictions, Key, Values
from hourglass_pose.config.rules import counts, joint_names, joint_pairs, paths, zeros_and_ones
from hourglass_pose.input.augmentations.table import SETTINGS
from hourglass_pose.input.centre_scale import CORNERS
from hourglass_pose.rules import choice, integer, number, or_none
from hourglass_pose.skeleton import SKELETONS, Skeleton

_SECTION = 'DataSetHG'

DATA_KEYS = (
    Key(
        _SECTION,
        'training_txt_file',
        '../data/mpii/dataset.txt',
        paths('an annotation file'),
        'annotations of the persons for training and validation',
        anywhere=True,
        note='A line of the file is one person: NAME[LETTER] xmin ymin xmax ymax x1 y1 ... xJ yJ in pixels, -1 for '
        'an unlabelled joint; or the file is one that "python -m hourglass_pose prepare" wrote.',
    ),
    Key(
        _SECTION,
        'img_directory',
        '../data/mpii/images',
        paths('a folder'),
        'folder of images for each annotation file',
        anywhere=True,
    ),
    Key(
        _SECTION,
        'training_repeats',
        None,
        or_none(counts()),
        'how many times an epoch shows the persons of each annotation file; None is once',
        note='With two files, [3, 1] shows the persons of the first one three times, each time changed at random.',
    ),
    Key(
        _SECTION,
        'skeleton',
        'mpii',
        choice(*SKELETONS),
        'joints of the annotation files and their order, by the data set that defines them',
    ),
    Key(
        _SECTION,
        'joint_list',
        None,
        or_none(joint_names()),
        'joints in the order of the annotation files; None stands for those of skeleton',
        anywhere=True,
        derive=lambda values: SKELETONS[values['skeleton']].joints,
    ),
    Key(
        _SECTION,
        'flip_pairs',
        None,
        or_none(joint_pairs()),
        'pairs of joints that a mirrored image exchanges; None finds them by their names, such as r_x and l_x, '
        'right_x and left_x, x_r and x_l, RX and LX',
        note="For example, [['paw_near', 'paw_far']]; [] stands for no pairs.",
    ),
    Key(
        _SECTION,
        'remove_joints',
        None,
        or_none(zeros_and_ones()),
        'one entry for each joint: 0 leaves it out of the loss and the metrics; None uses every joint',
        anywhere=True,
        note='For example, six 1, two 0 and eight 1 leave out pelvis and thorax.',
    ),
    Key(
        _SECTION,
        'on_bad_annotation',
        'strict',
        choice('strict', 'skip'),
        'stop at invalid lines of an annotation file, or report and skip them',
    ),
    Key(
        _SECTION,
        'max_unreadable',
        0.01,
        number(0, 1),
        'share of the images that may be unreadable before the run stops',
    ),
    Key(
        _SECTION,
        'valid_fraction',
        0.1,
        number(0, 1, above=True, below=True),
        'share of the images used for validation where the annotations define no split',
    ),
    Key(
        _SECTION,
        'split_by',
        'image',
        choice('image', 'folder'),
        'what stays together in one split: the persons of an image, or the images of a folder',
        note='Frames of one video belong in one folder.',
    ),
    Key(_SECTION, 'split_seed', 0, integer(0), 'seed of the split: another number selects other images for validation'),
    Key(
        _SECTION,
        'crop_rule',
        'box',
        choice('box', 'centre_scale'),
        "what crops are centred on: the box, or MPII's centre lowered by 15 x scale with a side of 250 x scale",
        note='It applies to training, validation and evaluation. The second one is that of the papers and needs '
        'annotations with centre and scale, as "python -m hourglass_pose prepare mpii" writes them.',
    ),
    Key(
        _SECTION,
        'crop_corners',
        'exact',
        choice(*CORNERS),
        "corners of a crop by crop_rule 'centre_scale': exact, or as the code of imported weights cuts them",
    ),
    Key(
        _SECTION,
        'box_margin',
        0.2,
        number(0, 2),
        'widening of the box on each side, as a share of its longer side; the crop is a square around it; '
        "crop_rule 'box' only",
        note='0.2 is what the original code uses.',
    ),
    Key(
        _SECTION,
        'train_crop',
        'box',
        choice('box', 'joints'),
        'what a training crop surrounds: the annotated box or the labelled joints; '
        'evaluation and prediction always use the box',
    ),
    Key(_SECTION, 'joints_margin', 0.16, number(0, 2), "margin in place of box_margin with train_crop 'joints'"),
    *(Key(_SECTION, key.name, key.default, number(0, key.highest), key.effect) for key in SETTINGS),
    Key(
        _SECTION,
        'negative_prob',
        0.0,
        number(0, 1, below=True),
        'share of the training crops that are replaced by crops without a whole person in the centre; for '
        'Network.person',
        note='0.25 is a good start. The joints are not trained on these crops.',
    ),
    Key(_SECTION, 'synthetic_images', 4000, integer(2), 'images that --synthetic renders'),
)


def data_contradictions(values: Values) -> Contradictions:
    """Yield the contradictions between the keys of [DataSetHG]."""
    files, folders = len(values['training_txt_file']), len(values['img_directory'])
    if files != folders:
        yield 'img_directory', f'as many folders as training_txt_file has files, {files}', f'{folders}'
    repeats = values['training_repeats']
    if repeats is not None and len(repeats) != files:
        yield (
            'training_repeats',
            f'None or a number for each of the {files} annotation files',
            f'{len(repeats)} numbers',
        )
    joints = values['joint_list']
    if values['outputDim'] != len(joints):
        yield 'outputDim', f'None or the length of joint_list, {len(joints)}', f'{values["outputDim"]}'
    if values['remove_joints'] is not None and len(values['remove_joints']) != len(joints):
        yield (
            'remove_joints',
            f'None or an entry for each of the {len(joints)} joints of joint_list',
            f'{len(values["remove_joints"])} entries',
        )
    if values['flip_pairs'] is not None:
        try:
            Skeleton(joints, values['flip_pairs'])
        except ValueError as error:
            yield 'flip_pairs', f'pairs of different joints of joint_list ({error})', repr(values['flip_pairs'])
    if values['crop_rule'] == 'centre_scale' and values['train_crop'] != 'box':
        yield 'train_crop', "'box', or crop_rule 'box'", f"'{values['train_crop']}' with crop_rule 'centre_scale'"
