"""Plain kubeconfigs are read as the library `kubernetes` reads them, and all others are left to it."""

from __future__ import annotations

import base64
import contextlib
import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st
from kubernetes.config import kube_config  # type: ignore[import-untyped]

from ansible_collections.podnet.upkeep.plugins.module_utils._credentials import configuration_of, read_with_library
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._plain_kubeconfig import read_plain

_LIBRARY_KNOWS_PROXY_URL = "proxy-url" in inspect.getsource(kube_config)
_FILES = ("ssl_ca_cert", "cert_file", "key_file")
_FOLDERS = ("one", "two")


@pytest.fixture(autouse=True, scope="module")
def no_proxy_variables() -> Iterator[None]:
    """The environment names no proxy."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                patch.delenv(name)
        yield


def _data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _mostly(good: list[Any], *bad: Any) -> st.SearchStrategy[Any]:
    """What is wrong comes seldom, so that most kubeconfigs are read by both."""
    return st.integers(0, 24).flatmap(lambda number: st.sampled_from([*bad] if bad and number == 0 else good))


def _file_or_data(key: str) -> st.SearchStrategy[dict[str, Any]]:
    """By data, by a relative or an absolute path, both, neither; sometimes wrong."""
    path = _mostly([f"{key}.pem", f"./deep/../{key}.pem", f"ROOT/two/{key}.pem"], "missing.pem", None)
    data = _mostly([_data(f"{key} 1"), _data(f"{key} 2"), ""], "***", None)
    return st.fixed_dictionaries({}, optional={key: path, f"{key}-data": data})


def _joined(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


_SERVERS = ["https://a:6443", "https://a/prefix/", "http://b:8080", "https://[fd00::1]:6443"]
CLUSTERS = st.builds(
    _joined,
    st.fixed_dictionaries(
        {"server": _mostly(_SERVERS, "a", None)},
        optional={
            "insecure-skip-tls-verify": _mostly([True, False, "false"], None),
            "tls-server-name": _mostly(["c.example"], None),
            "proxy-url": st.sampled_from(["http://proxy:3128", "https://proxy"]),
            "extensions": st.just([{"name": "x"}]),
        },
    ),
    _file_or_data("certificate-authority"),
)
_CREDENTIALS = st.builds(
    _joined,
    st.fixed_dictionaries(
        {},
        optional={
            "token": _mostly(["abc", ""], None),
            "tokenFile": _mostly(["token", "ROOT/two/token"], "missing"),
            "as": st.just("somebody"),
        },
    ),
    _file_or_data("client-certificate"),
    _file_or_data("client-key"),
)
USERS = st.integers(0, 19).flatmap(
    lambda number: {0: st.just({"username": "u", "password": "p"}), 1: st.none()}.get(number, _CREDENTIALS)
)
NAMES = _mostly(["x", "y"], "z")


def _named(part: str, content: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """One of each name, and sometimes a second one."""
    first = st.tuples(content, content).map(
        lambda pair: [{"name": name, part: one} for name, one in zip("xy", pair, strict=True)]
    )
    more = st.builds(lambda name, value: [{"name": name, part: value}], NAMES, content)
    return st.builds(
        list.__add__, first, _mostly([[]]).flatmap(lambda none: st.one_of(st.just(none), st.just(none), more))
    )


CONTEXTS = st.fixed_dictionaries({"cluster": NAMES}, optional={"user": NAMES, "namespace": st.just("n")})
KUBECONFIGS = st.fixed_dictionaries(
    {
        "clusters": _named("cluster", CLUSTERS),
        "contexts": _named("context", CONTEXTS),
        "users": _named("user", USERS),
        "current-context": NAMES,
    },
    optional={"kind": st.just("Config"), "preferences": st.just({})},
)


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """Two folders with files to name."""
    with tempfile.TemporaryDirectory() as name:
        for folder in _FOLDERS:
            (Path(name) / folder / "deep").mkdir(parents=True)
            for key in ("certificate-authority", "client-certificate", "client-key"):
                (Path(name) / folder / f"{key}.pem").write_text(f"{key} of {folder}", encoding="utf-8")
            (Path(name) / folder / "token").write_text(f"token-of-{folder}\n", encoding="utf-8")
        yield Path(name)


def _placed(kubeconfig: Any, root: Path) -> Any:
    return yaml.safe_load(yaml.safe_dump(kubeconfig).replace("ROOT", str(root)))


def _meaning(configuration: Any) -> dict[str, Any]:
    """What a configuration says, with the contents of files: those of data are in temporary ones."""
    found = {
        name: getattr(configuration, name) for name in ("host", "verify_ssl", "tls_server_name", "assert_hostname")
    }
    for name in _FILES:
        path = getattr(configuration, name)
        found[name] = Path(path).read_text(encoding="utf-8") if path else None
        found[f"{name} is given"] = bool(path)
    found["header"] = [setting["value"].strip() for setting in configuration.auth_settings().values()]
    found["proxy"] = getattr(configuration, "proxy", None) if _LIBRARY_KNOWS_PROXY_URL else None
    return found


def _compare(kubeconfig: Any, where: Mapping[str, Any], context: str | None) -> bool:
    """Whether it is read without the library; then as the library reads it, and never what the library refuses."""
    plain = read_plain(kubeconfig, context)
    if plain is None:
        return False
    library = read_with_library(where, context, "the test")  # raises where the library refuses
    assert _meaning(plain) == _meaning(library)
    return True


@settings(max_examples=150, deadline=None)
@given(contents=st.lists(KUBECONFIGS, min_size=1, max_size=2), context=st.one_of(st.none(), NAMES))
def test_files_are_read_as_the_library_reads_them(root: Path, contents: list[Any], context: str | None) -> None:
    """Contexts, files merged, relative paths, data, names that are missing: the same, or left to the library."""
    paths = []
    for folder, content in zip(_FOLDERS, contents, strict=False):
        path = root / folder / "config"
        path.write_text(yaml.safe_dump(_placed(content, root)), encoding="utf-8")
        paths.append(str(path))
    joined = os.pathsep.join(paths)
    event("plain" if _compare(joined, {"config_file": joined}, context) else "left to the library")


@settings(max_examples=100, deadline=None)
@given(content=KUBECONFIGS, context=st.one_of(st.none(), NAMES))
def test_inline_ones_are_read_as_the_library_reads_them(root: Path, content: Any, context: str | None) -> None:
    """The same for a kubeconfig that is given as a mapping."""
    placed = _placed(content, root)
    with contextlib.chdir(root / "one"):  # where its paths start
        event("plain" if _compare(placed, {"config_dict": placed}, context) else "left to the library")


def _plain(**user: Any) -> dict[str, Any]:
    return {
        "clusters": [
            {"name": "c", "cluster": {"server": "https://a:6443", "certificate-authority": "certificate-authority.pem"}}
        ],
        "contexts": [{"name": "k", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
        "current-context": "k",
    }


@pytest.mark.parametrize(
    "user",
    [
        {"token": "abc"},
        {"tokenFile": "token"},
        {"client-certificate": "client-certificate.pem", "client-key": "client-key.pem"},
        {"client-certificate-data": _data("cert"), "client-key-data": _data("key")},
        {},
    ],
)
def test_what_is_usual_needs_no_library(root: Path, user: dict[str, Any]) -> None:
    """Else the comparisons above would prove nothing."""
    path = root / "one" / "usual"
    path.write_text(yaml.safe_dump(_plain(**user)), encoding="utf-8")
    assert _compare(str(path), {"config_file": str(path)}, None)


def test_proxy_url_is_honoured(root: Path) -> None:
    """Also where the library is too old for it."""
    content = _plain(token="abc")
    content["clusters"][0]["cluster"] = {"server": "https://a", "proxy-url": "http://proxy:3128"}
    assert read_plain(content, None).proxy == "http://proxy:3128"  # type: ignore[union-attr]


def test_content_of_data_is_for_us_only() -> None:
    """A key is in the temporary file."""
    content = _plain(**{"client-certificate-data": _data("cert"), "client-key-data": _data("key")})
    content["clusters"][0]["cluster"] = {"server": "https://a"}
    found = read_plain(content, None)
    assert found is not None and found.key_file is not None
    assert Path(found.key_file).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "no_proxy", "ALL_PROXY"])
def test_proxies_of_the_environment_are_left_to_the_library(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Which of them counts depends on the server."""
    monkeypatch.setenv(name, "http://proxy:3128")
    assert read_plain(_plain(token="abc"), None) is None


@pytest.mark.parametrize(
    "user", [{"exec": {"command": "x"}, "token": "abc"}, {"auth-provider": {"name": "oidc"}}, {"username": "u"}]
)
def test_programs_providers_and_passwords_are_left_to_the_library(root: Path, user: dict[str, Any]) -> None:
    """They need a program, another server, or a header of their own."""
    path = root / "one" / "other"
    path.write_text(yaml.safe_dump(_plain(**user)), encoding="utf-8")
    assert read_plain(str(path), None) is None


def test_single_options_win_over_a_plain_kubeconfig(root: Path) -> None:
    """As they do over one that the library reads."""
    path = root / "one" / "options"
    path.write_text(yaml.safe_dump(_plain(token="abc")), encoding="utf-8")
    configuration, source = configuration_of(
        {
            "kubeconfig": str(path),
            "api_key": "mine",
            "validate_certs": False,
            "host": "https://b",
            "tls_server_name": "n",
        }
    )
    assert configuration.auth_settings()["BearerToken"]["value"] == "Bearer mine"
    assert (configuration.host, configuration.verify_ssl, configuration.tls_server_name) == ("https://b", False, "n")
    assert source == f"kubeconfig {path}"


def test_a_broken_one_is_told_in_one_sentence(root: Path) -> None:
    """The library has the words."""
    path = root / "one" / "broken"
    path.write_text(yaml.safe_dump({**_plain(token="abc"), "current-context": "none"}), encoding="utf-8")
    with pytest.raises(InputError, match="is not usable"):
        configuration_of({"kubeconfig": str(path)})


def test_the_library_is_not_imported_for_a_plain_one(root: Path) -> None:
    """Its import takes longer than most requests."""
    path = root / "one" / "usual"
    path.write_text(yaml.safe_dump(_plain(token="abc")), encoding="utf-8")
    program = (
        "import sys; from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient; "
        f"KubeClient.from_options({{'kubeconfig': {str(path)!r}}}); print('kubernetes' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
