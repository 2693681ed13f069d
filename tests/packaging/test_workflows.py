"""The workflows call what there is, with no more rights than they need, and with actions that nobody can exchange."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MOVED_BY_ITS_MAINTAINERS_FOR_RELEASES_ONLY = {"pypa/gh-action-pypi-publish@release/v1"}


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> Any:
    return yaml.safe_load(request.param.read_text(encoding="utf-8"))


def steps(workflow: Any) -> list[Any]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_are_tests_an_audit_and_a_release() -> None:
    assert [path.stem for path in WORKFLOWS] == ["audit", "release", "tests"]


def test_actions_are_named_by_commit(workflow: Any) -> None:
    for action in {step["uses"] for step in steps(workflow) if "uses" in step}:
        assert re.search(r"@[0-9a-f]{40}$", action) or action in MOVED_BY_ITS_MAINTAINERS_FOR_RELEASES_ONLY


def test_rights_are_few_and_jobs_end(workflow: Any) -> None:
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 60
        writes = {right for right, level in job.get("permissions", {}).items() if level == "write"}
        assert writes == ({"id-token", "attestations"} if name == "publish" else set())


def test_what_they_call_is_there(workflow: Any) -> None:
    sessions = set(re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.MULTILINE))
    commands = " ".join(step["run"] for step in steps(workflow) if "run" in step)
    for called in re.findall(r"nox -s ([\w ]+)", commands):
        assert set(called.split()) <= sessions
    assert all((ROOT / script).is_file() for script in re.findall(r"\.ci/\w+", commands))


def test_nothing_is_published_that_was_not_tried() -> None:
    release = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    assert release["jobs"]["publish"]["needs"] == "build"
    (tried,) = [step["run"] for step in release["jobs"]["build"]["steps"] if "nox -s" in step.get("run", "")]
    assert tried.split()[2:] == ["build", "extras", "audit", "sbom"]
