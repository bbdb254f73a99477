"""Pictures of results as PNG files, for pages and papers."""

from tuning.pictures.toy import draw_toy

__all__ = ["draw_toy"]
