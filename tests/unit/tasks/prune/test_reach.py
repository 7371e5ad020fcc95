"""Whatever refers to whatever: what a version or a release goes back to never goes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.prune.reach import DAY, World, judge_evaluations, judge_trainings, used_datasets
from tasks.tracking.removal import KnownRun, KnownVersion

NOW = 1000 * DAY


def run(name, days=100, status="FINISHED", ongoing=False, models=(), **tags):
    ended = NOW - days * DAY
    tags = {"dataset_md5": f"md5 of {name}", **{key.replace("_of_", " "): value for key, value in tags.items()}}
    return KnownRun(
        run_id=name, status=status, started=ended - 1, ended=ended, ongoing=ongoing, tags=tags,
        models=dict.fromkeys(models, ""),
    )  # fmt: skip


def warm(run_id):
    return json.dumps({"version": 1, "run_id": run_id, "dataset_md5": "d"})


def world(*trainings, evaluations=(), versions=(), releases=(), held=(), older_than=30):
    return World(trainings, tuple(evaluations), tuple(versions), tuple(releases), frozenset(held), NOW, older_than)


def version(run_id, number=1, model="m", **given):
    return KnownVersion(model=model, version=number, run_id=run_id, **given)


@pytest.mark.parametrize(
    ("run_of", "world_of", "why"),
    [
        (run("a"), {}, None),
        (run("a", days=29), {}, "younger than 30 days"),
        (run("a", status="FAILED"), {}, None),
        (run("a", status="RUNNING", ongoing=True), {}, "it has not ended"),
        (run("a", status="KILLED"), {"held": ["a"]}, "it has not ended"),
        (run("a"), {"versions": [version("a", 3, "pets")]}, "version 3 of pets"),
        (run("a", models=["m-1"]), {"versions": [version("", 3, model_id="m-1")]}, "version 3 of m"),
        (run("a"), {"releases": [("v1-001", "a")]}, "release v1-001 was drawn from it"),
        (
            run("a"),
            {"evaluations": [run("e", days=1, training_of_run="a")]},
            "it was evaluated less than 30 days ago",
        ),
        (run("a", reproduces="3", reproduced="equal"), {"versions": [version("b", 3)]}, "reproducing version 3"),
        (run("a", reproduces="3", reproduced="equal"), {"versions": [version("b", 4)]}, None),
        (run("a", reproduces="3"), {"versions": [version("b", 3)]}, None),
    ],
)
def test_each_reason_to_stay(run_of, world_of, why):
    verdict = judge_trainings(world(run_of, **world_of))["a"]
    assert verdict.goes == (why is None)
    assert why is None or why in verdict.why


def test_what_may_go_says_what_is_lost():
    runs = run("a"), run("b", status="KILLED", training_hash="h"), run("c", status="FAILED")
    verdicts = judge_trainings(world(*runs))
    assert [verdicts[name].why for name in "abc"] == [
        "finished 100 days ago, and no version was made of it",
        "ended 100 days ago as KILLED, which `--resume auto` could still go on with",
        "ended 100 days ago as FAILED",
    ]


def test_a_run_that_is_not_ganflows_stays():
    foreign = KnownRun(run_id="a", status="FINISHED", started=0, ended=0, ongoing=False, tags={})
    assert not judge_trainings(world(foreign))["a"].goes
    assert not judge_evaluations(world(evaluations=[foreign]), {})["a"].goes


def test_a_warm_start_stays_as_long_as_what_began_with_it():
    chain = run("a"), run("b", warm_start=warm("a")), run("c", warm_start=warm("b")), run("d", warm_start=warm("c"))
    kept = judge_trainings(world(*chain, versions=[version("c")]))
    assert {name for name in kept if not kept[name].goes} == {"a", "b", "c"}
    assert kept["a"].why == "run b began with it"
    assert all(verdict.goes for verdict in judge_trainings(world(*chain)).values())


def test_evaluations_stay_with_the_run_that_names_them_and_with_an_alias():
    runs = run("a", evaluation_run="e"), run("b")
    evaluations = [
        run("e"), run("f"), run("young", days=1), run("g", training_of_run="b"), run("h", training_of_run="a"),
    ]  # fmt: skip
    facts = world(*runs, evaluations=evaluations, versions=[version("a"), version("b", 2, aliases=("champion",))])
    judged = judge_evaluations(facts, {each.run_id: each for each in runs})
    assert {name for name in judged if judged[name].goes} == {"f", "h"}
    assert judged["g"].why == "of the champion of m"
    assert judge_evaluations(facts, {})["e"].goes


def test_datasets_that_are_read():
    runs = run("a"), run("b", days=3), run("c", ongoing=True)
    assert used_datasets(world(*runs, evaluations=[run("e", days=3)])) == {f"md5 of {name}" for name in "bce"}


NAMES = [f"r{number}" for number in range(8)]


@st.composite
def worlds(draw):
    """Runs that name any others, themselves and rings too; versions and releases of any, some of runs that are gone."""
    anyone = st.sampled_from([*NAMES, "gone"])

    def training(name):
        tags = {}
        if draw(st.booleans()):
            tags["warm_start"] = warm(draw(anyone))
        if draw(st.booleans()):
            tags["evaluation_run"] = f"e{draw(st.integers(0, 5))}"
        if draw(st.booleans()):
            tags |= {"reproduces": str(draw(st.integers(1, 4))), "reproduced": "equal"}
        status = draw(st.sampled_from(["FINISHED", "FAILED", "KILLED", "RUNNING"]))
        days = draw(st.sampled_from([0, 29, 31, 100]))
        return run(name, days, status, status == "RUNNING", [f"m-{name}"], **tags)

    return world(
        *(training(name) for name in NAMES),
        evaluations=[
            run(f"e{n}", draw(st.sampled_from([0, 29, 31, 100])), training_of_run=draw(anyone)) for n in range(6)
        ],
        versions=[
            version(draw(st.sampled_from([*NAMES, ""])), n, draw(st.sampled_from("mn")), model_id=f"m-{draw(anyone)}")
            for n in range(draw(st.integers(0, 4)))
        ],
        releases=[("v", draw(anyone)) for _ in range(draw(st.integers(0, 2)))],
        held=draw(st.sets(st.sampled_from(NAMES), max_size=2)),
    )


def reachable(facts):
    """All that versions and releases go back to, by walking from them."""
    trainings = {each.run_id: each for each in facts.trainings}
    found, ahead = set(), [run_id for _, run_id in facts.releases]
    for each in facts.versions:
        ahead += [each.run_id, each.model_id.removeprefix("m-")]
    while ahead:
        name = ahead.pop()
        if name in trainings and name not in found:
            found.add(name)
            ahead.append(json.loads(trainings[name].tags.get("warm_start", '{"run_id": ""}'))["run_id"])
    return found, {trainings[name].tags.get("evaluation_run") for name in found}


def after(facts, what):
    """Judge, and return what goes and the world without it."""
    verdicts = judge_trainings(facts)
    going = {name for name, verdict in verdicts.items() if verdict.goes and "runs" in what}
    kept = {each.run_id: each for each in facts.trainings if each.run_id not in going}
    judged = judge_evaluations(facts, kept)
    measured = {name for name, verdict in judged.items() if verdict.goes and "evaluations" in what}
    left = world(
        *kept.values(), evaluations=[each for each in facts.evaluations if each.run_id not in measured],
        versions=facts.versions, releases=facts.releases, held=facts.held,
    )  # fmt: skip
    return going, measured, left


@given(worlds(), st.sampled_from([("runs",), ("evaluations",), ("runs", "evaluations")]))
def test_nothing_that_a_version_or_release_goes_back_to_goes_and_a_second_look_finds_nothing(facts, what):
    going, measured, left = after(facts, what)
    trainings, evaluations = reachable(facts)
    assert not going & trainings
    assert not measured & evaluations
    busy = {each.run_id for each in facts.trainings if each.ongoing} | facts.held
    assert not going & busy
    # What stays and goes back to something that goes would be half of a thing.
    assert all(
        json.loads(each.tags["warm_start"])["run_id"] not in going
        for each in left.trainings
        if "warm_start" in each.tags
    )
    assert not measured & {each.tags.get("evaluation_run") for each in left.trainings}
    assert after(left, what)[:2] == (set(), set())
