"""Failures as libraries raise them, with the real classes, and what they come down to."""

import errno
import http.client
import sqlite3

import httpx
import pytest
import requests
import sqlalchemy.exc
from mlflow.exceptions import MlflowException

from gan.errors import DatasetError, OutOfPatienceError, ResourcesError, ServiceError
from tasks.runtime.failures import explained, is_transient


def raised(error, cause=None):
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def in_the_course_of(error, earlier):
    try:
        try:
            raise earlier
        except Exception:
            raise error  # noqa: B904
    except Exception as caught:
        return caught


AWAY = [
    ConnectionRefusedError(111, "Connection refused"),
    TimeoutError("timed out"),
    requests.ConnectionError("no route"),
    requests.ReadTimeout("slow"),
    http.client.RemoteDisconnected("gone"),
    http.client.IncompleteRead(b""),
    httpx.ConnectError("no answer"),
    MlflowException("API request to /api/2.0 failed with exception HTTPConnectionPool(host='h', port=1)"),
    sqlalchemy.exc.OperationalError("select", {}, sqlite3.OperationalError("database is locked")),
    OSError("When listing objects: AWS Error NETWORK_CONNECTION during ListObjectsV2 operation: curlCode: 7, no"),
    OSError("When reading information for key 'a': AWS Error SLOW_DOWN during HeadObject operation: less, please"),
    raised(RuntimeError("wrapped"), ConnectionResetError(104, "reset")),
    in_the_course_of(RuntimeError("wrapped"), ConnectionResetError(104, "reset")),
]
FULL = [
    OSError(errno.ENOSPC, "No space left on device", "/here/file"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    OSError(errno.EROFS, "Read-only file system"),
    OSError(errno.EFBIG, "File too large"),
    sqlalchemy.exc.OperationalError("insert", {}, sqlite3.OperationalError("database or disk is full")),
    sqlite3.OperationalError("attempt to write a readonly database"),
    RuntimeError("training failed (OSError: [Errno 28] No space left on device)"),
    raised(RuntimeError("wrapped"), OSError(errno.ENOSPC, "No space left on device")),
    in_the_course_of(ConnectionError("later"), OSError(errno.ENOSPC, "No space left on device")),
]
BUGS = [ValueError("bug"), KeyError("bug"), MlflowException("no run"), FileNotFoundError(2, "no"), AssertionError()]


@pytest.mark.parametrize("error", AWAY, ids=repr)
def test_a_service_that_is_away_is_tried_again_and_then_status_75(error):
    told = explained(error)
    assert isinstance(told, ServiceError)
    assert told.exit_status == 75
    assert is_transient(error)


@pytest.mark.parametrize("error", FULL, ids=repr)
def test_a_full_disk_is_a_sentence_and_never_tried_again(error):
    told = explained(error, "/home")
    assert isinstance(told, ResourcesError)
    assert told.exit_status == 1
    assert not is_transient(error)


@pytest.mark.parametrize("error", BUGS, ids=repr)
def test_bugs_stay_what_they_are(error):
    assert explained(error) is None
    assert not is_transient(error)


def test_sentences_stay_what_they_are():
    for error, transient in ((DatasetError("d"), False), (ServiceError("s"), True), (OutOfPatienceError("p"), False)):
        assert explained(error) is error
        assert is_transient(error) is transient
    assert OutOfPatienceError.exit_status == 75


def test_a_sentence_that_was_wrapped_is_told_and_a_bug_while_one_is_handled_is_a_bug():
    sentence = DatasetError("d")
    assert explained(raised(RuntimeError("wrapped"), sentence)) is sentence
    assert explained(in_the_course_of(TypeError("a bug"), sentence)) is None


def test_a_sentence_says_where():
    error = OSError(errno.ENOSPC, "No space left on device", "/here/file")
    assert str(explained(error, "/home")) == (
        "the disk of /here/file is full: free some space or inodes and try again; what was there before stands"
    )
    assert str(explained(OSError(errno.EROFS, "x"), "/home")).startswith("the disk of /home is read-only: make it")


def test_answers_of_a_server_by_their_status():
    for status, transient in ((503, True), (429, True), (404, False), (403, False)):
        error = httpx.HTTPStatusError("no", request=None, response=httpx.Response(status))
        assert is_transient(error) is transient


def test_a_chain_of_causes_that_bites_its_tail_ends():
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__cause__, other.__cause__ = other, one
    assert explained(one) is None
