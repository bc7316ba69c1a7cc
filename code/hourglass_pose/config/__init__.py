"""config.cfg: its keys, their rules, its text, and the frozen Config made of them."""
