"""The networks of the original TensorFlow 1 code, with its oddities and the names of its variables.

The code is wbenbihi/hourglasstensorlfow, which the Ascend ModelZoo port keeps; its checkpoints load here.
"""
