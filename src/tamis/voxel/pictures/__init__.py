"""Pictures of labelled point clouds: a PNG, and a page to turn and zoom."""

from tamis.voxel.pictures.page import save_page
from tamis.voxel.pictures.still import save_png

__all__ = ["save_page", "save_png"]
