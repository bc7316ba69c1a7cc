"""The metrics of an evaluation by name, and the headline metric: PCKh@0.5, otherwise PCK@0.2, otherwise PCK by box."""

from typing import Dict, List, Optional, Tuple

import numpy as np

from hourglass_pose.evaluation.pckh import PckhResult

METRIC_TITLES: Dict[str, str] = {
    'pckh@0.5': 'PCKh@0.5',
    'pckh@0.1': 'PCKh@0.1',
    'auc': 'AUC',
    'pck@0.2': 'PCK@0.2',
    'box_pck_auc': 'PCK by box',
    'argmax_accuracy': 'argmax acc.',
}

# In order of preference: data without head sizes, such as LSP's labels without the head top, have no PCKh, and hands
# have no torso, either.
_HEADLINES = ('pckh@0.5', 'pck@0.2', 'box_pck_auc')


def headline_metric(metrics: Dict[str, dict]) -> Optional[str]:
    """Return the name of the headline metric, or None if none is defined.

    Args:
        metrics: PckhResult.metrics, or the content of metrics.json.
    """
    return next((name for name in _HEADLINES if name in metrics and metrics[name]['mean'] is not None), None)


def shown_metrics(metrics: Dict[str, dict]) -> List[str]:
    """Return the names of the metrics that tables show: PCK by box only as the headline, or if it decides `best`.

    Args:
        metrics: the content of metrics.json.
    """
    shows_box = 'box_pck_auc' in (headline_metric(metrics), metrics['protocol'].get('best_by'))
    return [name for name in METRIC_TITLES if name in metrics and (name != 'box_pck_auc' or shows_box)]


def headline_distances(result: PckhResult) -> Tuple[str, np.ndarray, float]:
    """Return (metric, distances (N, J), threshold) of the headline metric, for scores of single joints.

    Distances are in units of the metric, NaN where a joint is not scored. Without PCKh it is PCK@0.2, and without both
    all distances are NaN.
    """
    if headline_metric(result.metrics) == 'pckh@0.5':
        return 'pckh@0.5', result.head_distances, 0.5
    return 'pck@0.2', result.torso_distances, 0.2
