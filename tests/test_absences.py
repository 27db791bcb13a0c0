"""What we say does not apply is really not there: read from the source of the server."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

# More than --fast has time for.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
SOURCE = sorted((ROOT / "owner_api").rglob("*.py"))
# The simulation and the command line are clients; the server is everything else.
CLIENTS = ("simulation", "cli_operate.py", "bench")

UNWANTED = {
    "operating system commands": {"subprocess", "pty", "pexpect", "sh"},
    "unsafe deserialisation": {"pickle", "marshal", "shelve", "dill", "jsonpickle", "yaml"},
    "XML, XPath and XSLT": {"xml", "lxml", "defusedxml", "xmltodict"},
    "LDAP": {"ldap", "ldap3"},
    "mail": {"smtplib", "imaplib", "poplib", "email", "aiosmtplib"},
    "caches and brokers": {"memcache", "pymemcache", "aiomcache", "redis"},
    "templates": {"jinja2", "mako", "chevron", "string.templatelib"},
    "markup that people write": {"markdown", "bleach", "nh3", "bbcode", "docutils"},
    "GraphQL": {"graphql", "strawberry", "ariadne", "graphene"},
    "archives": {"zipfile", "tarfile", "gzip", "bz2", "lzma", "zlib", "py7zr"},
    "passwords": {"passlib", "bcrypt", "argon2", "crypt", "pwd"},
    "federated sign-in": {"authlib", "oauthlib", "saml2", "onelogin", "aioauth_client"},
    "WebRTC": {"aiortc", "aioice", "pylibsrtp"},
    "foreign memory": {"ctypes", "cffi", "mmap"},
}
# The server and its own writer's process: started with our own program and nothing a caller said,
# and spoken to over a pair of sockets by a reader that opens names of ours only
# (tests/owner_api/test_apart.py, docs/adr/0020).
_BETWEEN_OUR_PROCESSES = {
    "owner_api/store/apart.py: subprocess",
    "owner_api/store/wire.py: pickle",
}
_RUNS_TEXT = {"eval", "exec", "compile", "__import__", "breakpoint"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """Yield each module that a file imports, with its parents."""
    for node in ast.walk(tree(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[: at + 1]) for at in range(len(parts)))


def served() -> list[Path]:
    """Return the files of the server, without those that are clients of one."""
    return [path for path in SOURCE if not any(part in CLIENTS for part in path.parts)]


@pytest.mark.parametrize("what", UNWANTED)
def test_the_server_imports_nothing_for(what: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCE
        for name in imported(path)
        if name in UNWANTED[what]
    }
    assert found - _BETWEEN_OUR_PROCESSES == set()


def test_what_crosses_between_our_processes_is_read_by_nobody_else() -> None:
    """Nothing that came over the network is unpickled: only the two ends of the pair read."""
    readers = {
        str(path.relative_to(ROOT))
        for path in SOURCE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and any(name.name == "wire" for name in node.names)
    }
    assert readers == {"owner_api/store/apart.py", "owner_api/store/clerk.py"}


def test_the_search_for_imports_finds_what_is_there() -> None:
    everything = {name for path in SOURCE for name in imported(path)}
    assert everything >= {"sqlite3", "aiohttp", "orjson", "secrets", "cryptography.x509"}


def test_no_text_is_ever_run_as_code() -> None:
    calls = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _RUNS_TEXT
    ]
    assert calls == []


def test_the_server_opens_no_connection_of_its_own() -> None:
    """No webhook, no fetch of a caller's address: nothing to forge a request with."""
    clients = {"ClientSession", "request", "open_connection", "create_connection", "urlopen"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in served()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, (ast.Name, ast.Attribute))
        and (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id) in clients
        # The loop's way to speak over a socket that is connected already: no address.
        and not any(word.arg == "sock" for word in node.keywords)
    ]
    assert found == []
    unwanted = {"urllib.request", "http.client", "requests", "httpx", "socketserver", "ftplib"}
    assert not [name for path in SOURCE for name in imported(path) if name in unwanted]


def test_the_server_speaks_no_websocket_sets_no_cookie_serves_no_file_and_redirects_nobody() -> (
    None
):
    unwanted = {
        "WebSocketResponse",
        "set_cookie",
        "add_static",
        "FileResponse",
        "HTTPFound",
        "HTTPMovedPermanently",
        "HTTPSeeOther",
        "HTTPTemporaryRedirect",
        "HTTPPermanentRedirect",
        "multipart",
        "post",
    }
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.attr}"
        for path in served()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in unwanted
    ]
    assert found == []


def test_randomness_that_must_not_be_guessed_never_comes_from_a_seeded_source() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in SOURCE
        if "simulation" not in path.parts and "random" in set(imported(path))
    ]
    assert found == []


def test_a_log_lines_form_is_never_made_from_what_arrives() -> None:
    """Values are arguments of a constant format, and nothing else formats a text it was given."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in served()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            (
                node.func.attr in levels
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in ("_LOG", "REQUESTS")
                and not isinstance(node.args[0], ast.Constant)
            )
            or node.func.attr == "format_map"
        )
    ]
    assert found == []


def test_no_pattern_is_made_from_what_arrives() -> None:
    """Patterns are constants; the one maker of schema leaves gets its from a declaration."""
    found = [
        path.relative_to(ROOT).as_posix()
        for path in served()
        for function in ast.walk(tree(path))
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "re"
        and call.args
        and not isinstance(call.args[0], ast.Constant)
    ]
    assert found == ["owner_api/schemas/fields.py"]


def test_no_weak_digest_cipher_or_key_is_named() -> None:
    weak = {"md5", "sha1", "MD5", "SHA1", "ECB", "CBC", "PKCS1v15", "ARC4", "TripleDES", "rsa"}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}"
        for path in SOURCE
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.Attribute, ast.Name))
        for name in [node.attr if isinstance(node, ast.Attribute) else node.id]
        if name in weak
    ]
    assert found == []
