"""The files that doctor writes: its findings as JSON, and contact sheets of crops, heatmaps and suspicious persons."""

import os
from dataclasses import asdict
from typing import Dict, List, Sequence, Set, Tuple

import numpy as np

from hourglass_pose.annotations.person import Person
from hourglass_pose.doctor.findings import Finding
from hourglass_pose.doctor.images import sample_of
from hourglass_pose.doctor.inspection import Inspection
from hourglass_pose.report.drawing import heatmap_overlay, render_skeleton, write_png
from hourglass_pose.report.json_files import write_json
from hourglass_pose.report.sheets import SHEET_COLUMNS, SHEET_PERSONS, contact_sheet, legend_strip

_TILE_WH = (200, 200)

# Checks that name persons whose crops show whether the finding is right.
_SUSPICIOUS = ('sides', 'scales', 'crops')


def write_doctor_files(folder: str, findings: Sequence[Finding], inspection: Inspection) -> None:
    """Write doctor.json, and crops.png, heatmaps.png and suspects.png if there are images for them."""
    record = {
        'data': inspection.data.annotations.describe(),
        'opened': inspection.opened_text(),
        'findings': [asdict(finding) for finding in findings],
    }
    write_json(os.path.join(folder, 'doctor.json'), record)
    written = ['doctor.json']
    persons = inspection.some_persons(SHEET_PERSONS)
    suspects = suspicious_persons(findings, inspection.persons, inspection.missing)
    for name, tiles, captions in (
        ('crops.png',) + labelled_crops(inspection, persons, [person.person_id for person in persons]),
        ('heatmaps.png',) + target_maps(inspection, persons),
        ('suspects.png',)
        + labelled_crops(
            inspection, [person for person, _ in suspects], [f'{why}: {person.person_id}' for person, why in suspects]
        ),
    ):
        if tiles:
            sheet = contact_sheet(tiles, SHEET_COLUMNS, _TILE_WH, captions, legend=False)
            write_png(os.path.join(folder, name), np.concatenate([sheet, legend_strip(sheet.shape[1], False)]))
            written.append(name)
    print(f'in {folder}: {", ".join(written)}')


def suspicious_persons(
    findings: Sequence[Finding], persons: Sequence[Person], missing: Set[str]
) -> List[Tuple[Person, str]]:
    """Return [(Person, check)] of some persons with an existing image that findings name."""
    by_name = {person.person_id: person for person in persons if person.image_path not in missing}
    chosen: Dict[str, str] = {}
    for finding in findings:
        if finding.check in _SUSPICIOUS:
            named = [name for name in finding.names if name in by_name and name not in chosen]
            for name in sample_of(named, SHEET_PERSONS // 2):
                chosen[name] = finding.check
    return [(by_name[name], check) for name, check in list(chosen.items())[:SHEET_PERSONS]]


def labelled_crops(
    inspection: Inspection, persons: Sequence[Person], captions: Sequence[str]
) -> Tuple[List[np.ndarray], List[str]]:
    """Return (tiles, captions): the evaluation crops of persons with their labels."""
    caption_of = dict(zip(map(id, persons), captions))
    shown, samples = inspection.samples(persons, augmented=False)
    tiles = [
        render_skeleton(sample.crop, sample.joints_crop, inspection.data.skeleton, person.labelled.astype(float), 0.5)
        for person, sample in zip(shown, samples)
    ]
    return tiles, [caption_of[id(person)] for person in shown]


def target_maps(inspection: Inspection, persons: Sequence[Person]) -> Tuple[List[np.ndarray], List[str]]:
    """Return (tiles, captions): augmented training crops of persons with their target heatmaps."""
    shown, samples = inspection.samples(persons, augmented=True)
    codec, skeleton = inspection.data.codec, inspection.data.skeleton
    maps = [codec.target_maps(sample.joints_crop, sample.labelled) for sample in samples]
    return (
        [heatmap_overlay(sample.crop, target, skeleton) for sample, target in zip(samples, maps)],
        [person.person_id for person in shown],
    )
