"""Random changes of training crops: one file each, behind the table in table.py."""
