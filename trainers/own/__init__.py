"""What somebody's own trainer is written with: `from trainers.own import Job, trainer`."""

from trainers.own.declaration import Reported, trainer
from trainers.own.job import Checkpoint, Job

__all__ = ["Checkpoint", "Job", "Reported", "trainer"]
