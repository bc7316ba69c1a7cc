"""The stacked hourglass of Newell, Yang and Deng 2016, and its tiny variant."""
