"""Prepares a clone: virtual environment, packages, translations, static files. Run by `make setup`.

Standard library only, and started with the system's Python: ``python3 -I rsportal/bootstrap.py [--dev]``.
A Python older than 3.11 must be able to read this file, so that it gets as far as our sentence.
Whatever is up to date is left alone, so a second run takes a fraction of a second.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from rsportal.dotenv import load_dotenv  # noqa: E402

VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
MINIMUM = (3, 11)
APT = {"DEBIAN_FRONTEND": "noninteractive"}


def say(text: str) -> None:
    print("rsportal: " + text, flush=True)


def fail(text: str) -> NoReturn:
    sys.exit("rsportal: " + text)


def run(*command: str, **variables: str) -> None:
    """Run a command; end with its name when it fails (its own words are above)."""
    environment = dict(os.environ, **variables)
    status = subprocess.call(list(command), cwd=str(PROJECT), env=environment, stdin=subprocess.DEVNULL)
    if status != 0:
        fail(f"this command failed (status {status}), see above: {' '.join(command)}")


def may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*packages: str) -> None:
    say("installing " + " ".join(packages) + " with apt-get")
    run("apt-get", "update", "-qq", **APT)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, **APT)


def need_python() -> None:
    """Go on with Python 3.11 or newer, looking for another one if this one is older."""
    if sys.version_info >= MINIMUM:
        return
    for minor in range(14, MINIMUM[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other:
            os.execv(other, [other, "-I", str(Path(__file__).resolve()), *sys.argv[1:]])
    fail(
        f"Python 3.11 or newer is needed; {sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}. "
        "Install it, or name one: make setup PYTHON=/path/to/python3.11"
    )


def need_venv_module() -> None:
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    package = f"python3.{sys.version_info[1]}-venv"
    if not may_install():
        fail("Python's venv module is missing. On Debian or Ubuntu: sudo apt-get install " + package)
    install(package)


def make_venv() -> None:
    """Make .venv, or make it anew when its Python no longer runs (moved folder, upgraded system)."""
    if PYTHON.exists():
        probe = [str(PYTHON), "-c", "import pip, sys; assert sys.version_info >= (3, 11)"]
        if subprocess.call(probe, stderr=subprocess.DEVNULL) == 0:
            return
        say(".venv does not work any more and is made anew")
        shutil.rmtree(str(VENV))
    need_venv_module()
    say("making the virtual environment .venv")
    run(sys.executable, "-m", "venv", str(VENV))


def digest(paths: list[Path], extra: str = "") -> str:
    total = hashlib.sha256(extra.encode())
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def up_to_date(stamp: Path, mark: str) -> bool:
    return stamp.exists() and stamp.read_text() == mark


def install_packages(dev: bool) -> None:
    files = [PROJECT / "requirements.txt"]
    if dev:
        files.append(PROJECT / "tests" / "requirements.txt")
    mark = digest(files, extra=str(VENV))
    stamp = VENV / ("rsportal-dev.stamp" if dev else "rsportal.stamp")
    if up_to_date(stamp, mark):
        return
    say("installing the packages of " + files[-1].relative_to(PROJECT).as_posix() + " (some minutes at first)")
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--use-pep517", "--disable-pip-version-check"]
    index = os.environ.get("TORCH_INDEX", "").strip()
    if index:
        run(*command, "--index-url", index, "torch==" + pinned_version("torch"))
    run(*command, "-r", str(files[-1]))
    stamp.write_text(mark)
    warn_of_cuda()


def pinned_version(package: str) -> str:
    for line in (PROJECT / "requirements.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        if name.strip() == package:
            return version.split()[0]
    fail("requirements.txt does not pin " + package)


def warn_of_cuda() -> None:
    """Say so when gigabytes of GPU libraries came although this machine has no GPU."""
    libraries = sorted(path.name for path in VENV.glob("lib/python3*/site-packages/nvidia*.dist-info"))
    if libraries and not Path("/proc/driver/nvidia").exists() and not shutil.which("nvidia-smi"):
        say(
            f"note: torch came with {len(libraries)} NVIDIA packages, but no NVIDIA GPU is seen here. They take "
            "gigabytes for nothing. To avoid them: make clean, then "
            "make setup TORCH_INDEX=<address of PyTorch's CPU packages> (docs/operations.md, GPU or CPU)."
        )


def compile_translations() -> None:
    for source in sorted((PROJECT / "rsportal" / "locale").glob("*/LC_MESSAGES/django.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        locale = source.parent.parent.name
        run(
            *[str(VENV / "bin" / "pybabel"), "--quiet", "compile", "--locale", locale, "--domain", "django"],
            *["--input-file", str(source), "--output-file", str(target)],
        )


def collect_static() -> None:
    """Collect static files when any of ours, or the packages they come from, changed."""
    tree = PROJECT / "rsportal" / "static"
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    listing = "".join(f"{path.relative_to(tree)} {path.stat().st_mtime_ns}\n" for path in files)
    var = Path(os.environ.get("RSPORTAL_VAR_DIR") or PROJECT / "var")
    stamp = var / "static.stamp"
    mark = digest([PROJECT / "requirements.txt"], extra=listing)
    if up_to_date(stamp, mark) and (var / "static").is_dir():
        return
    say("collecting static files")
    run(str(PYTHON), "manage.py", "collectstatic", "--noinput", "--clear", "--verbosity", "0")
    stamp.write_text(mark)


def need_browser() -> None:
    """The browser tests drive Chromium; as root on Debian it can be installed right here."""
    if find_browser():
        return
    if may_install():
        install("chromium")
    else:
        say("Chromium is not installed, so the browser tests will be left out. To have them: apt-get install chromium")


def find_browser() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def main() -> None:
    dev = "--dev" in sys.argv[1:]
    need_python()
    load_dotenv(PROJECT / ".env")
    make_venv()
    install_packages(dev)
    compile_translations()
    collect_static()
    if dev:
        need_browser()


if __name__ == "__main__":
    main()
