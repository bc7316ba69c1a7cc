"""Ways to represent joints: one folder each, behind the table in table.py."""
