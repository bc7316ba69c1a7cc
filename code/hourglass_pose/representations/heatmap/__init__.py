"""What representations by heatmaps share: Gaussian targets, and joints read from maps with sub-cell precision."""
