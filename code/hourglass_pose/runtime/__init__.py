"""One process on one device, and how processes talk to each other."""
