"""The client's own distribution works without Feast, or anything else of ours."""

import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import httpx

from foundation.settings import PROJECT_ROOT

ALLOWED = (
    "anyio",
    "certifi",
    "h11",
    "httpcore",
    "httpx",
    "idna",
    "serving_gateway",
    "sniffio",
    "stamina",
    "tenacity",
    "typing_extensions",
)
SCRIPT = """
import importlib.abc, sys

class Doorkeeper(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {allowed}:
            raise ImportError(name + " is not the client's")

sys.meta_path.insert(0, Doorkeeper())
sys.path[:0] = [{wheel!r}]
sys.path.append({site!r})
from serving_gateway.client import FeatureStoreClient, ClientSettings
import serving_gateway
assert serving_gateway.__path__ and {wheel!r} in str(list(serving_gateway.__path__))
with FeatureStoreClient({url!r}, settings=ClientSettings(budget_seconds=30)) as store:
    print(store.get_feature("p1", "popularity_score"))
"""


def test_the_wheel_needs_nothing_of_ours(tmp_path: Path, gateway: httpx.Client) -> None:
    """It is built, unpacked elsewhere, and reads from a gateway."""
    subprocess.run(  # noqa: S603 - our own
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)),
            str(PROJECT_ROOT / "serving_gateway" / "client"),
        ],
        check=True,
    )
    [wheel] = tmp_path.glob("feature_store_client-*.whl")
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(unpacked)
    assert (unpacked / "serving_gateway" / "client" / "py.typed").exists()
    script = textwrap.dedent(SCRIPT).format(
        allowed=set(ALLOWED),
        wheel=str(unpacked),
        site=str(Path(httpx.__file__).parent.parent),
        url=str(gateway.base_url),
    )
    finished = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-I", "-S", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == "0.1"
