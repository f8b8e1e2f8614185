"""The voxel suite: kernel maps, layers, networks, memory and a stream of frames; a page of tables and a plot."""

from tamis.bench.voxel.report import markdown, save_plot, verdict
from tamis.bench.voxel.suite import SECTIONS, Options, Outcome, run

__all__ = ["SECTIONS", "Options", "Outcome", "markdown", "run", "save_plot", "verdict"]
