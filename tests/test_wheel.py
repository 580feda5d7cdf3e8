"""The wheel, as a user gets it: what it holds, what it tells about itself, and that it works without the repository."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Without isolation the build takes hatchling from this venv, and nothing from the network.
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, ROOT],
        check=True,
    )
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a venv that has the wheel, and this venv's packages but not its editable install."""
    folder = tmp_path_factory.mktemp("user") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin/python"
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # A folder that a .pth names is searched, but its own .pth files (the editable install's among them) are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def ask(python: Path, code: str) -> str:
    # -I: neither the current folder nor PYTHONPATH may stand in for what is not in the wheel.
    answer = subprocess.run([python, "-I", "-c", code], check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def test_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
    source = {str(path.relative_to(ROOT)) for path in ROOT.glob("inngest_gen/**/*") if path.is_file() and "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"{wheel.name.split('-')[0]}-{wheel.name.split('-')[1]}.dist-info"
    about = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert "inngest_gen/py.typed" in names
    assert names == source | about | {"_inngest_gen_pytest.py"}


def test_wheel_offers_only_the_extras_that_users_need(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    told = Parser().parsestr(metadata)
    assert told["Name"] == "inngest-gen"
    assert told["Requires-Python"] == ">=3.11"
    assert told["License-Expression"] == "Apache-2.0"
    assert sorted(told.get_all("Provides-Extra", [])) == ["attrs", "encryption", "msgspec", "opentelemetry", "server"]
    # A cap on a dependency keeps users from installing the package next to others.
    assert not [need for need in told.get_all("Requires-Dist", []) if "<" in need or "==" in need.split(";")[0]]


def test_installed_wheel_is_imported_without_the_repository(installed: Path) -> None:
    where = Path(ask(installed, "import inngest_gen; print(inngest_gen.__file__)"))
    assert where.is_relative_to(installed.parent.parent)


def test_every_public_name_of_the_installed_wheel_is_there(installed: Path) -> None:
    names = ask(installed, "import inngest_gen as ig; print(*[type(getattr(ig, name)) for name in ig.__all__], sep='\\n')").splitlines()
    assert names
