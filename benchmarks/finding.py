"""Measures how well a network finds people: on canvases with known persons, and without people, on real background.

    python benchmarks/finding.py --checkpoint hourglass.onnx --annotations lsp.jsonl --images LSP/images --split valid

Every photo has to show one annotated person. A canvas has 640 x 480 pixels. Its background is parts of the photos
without a labelled joint near, enlarged, mirrored and faded into each other; parts of almost one colour are left out.
The photos of the persons are pasted onto it, faded in over 10 pixels. Other people in the photos, which are not
annotated, count as false positives if they are found. Two tables are printed:

  one person    PCK@0.2 of the most certain person found, and that with the photo's rectangle as box
  any number    for each score threshold: share found of the persons on canvases with one to four (a pose with an OKS of
                at least 0.5, each pose and person matched once), and persons found beyond these, a canvas with one to
                four persons and a canvas without people
"""

import argparse
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'code'))
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')


def main() -> None:
    # The package may not be installed; its folder is on the path from here on.
    from canvases import CanvasMaker, kinds
    from found_persons import lines_of, measure
    from hourglass_pose.annotations.reading import read_annotations
    from hourglass_pose.prediction.predictor import Predictor

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--checkpoint', help='default: the network that ships with the package')
    parser.add_argument('--annotations', nargs='+', required=True)
    parser.add_argument('--images', nargs='+', required=True)
    parser.add_argument('--split', default='valid', help='persons to take, or all (default: valid)')
    parser.add_argument('--canvases', type=int, default=200, help='of each kind (default: 200)')
    names = list(kinds())
    parser.add_argument('--kinds', nargs='+', choices=names, default=names, help='of canvases (default: all)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--output', help='file for the results as JSON')
    options = parser.parse_args()
    with Predictor(options.checkpoint) as predictor:
        annotations = read_annotations(
            options.annotations, options.images, len(predictor.skeleton), joint_names=predictor.skeleton.joints
        )
        persons = [person for person in annotations.persons if options.split in ('all', person.split)]
        maker = CanvasMaker(persons, predictor.skeleton, options.seed)
        print(f'{len(persons)} persons, {len(maker.patches)} parts of background, seed {options.seed}')
        results = measure(predictor, maker, options.canvases, options.kinds)
    print('\n'.join(lines_of(results)))
    if options.output:
        with open(options.output, 'w', encoding='utf-8') as stream:
            json.dump(results, stream, indent=2)


if __name__ == '__main__':
    main()
