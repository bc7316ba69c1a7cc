"""The network graph: layers, hourglass, architectures, and its summary."""
