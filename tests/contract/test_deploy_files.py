"""What is deployed is what the code is: files are well-formed, and name what exists."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import typer
import yaml

from feature_repo.cli import app as feature_repo
from feature_repo.registry.gather import gather_features
from feature_repo.registry.metadata import Status
from foundation.settings import PREFIX, PROJECT_ROOT, Settings
from monitoring.alerts import ALERTS
from monitoring.cli import app as monitoring
from monitoring.promql import EXPORTER, GATEWAY, SCHEDULER
from serving_gateway.cli import app as serving_gateway
from transformations.cli import app as transformations
from transformations.jobs import jobs_of

DEPLOY = PROJECT_ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
BIN = Path(sys.executable).parent
APPS = {
    "feature_repo": feature_repo,
    "monitoring": monitoring,
    "serving_gateway": serving_gateway,
    "transformations": transformations,
}
PORTS = {
    GATEWAY: Settings.model_fields["gateway_port"].default,
    SCHEDULER: Settings.model_fields["schedule_metrics_port"].default,
    EXPORTER: Settings.model_fields["exporter_port"].default,
}


def _passes(*command: str | Path) -> None:
    done = subprocess.run(  # noqa: S603 - a linter
        command, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _resources(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from yaml.safe_load_all(path.read_text())


def _containers(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("containers", "initContainers"):
                yield from value
            else:
                yield from _containers(value)
    elif isinstance(node, list):
        for each in node:
            yield from _containers(each)


def _mounts(service: dict[str, Any]) -> dict[PurePosixPath, str]:
    """Return where something is mounted, and whether it is `ro` or `rw`."""
    volumes = [volume.split(":") for volume in service.get("volumes", ())]
    secrets = [[name, f"/run/secrets/{name}", "ro"] for name in service.get("secrets", ())]
    return {
        PurePosixPath(target): mode[0] if mode else "rw"
        for _, target, *mode in [*volumes, *secrets]
    }


def _commands() -> list[list[str]]:
    ours = [s for s in COMPOSE["services"].values() if s["image"].startswith("feature-store")]
    commands = [service["command"] for service in ours if "command" in service]
    for folder in ("base", "cronjobs"):
        for resource in _resources(KUBERNETES / folder):
            commands += [each["args"] for each in _containers(resource)]
    return commands


def test_the_image_is_built_well() -> None:
    """As hadolint sees it."""
    hadolint = BIN / "hadolint"
    if not hadolint.exists():
        pytest.skip("there is no hadolint for this platform")
    _passes(hadolint, DEPLOY / "Dockerfile")


def test_compose_is_well_formed() -> None:
    """By the schema of the Compose specification."""
    schema = ("--builtin-schema", "vendor.compose-spec")
    _passes(BIN / "check-jsonschema", *schema, DEPLOY / "compose.yaml")


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_nothing_is_mounted_within_what_is_read_only(name: str) -> None:
    """Docker can't make a place for it there, and the container would not start."""
    mounts = _mounts(COMPOSE["services"][name])
    fixed = [target for target, mode in mounts.items() if mode == "ro"]
    assert not [(inner, outer) for inner in mounts for outer in fixed if outer in inner.parents]


def test_our_volumes_are_of_our_user() -> None:
    """A new volume is root's, unless the image has a folder in its place."""
    made = re.findall(r"install -d -o 10001 -g 10001 (\S+)", (DEPLOY / "Dockerfile").read_text())
    written = {
        str(target)
        for service in COMPOSE["services"].values()
        if service["image"].startswith("feature-store")
        for target, mode in _mounts(service).items()
        if mode == "rw"
    }
    assert written == set(made)


def test_secrets_are_mounted_where_they_are_read() -> None:
    """By Prometheus and Alertmanager, each its own; the files are those that the README names."""
    for name, file in (("prometheus", "prometheus.yml"), ("alertmanager", "alertmanager.yml")):
        read = re.findall(r"_file: (\S+)", (DEPLOY / name / file).read_text())
        assert read == [f"/run/secrets/{each}" for each in COMPOSE["services"][name]["secrets"]]
    files = {secret["file"] for secret in COMPOSE["secrets"].values()}
    readme = (DEPLOY / "secrets" / "README.md").read_text()
    assert files == {f"./secrets/{each}" for each in re.findall("^- `(.*?)`", readme, re.MULTILINE)}


@pytest.mark.parametrize("folder", ["base", "cronjobs"])
def test_resources_are_well_formed(folder: str) -> None:
    """By Kubernetes' own schemas, as far as it knows them."""
    files = list((KUBERNETES / folder).glob("*.yaml"))
    _passes(BIN / "kubernetes-validate", "--strict", *files)


def test_kustomizations_name_what_is_there() -> None:
    """Every file, and nothing else."""
    for folder in ("base", "cronjobs"):
        path = KUBERNETES / folder
        named = yaml.safe_load((path / "kustomization.yaml").read_text())["resources"]
        files = {each.name for each in path.glob("*.yaml")} - {"kustomization.yaml"}
        assert {name for name in named if name != "../base"} == files


def test_commands_exist() -> None:
    """Those of ours with their options, and Feast's."""
    for module, *arguments in _commands():
        if module == "feast.cli.cli":
            assert arguments == ["--chdir", "feature_repo", "apply"]
            continue
        group = typer.main.get_command(APPS[module])
        name, *options = arguments
        assert name in group.commands, (module, arguments)  # type: ignore[attr-defined]  # each is a group
        group.commands[name].make_context(name, options)  # type: ignore[attr-defined]


def test_settings_exist() -> None:
    """None is misspelt."""
    texts = [
        path.read_text()
        for pattern in ("Dockerfile", "*.yaml", "kubernetes/*/*.yaml")
        for path in DEPLOY.glob(pattern)
    ]
    named = {found.lower() for text in texts for found in re.findall(rf"{PREFIX}(\w+)", text)}
    assert named - {"tag"} <= Settings.model_fields.keys()


def test_ports_are_those_of_the_processes() -> None:
    """Where Prometheus scrapes, and what Kubernetes opens."""
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    scraped = {each["job_name"]: each["static_configs"] for each in config["scrape_configs"]}
    assert scraped == {name: [{"targets": [f"{name}:{port}"]}] for name, port in PORTS.items()}
    opened = {
        resource["metadata"]["name"]: resource["spec"]["ports"][0]["port"]
        for resource in _resources(KUBERNETES / "base")
        if resource["kind"] == "Service"
    }
    assert opened == PORTS


def test_cronjobs_run_every_job_once() -> None:
    """A feature that is added, and computed by no CronJob, would never be fresh."""
    run: list[str] = []
    for resource in _resources(KUBERNETES / "cronjobs"):
        for container in _containers(resource):
            if container["args"][:2] == ["transformations", "run"]:
                run += container["args"][2:]
    live = {
        feature.feature_name
        for job in jobs_of(gather_features())
        for feature in job.features
        if feature.status is Status.ACTIVE
    }
    assert sorted(run) == sorted(live)


def test_routes_name_alerts_that_there_are() -> None:
    """Or what follows from a problem would be told besides it."""
    config = yaml.safe_load((DEPLOY / "alertmanager/alertmanager.yml").read_text())
    matchers = [
        matcher
        for rule in config["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
    ]
    named = {name for text in matchers for name in re.findall(r"[A-Z]\w+", text)}
    assert named <= {alert.name for alert in ALERTS}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    """Rules included; without the key, which is a secret."""
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    for scraped in config["scrape_configs"]:
        scraped.pop("authorization", None)
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(DEPLOY / "prometheus/rules.yml", tmp_path)
    _passes("promtool", "check", "config", tmp_path / "prometheus.yml")


def _alertmanager_configs() -> list[str]:
    """Return what is deployed and what is shown, as versions without files for secrets take it."""
    deployed = (DEPLOY / "alertmanager/alertmanager.yml").read_text()
    text = (PROJECT_ROOT / "docs/alerts.md").read_text()
    shown = [each for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "route:" in each]
    return [
        re.sub(r"\b(url|routing_key)_file: \S+", r"\1: http://localhost", config)
        for config in (deployed, *shown)
    ]


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
@pytest.mark.parametrize("config", _alertmanager_configs(), ids=["deployed", "shown"])
def test_alertmanager_takes_its_configuration(config: str, tmp_path: Path) -> None:
    """And tells the watchdog to nobody but the service that waits for it."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(config)
    _passes("amtool", "check-config", path)
    routed = ("amtool", "config", "routes", "test", f"--config.file={path}")
    _passes(*routed, "--verify.receivers=dead-mans-switch", "alertname=Watchdog", "severity=none")
    _passes(*routed, "--verify.receivers=on-call", "alertname=GatewayDown", "severity=critical")
