"""The report page of a score: what html_report needs, collected from results, persons, pictures and settings."""

import os
from collections import OrderedDict

from hourglass_pose.errors import ImageError
from hourglass_pose.evaluation.breakdown import worst_persons
from hourglass_pose.images import read_image
from hourglass_pose.report.drawing import SIDE_COLOURS, TRUTH_COLOUR, pose_tile
from hourglass_pose.report.html_report import REPORT, Picture, write_html_report

PICTURED = 12
_TILE_WH = (320, 320)

_COLOURS = tuple(
    [(f'predicted, {side}', SIDE_COLOURS[side]) for side in ('right', 'left', 'middle')] + [('labelled', TRUTH_COLOUR)]
)


def write_report_page(
    folder,
    title,
    metrics,
    result,
    baselines,
    skeleton,
    persons=None,
    joints_img=None,
    subject='this network',
    history=(),
    config_text='',
):
    """Write report.html and return ['report.html'].

    metrics: as build_metrics made it of the PckhResult `result` and of `baselines`, name -> PckhResult. persons: those
    measured, in the order of the result, or None where their pictures are not known. joints_img: (N, J, 2), what was
    predicted of them, in the frame of a Person. history, config_text: as write_html_report takes them.
    """
    curves = OrderedDict(result.curves)
    for name, baseline in baselines.items():
        curves[f'without image: {name.replace("_", " ")}'] = baseline.curves['mean']
    pictures, colours = [], ()
    if persons is not None:
        places, percents = worst_persons(result, skeleton)
        ranked = list(zip(places, percents))
        # Of a few persons, nobody is among the worst and the best at once.
        count = min(PICTURED, -(-len(ranked) // 2))
        pictures = [
            ('Worst persons', draw_persons(ranked, persons, joints_img, skeleton, count)),
            ('Best persons', draw_persons(ranked[count:][::-1], persons, joints_img, skeleton, count)),
        ]
        colours = _COLOURS
    write_html_report(
        os.path.join(folder, REPORT), title, metrics, curves, subject, pictures, history, config_text, colours
    )
    return [REPORT]


def draw_persons(ranked, persons, joints_img, skeleton, count):
    """Return Pictures of the first `count` of [(place, percent)] whose picture can be read."""
    pictures = []
    for place, percent in ranked:
        if len(pictures) == count:
            break
        person = persons[place]
        try:
            image = read_image(person.image_path)
        except ImageError:
            # A report with the pictures that are there is better than none. Where a folder has none, one try a
            # picture is soon over.
            continue
        tile = pose_tile(
            image, skeleton, _TILE_WH, joints_img[place], person.joints_img, person.labelled, box_img=person.box_img
        )
        pictures.append(Picture(tile, person.person_id, f'{percent:.0f} %'))
    return pictures
