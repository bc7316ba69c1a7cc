"""Devices behind one interface: native (CPU and GPU), and what picks among them."""
