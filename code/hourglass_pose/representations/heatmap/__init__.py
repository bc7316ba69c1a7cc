"""The common parts of heatmap representations: Gaussian targets, and decoding with sub-cell precision."""
