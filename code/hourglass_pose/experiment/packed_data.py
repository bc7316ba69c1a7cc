"""Packs of a run: made for the crops and augmentations of a Config, and checked to have room for those of another."""

from typing import Any, Callable, Iterable, List

from tqdm import tqdm

from hourglass_pose.annotations.packs import is_pack, read_manifest
from hourglass_pose.annotations.person_lines import read_joint_names
from hourglass_pose.annotations.reading import read_annotations
from hourglass_pose.config.config import Config
from hourglass_pose.errors import ConfigError, counted
from hourglass_pose.input.cropping import CropRule
from hourglass_pose.input.packing import RANGES, PackedViews, pack_persons

_FIELDS = {
    'crop_size': 'Network.img_size',
    'box_margin': 'DataSetHG.box_margin',
    'train_crop': 'DataSetHG.train_crop',
    'joints_margin': 'DataSetHG.joints_margin',
    'crop_rule': 'DataSetHG.crop_rule',
    'corners': 'DataSetHG.crop_corners',
    **{name: f'DataSetHG.{name}' for name in RANGES},
}
# A pack may have more room and more pixels than a run needs.
_MAY_BE_LARGER = ('crop_size', *RANGES)


def crop_rule(config: Config) -> CropRule:
    """Return the CropRule of a Config."""
    data = config.DataSetHG
    return CropRule(
        config.Network.img_size, data.box_margin, data.train_crop, data.joints_margin, data.crop_rule, data.crop_corners
    )


def packed_views(config: Config) -> PackedViews:
    """Return the views that training with a Config samples; a change of probability 0 does not happen."""
    data = config.DataSetHG
    return PackedViews(
        crop_rule(config),
        data.rotation_deg if data.rotation_prob else 0.0,
        data.scale_range if data.scale_prob else 0.0,
        data.shift_range if data.shift_prob else 0.0,
    )


def require_room(config: Config) -> None:
    """Raise ConfigError if a pack of a Config lacks what its crops can show, AnnotationError if it is damaged."""
    data, needed = config.DataSetHG, packed_views(config).as_dict()
    for pack in filter(is_pack, data.training_txt_file):
        packed = read_manifest(pack).views
        for name, key in _FIELDS.items():
            has, needs = packed.get(name), needed[name]
            if has != needs and not (name in _MAY_BE_LARGER and isinstance(has, (int, float)) and has > needs):
                raise ConfigError(
                    f'{key}: {needs!r}, and the pack {pack} was made with {has!r}; set it to that, or make the pack '
                    'again with this setting'
                )
        for name, value, crops in (
            ('negative_prob', config.Network.person and data.negative_prob, 'show one person each'),
            ('half_body_prob', data.half_body_prob, 'have the pixels that a whole person needs'),
        ):
            if value:
                raise ConfigError(
                    f'DataSetHG.{name}: {value:g}, and {pack} is a pack, whose crops {crops}; set it to 0, or train '
                    'from the photos'
                )


def make_pack(config: Config, annotations: str, images: str, folder: str) -> List[str]:
    """Pack the persons of an annotation file for the crops and augmentations of a Config, and return lines on it.

    Args:
        annotations: file in a format of this program.
        images: folder of its images.
        folder: the pack, new.

    Raises UserError.
    """
    views, names = packed_views(config), read_joint_names(annotations) or tuple(config.DataSetHG.joint_list)
    found = read_annotations(annotations, images, len(names), joint_names=names, needs_centre=views.rule.needs_centre)
    count = pack_persons(folder, found.persons, names, views, tqdm.write, _progress_bar(len(found.persons)))
    size = sum(each.size for each in read_manifest(folder).shards)
    return [
        f'{folder}: {counted(count, "crop")}, {size / 1e6:,.1f} MB, for crops of {views.rule.crop_size} px; a crop '
        f'reaches {views.margin:.2f} of its plain sides from its middle'
    ]


def _progress_bar(total: int) -> Callable[[Iterable[Any]], Iterable[Any]]:
    def bar(items: Iterable[Any]) -> Iterable[Any]:
        return tqdm(items, total=total, desc='packing', unit='person', leave=False, dynamic_ncols=True, disable=None)

    return bar
