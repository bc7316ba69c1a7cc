"""The TensorFlow graph: layers, hourglass, network and loss. Knows neither data nor devices."""
