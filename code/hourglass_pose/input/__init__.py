"""From an image to a batch: crop, augmentation, sample, generator."""
