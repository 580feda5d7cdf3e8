"""Without the extras all else works, and who asks for what needs one is told which."""

import subprocess
import sys

import pytest


def told(code: str) -> str:
    answer = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.mark.parametrize(
    ("library", "use", "extra"),
    [
        ("cryptography", "EncryptionMiddleware(EncryptionMiddleware.generate_key())", "encryption"),
        ("opentelemetry", "App('shop', middleware=[OpenTelemetryMiddleware])", "opentelemetry"),
    ],
)
def test_everything_can_be_imported_and_the_missing_extra_is_named_at_the_first_use(library: str, use: str, extra: str) -> None:
    code = f"""
import sys
sys.modules[{library!r}] = None
from inngest_gen import *
try:
    {use}
except ImportError as error:
    print(error)
"""
    assert f"needs the extra `{extra}`: pip install 'inngest-gen[{extra}]'" in told(code)


def test_importing_the_package_imports_neither() -> None:
    assert told("import sys, inngest_gen; print([name for name in ('cryptography', 'opentelemetry') if name in sys.modules])") == "[]"
