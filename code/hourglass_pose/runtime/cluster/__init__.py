"""One process of many on CPUs or GPUs, by TensorFlow's own distributed runtime."""
