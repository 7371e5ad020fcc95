"""Releases pushed to a stand-in of the Hugging Face hub on this machine, by Hugging Face's own client."""

import hashlib
import json
import logging

import huggingface_hub
import pytest
import yaml
from hub_stand_in import EMPTY, Hub, Repository

from gan.errors import GanflowError, InputError, ReleaseError, ServiceError
from tasks.generate.hub import push_to_hub, require_hub
from tasks.generate.manifest import files_in
from tasks.runtime.settings import Settings
from tests.unit.tasks.generate.test_release import CONFIG, EVALUATION, MODEL, PROGRAM, build_release

NAME = "anna/digits"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with Hub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # its storage is another service
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-login"))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        yield hub


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """Two releases of one model, of three shards and of one."""
    settings = Settings(ganflow_home=tmp_path_factory.mktemp("home"))

    def drawn(name, shard_images):
        config = CONFIG.model_copy(update={"shard_images": shard_images})
        facts = {"evaluation": EVALUATION, "training_digests": (), "configuration": "preset debug"}
        return build_release(settings, MODEL, PROGRAM, config, name=name, **facts).folder

    return drawn("v3-001", 9), drawn("v3-002", 100)


def bytes_of(folder):
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


def test_what_lies_there_is_what_was_drawn_in_one_commit_under_its_tag(hub, releases, caplog, capfd):
    folder = releases[0]
    with caplog.at_level(logging.DEBUG):
        pushed = push_to_hub(folder, NAME)
    repository = hub.repositories[NAME]
    assert repository.private
    assert len(repository.commits) == 2
    assert repository.tags == {"v3-001": pushed.commit}
    assert pushed.commit == repository.head
    assert pushed.address == f"{hub.address}/datasets/{NAME}/tree/v3-001"
    assert repository.files() == bytes_of(folder) | EMPTY
    manifest = json.loads(repository.files()["manifest.json"])
    for name, digest in manifest["files"].items():
        assert hashlib.sha256(repository.files()[name]).hexdigest() == digest
    assert hub.tokens == {hub.token, ""}  # none with what is stored, whose addresses are signed
    assert not any(hub.token.encode() in body for _, _, body in hub.requests)
    assert hub.token not in caplog.text + "".join(capfd.readouterr())


def test_the_card_says_where_the_files_are(hub, releases):
    push_to_hub(releases[0], NAME)
    (asked,) = hub.asked("/validate-yaml")
    front = yaml.safe_load(json.loads(asked)["content"].split("---")[1])
    assert front["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "train-*.parquet"}]}
    ]
    assert front["annotations_creators"] == ["machine-generated"]
    assert {"license", "source_datasets", "tags"} <= set(front)


def test_all_see_what_is_made_with_public_alone(hub, releases):
    push_to_hub(releases[0], NAME, public=True)
    assert not hub.repositories[NAME].private
    with pytest.raises(InputError, match="all may see anna/digits on the hub: push with --public"):
        push_to_hub(releases[1], NAME)
    hub.repositories[NAME].private = True
    with pytest.raises(InputError, match="is private on the hub"):
        push_to_hub(releases[1], NAME, public=True)
    assert list(hub.repositories[NAME].tags) == ["v3-001"]


def test_done_again_it_changes_nothing(hub, releases):
    pushed = push_to_hub(releases[0], NAME)
    uploads = len(hub.asked("/lfs/[0-9a-f]+"))
    assert uploads == 4  # three shards and the samples
    assert push_to_hub(releases[0], NAME) == pushed
    assert len(hub.repositories[NAME].commits) == 2
    assert len(hub.asked("/lfs/[0-9a-f]+")) == uploads


def test_the_next_release_takes_the_place_of_the_first_whose_tag_keeps_its_files(hub, releases):
    for folder in releases:
        push_to_hub(folder, NAME)
    repository = hub.repositories[NAME]
    assert repository.files() == bytes_of(releases[1]) | EMPTY
    assert repository.files("v3-001") == bytes_of(releases[0]) | EMPTY
    assert repository.files("v3-002") == bytes_of(releases[1]) | EMPTY
    head = repository.head
    push_to_hub(releases[0], NAME)  # there already, and no step back
    assert repository.head == head


@pytest.mark.parametrize("end", ["/repos/create", "/refs", "/commit/main", "/tag/[0-9a-f]+"])
def test_a_push_that_is_cut_is_taken_up_again(hub, releases, end):
    hub.refuse[end] = 503, "maintenance"
    with pytest.raises(ServiceError, match=r"does not answer as it should \(maintenance\): try again later"):
        push_to_hub(releases[0], NAME)
    if NAME in hub.repositories:
        assert not hub.repositories[NAME].tags
        assert hub.repositories[NAME].files() in (EMPTY, bytes_of(releases[0]) | EMPTY)
    pushed = push_to_hub(releases[0], NAME)
    assert len(hub.repositories[NAME].commits) == 2
    assert hub.repositories[NAME].tags == {"v3-001": pushed.commit}


def test_an_upload_that_fails_leaves_nothing_to_be_seen(hub, releases):
    hub.refuse["/lfs/[0-9a-f]+"] = 403, "the signed address is too old"
    with pytest.raises(InputError, match="too old"):
        push_to_hub(releases[0], NAME)
    assert hub.repositories[NAME].files() == EMPTY
    push_to_hub(releases[0], NAME)
    assert hub.repositories[NAME].files() == bytes_of(releases[0]) | EMPTY


def test_who_changes_the_repository_meanwhile_is_not_written_over(hub, releases, monkeypatch):
    validate, there = hub._validate, None

    def meanwhile(content):
        nonlocal there
        there = hub.repositories[NAME].commit(EMPTY | {"theirs.txt": b"x"}, "theirs")
        return validate(content)

    monkeypatch.setattr(hub, "_validate", meanwhile)
    with pytest.raises(ServiceError, match="A commit has happened since"):
        push_to_hub(releases[0], NAME)
    assert hub.repositories[NAME].head == there


def test_files_that_are_no_release_are_not_replaced(hub, releases):
    hub.repositories[NAME] = Repository(private=True)
    hub.repositories[NAME].commit(EMPTY | {"README.md": b"# mine", "train.csv": b"1"}, "mine")
    with pytest.raises(InputError, match=r"holds files that are no release \(train.csv, say\)"):
        push_to_hub(releases[0], NAME)
    assert hub.repositories[NAME].files()["train.csv"] == b"1"


def test_a_tag_of_other_files_is_not_moved(hub, releases):
    push_to_hub(releases[0], NAME)
    repository = hub.repositories[NAME]
    repository.tags["v3-002"] = repository.head
    with pytest.raises(ReleaseError, match="a release v3-002 of other files"):
        push_to_hub(releases[1], NAME)
    assert repository.files() == bytes_of(releases[0]) | EMPTY


@pytest.mark.parametrize(
    ("token", "repository", "said"),
    [
        ("", NAME, "needs a token: run `hf auth login`, or set HF_TOKEN"),
        ("hf_another1another1", NAME, "does not take the token"),
        (None, "berta/digits", "the token may not write to berta/digits"),
    ],
)
def test_no_token_or_no_right(hub, releases, monkeypatch, token, repository, said):
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(InputError, match=said) as caught:
        push_to_hub(releases[0], repository)
    assert not hub.repositories
    assert "hf_" not in str(caught.value)


def test_a_repository_of_somebody_else_that_may_be_read(hub, releases):
    hub.repositories["berta/digits"] = Repository(private=True)
    with pytest.raises(InputError, match="the token may not write to berta/digits"):
        push_to_hub(releases[0], "berta/digits")
    assert hub.repositories["berta/digits"].files() == EMPTY


def test_no_network(hub, releases, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:1 does not answer as it should") as caught:
        push_to_hub(releases[0], NAME)
    assert "\n" not in str(caught.value)


def test_what_a_hub_says_is_made_fit_to_be_shown(hub, releases):
    hub.refuse["/commit/main"] = 400, f"\x1b[31mno\n{hub.token}"
    with pytest.raises(GanflowError, match="does not take the release for anna/digits") as caught:
        push_to_hub(releases[0], NAME)
    assert hub.token not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_more_files_than_a_commit_takes(hub, releases, monkeypatch):
    monkeypatch.setattr("tasks.generate.hub._MOST_FILES", 3)
    with pytest.raises(ReleaseError, match="--format parquet"):
        push_to_hub(releases[0], NAME)
    assert not hub.requests


@pytest.mark.parametrize("name", ["digits", "a/b/c", "a//b", "a b/c", "../x", "a/b..c", "a/-b", "https://x/y", "a/b\n"])
def test_names_that_are_no_datasets(hub, name):
    with pytest.raises(InputError, match="OWNER/NAME"):
        require_hub(name)


def test_before_anything_is_drawn(hub, monkeypatch):
    require_hub(NAME)
    monkeypatch.setenv("HF_TOKEN", "")
    with pytest.raises(InputError, match="needs a token"):
        require_hub(NAME)
    assert not hub.requests
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'ganflow\[hub\]'"):
        require_hub(NAME)


def test_offline(hub, releases, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()  # what it does offline is decided when a session is made
    try:
        with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
            push_to_hub(releases[0], NAME)
    finally:
        huggingface_hub.close_session()
