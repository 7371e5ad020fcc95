"""What a run in MLflow says of an ingest, whoever wrote it."""

import math
from types import SimpleNamespace

import pytest

from tasks.tracking.ingest_runs import _record


@pytest.mark.parametrize(("number", "count"), [(5.0, 5), (math.nan, None), (math.inf, None), (-math.inf, None)])
def test_a_count_that_is_none_is_left_out(number, count):
    info = SimpleNamespace(run_id="r", start_time=1)
    data = SimpleNamespace(tags={"dataset_md5": "d"}, metrics={"num_train": number})
    found = _record(SimpleNamespace(info=info, data=data))
    assert (found.num_train, found.num_test, found.source) == (count, None, None)
