"""Joints as the expected cell of a softmax over a map, trained by L1 (integral regression, Sun et al. 2018)."""
