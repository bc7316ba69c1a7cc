"""One process on one device, and the communication between processes."""
