"""The package and the image hold the program as it is: its commands, its user, its packages."""

from __future__ import annotations

import re
import shlex
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import shtab
import yaml  # type: ignore[import-untyped]  # as it ships
from packaging.requirements import Requirement

from deploy.packaging.extras import COMPLETIONS
from deploy.packaging.manual import commands, print_pages, roff
from migrator.cli.parser import COMMANDS, parser

TOP = Path(__file__).parents[2]
DEPLOY = TOP / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")


def pinned(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (TOP / lock).read_text(), re.M))


def test_what_is_given_away_was_tested() -> None:
    """The same versions as in the environment that the tests run in, and every extra that users have."""
    ours = pinned("deploy/requirements.txt")
    assert ours.items() <= pinned("requirements-dev.txt").items()
    asked = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    extras = [line for extra, lines in asked["optional-dependencies"].items() if extra != "dev" for line in lines]
    names = {re.sub(r"[-_.]+", "-", Requirement(line).name).lower() for line in [*asked["dependencies"], *extras]}
    assert names - ours.keys() == set()
    wanted = {
        Requirement(line).name
        for name in ours
        if name != "pip"
        for line in distribution(name).requires or ()
        if not Requirement(line).marker
    }
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in wanted} - ours.keys() == set()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {path.name: path.read_text() for path in print_pages(tmp_path_factory.mktemp("man"), 1_800_000_000)}


def test_each_command_has_a_man_page_with_each_of_its_options(pages: dict[str, str]) -> None:
    assert set(pages) == {"mailferry.1", *(f"mailferry-{name}.1" for name in COMMANDS)}
    for name, command in commands().items():
        page = pages[f"mailferry-{name}.1"]
        shown = [action for action in command._actions if action.help != "==SUPPRESS=="]  # noqa: SLF001  # argparse has no other way to ask
        missing = [
            option for action in shown for option in action.option_strings if f"\\fB{roff(option)}\\fR" not in page
        ]
        assert missing == [], name


def test_the_main_page_names_every_command_and_every_exit_code(pages: dict[str, str]) -> None:
    page = pages["mailferry.1"]
    assert [name for name in COMMANDS if f".BR mailferry\\-{roff(name)} (1)" not in page] == []
    assert [code for code in ("0", "1", "2", "130") if f"\\fB{code}\\fR" not in page] == []
    assert page.startswith('.TH "MAILFERRY" "1" "2027-01-15"')


def test_no_line_of_a_man_page_is_an_order_by_accident(pages: dict[str, str]) -> None:
    known = {".TH", ".SH", ".TP", ".PP", ".B", ".BR"}
    orders = {line.split()[0] for page in pages.values() for line in page.splitlines() if line[:1] in ".'"}
    assert orders <= known
    assert roff(".bashrc and -x and \\") == "\\&.bashrc and \\-x and \\e"


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_each_shell_completes_each_command(shell: str) -> None:
    script = shtab.complete(parser(), shell=shell)
    assert [name for name in COMMANDS if name not in script] == []


def test_image_and_compose_have_the_same_user_and_places() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["mailferry"]
    assert f"\nUSER {service['user']}\n" in DOCKERFILE
    mounted = {volume.split(":")[1] for volume in service["volumes"]}
    assert {"/var/lib/mailferry", "/etc/mailferry"} == mounted
    assert (DEPLOY / service["build"]["context"]).resolve() == TOP
    assert (TOP / service["build"]["dockerfile"]).is_file()


def test_every_worker_of_a_fleet_runs_sealed_as_the_one_of_an_office_does() -> None:
    office = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["mailferry"]
    fleet = yaml.safe_load((DEPLOY / "compose.fleet.yaml").read_text())
    worker = fleet["services"]["mailferry"]
    own = {"deploy", "depends_on", "volumes", "secrets"}
    assert {key: value for key, value in worker.items() if key not in own} == {
        key: value for key, value in office.items() if key not in own
    }
    assert worker["deploy"]["replicas"] == 3
    assert worker["depends_on"]["database"]["condition"] == "service_healthy"
    named = {name for service in fleet["services"].values() for name in service["secrets"]}
    assert named == set(fleet["secrets"])


def test_the_image_is_made_of_files_that_are_handed_to_its_builder() -> None:
    allowed = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"]
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if re.match(r"COPY (?!--from)", line)]
    assert [name for names in copied for name in names if name not in allowed or not (TOP / name).exists()] == []


def test_unit_and_image_call_commands_that_there_are() -> None:
    unit = (DEPLOY / "mailferry.service").read_text()
    called = [shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.M)[1])]  # type: ignore[index]  # it fails if there is none
    lists = [
        re.findall(r'"([^"]*)"', line) for line in DOCKERFILE.splitlines() if re.match(r"\s*CMD|HEALTHCHECK", line)
    ]
    called += [words if words[0] == "mailferry" else ["mailferry", *words] for words in lists]
    assert [parser().parse_args(words[1:]).command for words in called] == ["run", "healthcheck", "run"]


def test_the_configuration_of_the_debian_package_is_valid_and_empty() -> None:
    written = tomllib.loads((DEPLOY / "debian/config.toml").read_text())
    assert written == {"state_dir": "/var/lib/mailferry/state", "schedule": {"every": "15 minutes"}}
