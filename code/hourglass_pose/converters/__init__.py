"""Official files of MPII, LSP and COCO, read into our annotations."""
