"""From annotation files and photos to the crops and heatmaps that a network is trained on."""
