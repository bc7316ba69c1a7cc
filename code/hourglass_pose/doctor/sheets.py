"""The files that doctor leaves: its findings as JSON, and sheets of crops, heatmaps and persons to look at."""

import os
from collections import OrderedDict

import numpy as np

from hourglass_pose.doctor.images import sample_of
from hourglass_pose.report.drawing import heatmap_overlay, render_skeleton, write_png
from hourglass_pose.report.json_files import write_json
from hourglass_pose.report.sheets import SHEET_COLUMNS, SHEET_PERSONS, contact_sheet, legend_strip

_TILE_WH = (200, 200)

# Checks whose names are persons that one can judge by looking at them.
_SUSPICIOUS = ('sides', 'scales', 'crops')


def write_doctor_files(folder, findings, patient, say=print):
    """Write doctor.json, and crops.png, heatmaps.png and suspects.png where there are pictures for them."""
    write_json(
        os.path.join(folder, 'doctor.json'),
        OrderedDict(
            [
                ('data', patient.annotations.describe()),
                ('opened', patient.opened_text()),
                (
                    'findings',
                    [
                        OrderedDict(
                            [
                                ('check', finding.check),
                                ('harmful', finding.harmful),
                                ('message', finding.message),
                                ('names', finding.names),
                            ]
                        )
                        for finding in findings
                    ],
                ),
            ]
        ),
    )
    written = ['doctor.json']
    persons = patient.some_persons(SHEET_PERSONS)
    suspects = suspicious_persons(findings, patient.persons, patient.missing)
    for name, tiles, captions in (
        ('crops.png',) + labelled_crops(patient, persons, [person.person_id for person in persons]),
        ('heatmaps.png',) + target_maps(patient, persons),
        ('suspects.png',)
        + labelled_crops(
            patient, [person for person, _ in suspects], [f'{why}: {person.person_id}' for person, why in suspects]
        ),
    ):
        if tiles:
            sheet = contact_sheet(tiles, SHEET_COLUMNS, _TILE_WH, captions, legend=False)
            write_png(os.path.join(folder, name), np.concatenate([sheet, legend_strip(sheet.shape[1], False)]))
            written.append(name)
    say(f'in {folder}: {", ".join(written)}')


def suspicious_persons(findings, persons, missing):
    """Return [(Person, check)] of some persons that findings name, in turns, whose picture is there."""
    by_name = {person.person_id: person for person in persons if person.image_path not in missing}
    chosen = OrderedDict()
    for finding in findings:
        if finding.check in _SUSPICIOUS:
            named = [name for name in finding.names if name in by_name and name not in chosen]
            for name in sample_of(named, SHEET_PERSONS // 2):
                chosen[name] = finding.check
    return [(by_name[name], check) for name, check in list(chosen.items())[:SHEET_PERSONS]]


def labelled_crops(patient, persons, captions):
    """Return (tiles, captions): the evaluation crops of persons with their labels."""
    captions = dict(zip(map(id, persons), captions))
    shown, samples = patient.samples(persons, augmented=False)
    tiles = [
        render_skeleton(
            sample.crop, sample.joints_crop, patient.experiment.skeleton, person.labelled.astype(float), 0.5
        )
        for person, sample in zip(shown, samples)
    ]
    return tiles, [captions[id(person)] for person in shown]


def target_maps(patient, persons):
    """Return (tiles, captions): augmented training crops of persons under the heatmaps that are to be learnt."""
    shown, samples = patient.samples(persons, augmented=True)
    return (
        [heatmap_overlay(sample.crop, sample.heatmaps, patient.experiment.skeleton) for sample in samples],
        [person.person_id for person in shown],
    )
