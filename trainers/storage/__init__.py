"""Where a run's files are kept: a folder on disk, or at any URL that fsspec knows."""

from trainers.storage.base import Folder
from trainers.storage.opening import open_folder

__all__ = ["Folder", "open_folder"]
