"""Joints as Gaussian maps, trained by the mean squared error (Newell et al. 2016)."""
