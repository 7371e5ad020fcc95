"""What a training of ours leaves out of Ray Train, and what it keeps."""

import pytest
import ray.train
from ray.train.backend import Backend
from ray.train.torch import TorchConfig
from ray.train.v2._internal.execution.scaling_policy import create_scaling_policy
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from tasks.train.lean_trainer import Alone, AsManyAsSaid, LeanTrainer


@pytest.mark.parametrize(
    ("on_cluster", "workers", "asks"),
    [(False, 2, False), (True, 2, True), (False, (1, 2), True)],
    ids=["this machine", "a cluster", "elastic"],
)
def test_nobody_is_asked_for_nodes_where_there_are_no_others(monkeypatch, on_cluster, workers, asks):
    monkeypatch.setattr(DataParallelTrainer, "_initialize_and_run_controller", lambda trainer, **options: options)
    trainer = LeanTrainer(print, on_cluster=on_cluster, scaling_config=ray.train.ScalingConfig(num_workers=workers))
    theirs = create_scaling_policy(trainer.scaling_config)
    options = trainer._initialize_and_run_controller(scaling_policy=theirs, callbacks=[])
    assert options["callbacks"] == []
    assert (options["scaling_policy"] is theirs) == asks
    assert isinstance(options["scaling_policy"], AsManyAsSaid) != asks


@pytest.mark.parametrize("on_cluster", [False, True])
def test_what_ray_train_has_no_use_for_here_is_left_out(on_cluster):
    trainer = LeanTrainer(print, on_cluster=on_cluster, scaling_config=ray.train.ScalingConfig(num_workers=1))
    names = {type(each).__name__ for each in trainer._create_default_callbacks()}
    assert "BackendSetupCallback" in names
    assert "DatasetsCallback" not in names
    assert ("PlacementGroupCleanerCallback" in names) == on_cluster


def test_as_many_workers_as_said_and_none_asked_for():
    policy = AsManyAsSaid(ray.train.ScalingConfig(num_workers=3, resources_per_worker={"CPU": 2}))
    policy.after_controller_start(None)
    decision = policy.make_decision_for_non_running_worker_group()
    assert (decision.num_workers, decision.resources_per_worker) == (3, {"CPU": 2})
    policy.make_decision_for_running_worker_group(None, None)
    policy.before_controller_abort()
    assert policy._coordinator_client is None


def test_a_worker_that_is_alone_has_no_process_group():
    assert Alone().backend_cls is Backend
    assert TorchConfig().backend_cls is not Backend
