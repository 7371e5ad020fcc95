"""What is told of a training once, at its start, reaches the reader of the log."""

import logging

from gan.training.context import Progress
from tasks.train.log import TrainingLog


def test_where_the_images_are_is_said_and_is_no_progress(caplog):
    shown = []
    log = TrainingLog(None, None, shown.append, logging.getLogger("training"))
    with caplog.at_level(logging.INFO):
        log.progress(Progress(0, 10, images="training images: 100 % of them, held in memory"))
    assert caplog.messages == ["training images: 100 % of them, held in memory"]
    assert shown == []
