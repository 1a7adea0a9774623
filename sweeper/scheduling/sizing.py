"""What runs need of the GPUs that are there, found out before and after an executor starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from results.queries.queries import Queries
from results.records import CostSample
from sweeper.errors import ResourceError
from sweeper.planning.cost import CostModel
from sweeper.planning.gpu_models import Choice, choose_gpu, models_here
from sweeper.planning.plan import work_of
from sweeper.planning.slot import Slot
from sweeper.spec.spec import Spec
from trainers.config.trainer_run import TrainerRun


class Sizing:
    """Estimates for the runs of a sweep, for GPUs that become known.

    Args:
        spec: whose runs they are.
        samples: of finished runs.
        device: the GPU that the user names; None for none.
        on_this_machine: whether runs train here, so that its GPUs are known before Ray starts.
        tell: called with sentences for the user.

    Raises RequestError for a GPU that nothing is known of.
    """

    def __init__(
        self,
        spec: Spec,
        samples: Sequence[CostSample],
        device: str | None,
        on_this_machine: bool,
        tell: Callable[[str], None],
    ) -> None:
        self._spec = spec
        self._samples = samples
        self._device = device
        self._tell = tell
        self._told = False
        self._gpu = self._chosen(models_here() if on_this_machine else ())
        self.costs = CostModel.from_samples(samples, self._slot())

    def check(self, queries: Queries) -> None:
        """Tell which runs need much memory, once it is known of which GPU.

        Raises ResourceError if runs that are yet to train never can on any of the GPUs.
        """
        if self._gpu is not None and self._gpu.certain and not self._told:
            self._told = True
            work = work_of(self._spec, self.costs, self._gpu, yet_to_train(self._spec, queries))
            if refusal := work.refusal():
                raise ResourceError(refusal)
            for sentence in work.about_memory():
                self._tell(sentence)

    def found(self, gpu_models: Sequence[str], queries: Queries) -> None:
        """The executor has GPUs of these models; as `check` does for them."""
        if gpu_models and self._gpu is not None and not self._gpu.certain:
            self._gpu = self._chosen(gpu_models)
            self.costs.move(self._slot())
        self.check(queries)

    def _chosen(self, models: Sequence[str]) -> Choice | None:
        if not self._spec.resources.gpus:
            return None
        return choose_gpu(self._device, models, self._samples)

    def _slot(self) -> Slot:
        resources = self._spec.resources
        return Slot.of(resources) if self._gpu is None else Slot.of(resources, self._gpu.device)


def yet_to_train(spec: Spec, queries: Queries) -> list[TrainerRun]:
    """The runs of a spec that are neither done nor failed."""
    reached = queries.stages_of({config.run_id for config in spec.configs})
    return [c for c in spec.configs if reached.get(c.run_id) not in ("done", "failed")]
