"""The image, compose.yaml and the manifests: their own checkers accept them, and they fit the service."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.bake import ROOT, SERVICE
from scripts.image.dockerfile import stages_of
from tests.support import MOST, Bake, BakedProject, questions, run

BIN = Path(sys.executable).parent
BROKERS = questions()["broker"]
KEY = {"SECRET_KEY": "5vXh-9dRkq2LZtMbyW8sJf4uGnEoAiCp7xTrQwKzVlY"}
GIVEN = {**KEY, "POSTGRES_PASSWORD": "x", "RABBITMQ_PASSWORD": "y"}
SUBSTITUTED = re.compile(r"\$\{(\w+)(?::\?[^}]+)?\}")
CHECK_SETTINGS = """
import json, sys
from app.core.config import all_settings
given = json.load(sys.stdin)
print([name for name in given if name.lower() not in all_settings().model_fields])
all_settings()(_env_file=None, service_name="x", **{name.lower(): value for name, value in given.items()})
"""
PINNED = "rules: {unpinned-uses: {config: {policies: {'actions/*': ref-pin}}}}"
"""For zizmor: GitHub's own actions may be named by their release."""


def passes(*words: str | Path, cwd: Path) -> None:
    """A checker has nothing to say."""
    done = run(str(BIN / words[0]), *map(str, words[1:]), cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr


def checked_settings(service: BakedProject, given: dict[str, str]) -> None:
    """The service takes these variables, and each is a setting of it."""
    done = run(sys.executable, "-c", CHECK_SETTINGS, cwd=service.path, stdin=json.dumps(given), PYTHONPATH=".")
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stdout + done.stderr


def manifests(service: BakedProject) -> Iterator[dict[str, Any]]:
    for file in sorted((service.path / "deploy").rglob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("answers", [{}, MOST, {"license": "Proprietary", "description": "100% 'quoted', #hashed"}])
def test_the_dockerfile_is_good_style(answers: dict[str, str], bake: Bake) -> None:
    service = bake(**answers)
    passes("hadolint", "Dockerfile", cwd=service.path)
    last = stages_of(service.text("Dockerfile"))[-1]
    assert last.last("USER").text == "10001:10001"
    assert "PYTHONDONTWRITEBYTECODE" not in service.text("Dockerfile")
    names = {word.partition("=")[0] for one in last.instructions if one.word == "ENV" for word in one.words()}
    checked_settings(service, {"DATABASE_URL": "postgresql://db/x", **dict.fromkeys(names - {"PATH"}, "test"), **KEY})


@pytest.mark.parametrize(("broker", "cache"), [("none", "memory"), *((broker, "redis") for broker in BROKERS)])
def test_compose_has_the_servers_that_were_chosen_and_settings_that_the_service_takes(
    broker: str, cache: str, bake: Bake
) -> None:
    service = bake(broker=broker, cache=cache)
    passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml", cwd=service.path)
    services = yaml.safe_load(service.text("compose.yaml"))["services"]
    chosen = ["broker"] * (broker != "none") + ["cache"] * (cache != "memory")
    assert set(services) == {"migration", "service", "worker", "database", *chosen}
    environment = services["service"]["environment"]
    for name in ("migration", "service", "worker"):
        part = services[name]
        assert (part["read_only"], part["cap_drop"], part["environment"]) == (True, ["ALL"], environment)
        assert part["env_file"] == [{"path": ".env", "required": False}]
    given = {key: SUBSTITUTED.sub(lambda it: GIVEN[it[1]], value) for key, value in environment.items()}
    checked_settings(service, given)
    assert given.keys() >= {f"{one}_URL".upper() for one in chosen}
    waited_for = services["service"]["depends_on"]
    assert waited_for.pop("migration") == {"condition": "service_completed_successfully"}
    assert waited_for == {name: {"condition": "service_healthy"} for name in ("database", *chosen)}
    assert all("healthcheck" in services[name] for name in waited_for)


@pytest.mark.parametrize("broker", BROKERS)
def test_the_manifests_are_valid_and_their_settings_are_those_of_the_service(broker: str, bake: Bake) -> None:
    service = bake(deployment="kubernetes", broker=broker, telemetry="full")
    files = [file for file in (service.path / "deploy").rglob("*.yaml") if file.name != "kustomization.yaml"]
    passes("kubernetes-validate", "--strict", "--quiet", *files, cwd=service.path)
    literals = [one["literals"] for it in manifests(service) for one in it.get("configMapGenerator", ())]
    settings = dict(line.split("=") for line in literals[0])
    checked_settings(service, settings | KEY | {"DATABASE_URL": "postgresql://user:x@database/app"})


def test_the_page_waits_for_the_job_that_is_there(bake: Bake) -> None:
    service = bake(deployment="kubernetes", project_slug="order_desk")
    (job,) = [one["metadata"]["name"] for one in manifests(service) if one["kind"] == "Job"]
    assert set(re.findall(r"job/([\w-]+)", service.text("docs/going-live.md"))) == {job} == {"order-desk-migration"}


def test_each_manifest_is_part_of_a_kustomization(bake: Bake) -> None:
    service = bake(deployment="kubernetes")
    named: set[Path] = set()
    for file in (service.path / "deploy").rglob("kustomization.yaml"):
        contents = yaml.safe_load(file.read_text(encoding="utf-8"))
        named |= {
            (file.parent / name).resolve() for name in (*contents.get("resources", ()), *contents.get("components", ()))
        }
        named.add(file.resolve())
    there = {file.resolve() for file in (service.path / "deploy").rglob("*.yaml")}
    assert {path for path in named if path.is_file()} == there
    assert [path for path in named if not path.exists()] == []


def test_each_pod_is_restricted_and_runs_as_the_user_of_the_image(bake: Bake) -> None:
    pods = [
        one["spec"]["template"]["spec"]
        for one in manifests(bake(deployment="kubernetes"))
        if "template" in one.get("spec", {})
    ]
    assert len(pods) == 3
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


@pytest.mark.parametrize(
    ("deployment", "there"),
    [
        ("none", set()),
        ("compose", {"Dockerfile", ".dockerignore", "compose.yaml"}),
        ("kubernetes", {"Dockerfile", ".dockerignore", "compose.yaml", "deploy"}),
    ],
)
def test_a_deployment_has_its_files(deployment: str, there: set[str], bake: Bake) -> None:
    service = bake(deployment=deployment)
    assert {
        name for name in ("Dockerfile", ".dockerignore", "compose.yaml", "deploy") if (service.path / name).exists()
    } == there


@pytest.mark.parametrize("folder", [ROOT, ROOT / SERVICE], ids=["template", "service"])
def test_the_workflows_are_safe(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "zizmor.yml").write_text(PINNED)
    words = ("--offline", "--no-progress", "--config", tmp_path / "zizmor.yml", folder / ".github" / "workflows")
    passes("zizmor", *words, cwd=tmp_path)
