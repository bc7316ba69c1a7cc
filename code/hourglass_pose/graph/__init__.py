"""The network graph: layers, and one folder an architecture behind one table."""
