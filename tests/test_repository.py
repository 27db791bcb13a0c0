"""The repository keeps its own rules: what it pins, what it names, and who may import whom."""

import ast
from collections.abc import Iterator
from functools import cache
import json
from pathlib import Path
import re
import subprocess
import sys
import tomllib
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
import pytest
import yaml

from script.lib.outcomes import AllowedSkip, parse_allowed_skips

ROOT = Path(__file__).parent.parent

# By shape, since a list of the hosts themselves would name them.
REGISTRY_HOST = re.compile(
    r"\b(?:[a-z0-9-]+\.)*(?:pypi|pythonhosted|npmjs|debian|jsdelivr|unpkg)\.(?:org|com|net|io)\b"
)
DOWNLOAD_ADDRESS = re.compile(r"https?://[^\s\"']+\.(?:whl|tgz|tar\.gz|deb)\b")
MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9._-])/(?:work|root)/")
LOCK_FILES = sorted((ROOT / "requirements").glob("*.txt"))


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file git knows, and those about to be added."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def lines() -> Iterator[tuple[str, str]]:
    """Each line of each tracked text file, with the place it stands."""
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def pins(lock: Path) -> dict[str, Version]:
    """Name and version of every requirement in a lock file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in found}


def project() -> dict[str, Any]:
    """Our [project] table."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a package registry's host", REGISTRY_HOST),
        ("a download address", DOWNLOAD_ADDRESS),
        ("a path of one machine", MACHINE_PATH),
    ],
    ids=["registry", "download", "machine"],
)
def test_no_tracked_file_names_a_registry_a_download_or_a_machine(
    what: str, pattern: re.Pattern[str]
) -> None:
    """Such a line works on one machine only, and a registry is the reader's own choice."""
    found = [f"{where}: {line.strip()[:100]}" for where, line in lines() if pattern.search(line)]
    assert not found, f"{what} in:\n" + "\n".join(found)


def test_the_patterns_for_forbidden_lines_find_what_they_are_for() -> None:
    """A pattern that matches nothing would make the test above pass for ever."""
    domain, ending = "pythonhosted", "org"
    assert REGISTRY_HOST.search(f"see files.{domain}.{ending}/packages")
    assert DOWNLOAD_ADDRESS.search("https" + "://example.com/a/b-1.0.whl")
    assert MACHINE_PATH.search("cd /" + "work/main")
    assert not MACHINE_PATH.search("see https://example.com/work/")


@pytest.mark.parametrize("lock", LOCK_FILES, ids=lambda path: path.name)
def test_every_locked_requirement_is_exact_and_hashed_and_carries_no_address(lock: Path) -> None:
    """What was tested is what gets installed, from whichever registry the machine uses."""
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    entries = [entry for entry in re.split(r"\n(?=[A-Za-z0-9-])", text) if entry.strip()]
    loose = [
        entry.splitlines()[0]
        for entry in entries
        if not re.match(r"[A-Za-z0-9._-]+==", entry) or "--hash=sha256:" not in entry
    ]
    assert entries
    assert not loose


@pytest.mark.parametrize("environment", ["test", "ha"])
def test_a_lock_holds_every_direct_requirement_at_a_version_it_allows(environment: str) -> None:
    """A dependency added without script/lib/lock would be missing on every fresh machine."""
    source = (ROOT / "requirements" / f"{environment}.in").read_text(encoding="utf-8")
    wanted = [line.split("#")[0].strip() for line in source.splitlines()]
    locked = pins(ROOT / "requirements" / f"{environment}.txt")
    unmet = [
        str(requirement)
        for text in [*filter(None, wanted), *project()["dependencies"]]
        for requirement in [Requirement(text)]
        if (version := locked.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(version, prereleases=True)
    ]
    assert not unmet, "run script/lib/lock"


def test_hacs_json_holds_only_what_hacs_and_marketplace_know() -> None:
    """An unknown key is refused when someone adds the repository."""
    known = {"name", "content_in_root", "country", "filename", "hacs", "hide_default_branch"}
    known |= {"homeassistant", "persistent_directory", "render_readme", "zip_release"}
    hacs = json.loads((ROOT / "hacs.json").read_text(encoding="utf-8"))
    assert hacs["name"] == "V2G Owner"
    assert set(hacs) <= known


def test_the_oldest_home_assistant_we_accept_is_the_one_the_tests_run_on() -> None:
    """Promising a release that no test has seen would be a guess."""
    oldest = Version(json.loads((ROOT / "hacs.json").read_text())["homeassistant"])
    tested = pins(ROOT / "requirements" / "test.txt")["homeassistant"]
    assert (tested.major, tested.minor) == (oldest.major, oldest.minor)
    assert pins(ROOT / "requirements" / "ha.txt")["homeassistant"] > tested


def test_one_folder_stands_under_custom_components_and_one_manifest_in_the_repository() -> None:
    """HACS takes the first folder it meets; hassfest judges every manifest.json there is."""
    tracked = [path.relative_to(ROOT) for path in tracked_files()]
    folders = {
        path.parts[1]
        for path in tracked
        if path.parts[0] == "custom_components" and len(path.parts) > 2
    }
    assert folders <= {"v2g_owner"}
    manifests = {path.as_posix() for path in tracked if path.name == "manifest.json"}
    assert manifests <= {"custom_components/v2g_owner/manifest.json"}


def test_the_commands_to_remember_can_be_run() -> None:
    """A script without its executable bit fails only for others: the author has it already."""
    scripts = [path for path in (ROOT / "script").iterdir() if path.is_file()]
    scripts += [ROOT / ".ci" / "run", ROOT / "script/lib/chromium", ROOT / "script/lib/lock"]
    assert {"setup", "test", "lint"} <= {path.name for path in scripts}
    listed = subprocess.run(
        ["git", "ls-files", "--stage"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    modes = {line.split("\t")[1]: line.split()[0] for line in listed.splitlines()}
    for script in scripts:
        assert script.read_text(encoding="utf-8").startswith("#!"), script
        assert modes.get(script.relative_to(ROOT).as_posix(), "100755") == "100755", script


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github/workflows").iterdir()), ids=lambda path: path.name
)
def test_a_workflow_pins_what_it_uses_and_may_only_read(path: Path) -> None:
    """A moved tag or a spare permission is how somebody else's code gets to write here."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    used = [
        step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step
    ]
    assert all("permissions" not in job for job in workflow["jobs"].values())
    unpinned = [action for action in used if not re.search(r"@v?\d+\.\d+\.\d+$", action)]
    # Published on master alone; the workflow says so.
    assert set(unpinned) <= {"home-assistant/actions/hassfest@master"}


def imported_modules(path: Path) -> set[str]:
    """Absolute names of all modules a file imports, relative ones resolved."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join((*base, *filter(None, [node.module])))
            found |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
    return found


# Folder, and what nothing inside it may import (with what it may all the same).
BOUNDARIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # HACS installs the integration's folder alone.
    "custom_components": (("owner_api", "tests", "script"), ()),
    "owner_api": (("custom_components", "homeassistant", "tests", "script"), ()),
    # Pure: they import nothing of ours from outside themselves.
    "owner_api/core": (("owner_api",), ("owner_api.core", "owner_api.planning")),
    "owner_api/planning": (("owner_api",), ("owner_api.core", "owner_api.planning")),
    "owner_api/store": (("owner_api.server", "owner_api.simulation", "owner_api.cli"), ()),
    "owner_api/server": (("owner_api.simulation", "owner_api.cli"), ()),
}


def within(module: str, packages: tuple[str, ...]) -> bool:
    """Tell whether a module is one of the packages or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("folder", BOUNDARIES)
def test_imports_point_one_way(folder: str) -> None:
    """Server to store, core and planning; the two products meet over HTTP alone."""
    forbidden, allowed = BOUNDARIES[folder]
    crossed = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for module in sorted(imported_modules(path))
        if within(module, forbidden) and not within(module, allowed)
    ]
    assert not crossed


def test_every_allowed_skip_names_an_existing_test_file() -> None:
    """A line whose test is gone would quietly allow the next test of that name."""
    text = (ROOT / "tests" / "allowed_skips.txt").read_text(encoding="utf-8")
    for line in parse_allowed_skips(text):
        assert list(ROOT.glob(line.test.split("::")[0])), line.test


def test_a_skip_is_allowed_only_for_the_reason_written_down() -> None:
    """Otherwise one accepted gap would hide the next one in the same test."""
    line = AllowedSkip(test="tests/a.py::test_b[[]*[]]", reason="no browser*", why="as it is")
    assert not line.covers("tests/a.py::test_b[x]", "no browser here")
    line = AllowedSkip(test="tests/a.py::test_b[*]", reason="no browser*", why="as it is")
    assert line.covers("tests/a.py::test_b[x]", "no browser here")
    assert not line.covers("tests/a.py::test_b[x]", "no network")


@pytest.mark.slow
def test_a_skip_that_nobody_allowed_fails_the_run(tmp_path: Path) -> None:
    """A test that quietly stops running proves nothing while the gate stays green."""
    (tmp_path / "test_sample.py").write_text(
        "import pytest\n"
        "def test_runs(): pass\n"
        "@pytest.mark.skip(reason='later')\n"
        "def test_skipped(): pass\n"
        "@pytest.mark.xfail(reason='known')\n"
        "def test_expected_to_fail(): assert False\n"
    )
    (tmp_path / "test_missing.py").write_text("import pytest\npytest.importorskip('no_such')\n")
    outcomes = tmp_path / "outcomes.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:homeassistant", "--rootdir"]
    command += [str(tmp_path), "--continue-on-collection-errors", "-p", "script.lib.outcomes"]
    command += ["--outcomes", str(outcomes), str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ended.returncode == 1
    assert json.loads(outcomes.read_text()) == {"passed": 1, "failed": 3, "skipped": 0}
    assert "without a line in tests/allowed_skips.txt: later" in ended.stdout


def test_a_line_without_its_three_parts_is_refused() -> None:
    """A skip without a reason is what the file is there to prevent."""
    with pytest.raises(ValueError, match=r"allowed_skips\.txt:2: wants"):
        parse_allowed_skips("# comment\ntests/a.py | too slow\n")
