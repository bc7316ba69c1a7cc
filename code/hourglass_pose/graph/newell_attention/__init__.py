"""The stacked hourglass with multi-context attention of Chu et al. 2017."""
