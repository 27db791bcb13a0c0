"""The command line as a person uses it: real processes, a real file, exit codes that mean it."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
import hashlib
import json
import os
from pathlib import Path
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import stat
import subprocess
import sys
from typing import Any
import urllib.error
import urllib.request

from alembic.script import ScriptDirectory
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
import pytest

from owner_api.access import codes
from owner_api.cli import main
from owner_api.commands import erasure
from owner_api.config import Config
from owner_api.server.running import running_server
from owner_api.store import migrating

# More than --fast has time for.
pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "from owner_api.cli import main; main()"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _keep_umask() -> Iterator[None]:
    """Give the process back the umask it had: the command sets its own."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(name="missing")
def _missing(tmp_path: Path) -> Path:
    return tmp_path / "owner.db"


@pytest.fixture(name="empty", scope="module")
def _empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    assert run("db", "upgrade", "--database", path).exit_code == 0
    return path


@pytest.fixture(name="database")
def _database(empty: Path, missing: Path) -> Path:
    """Return an empty database; copied, because each process that makes one loads Alembic."""
    missing.write_bytes(empty.read_bytes())
    missing.chmod(0o600)
    return missing


def run(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(each) for each in arguments])


def ask(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """Run a command with --json, check its exit code and return its document."""
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    return dict(json.loads(result.stdout))


@contextmanager
def served(database: Path, *, self_signed: bool = False) -> Iterator[dict[str, Any]]:
    """Serve a database in a thread of this process: as real, and started in no time."""
    config = Config(database=str(database), listen_port=0, announce=False)
    with ThreadPoolExecutor(1) as pool:
        started: Future[tuple[dict[str, Any], Callable[[], object]]] = Future()

        async def serve() -> None:
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            async with running_server(config, self_signed=self_signed) as server:
                shown = {"url": server.url, "port": server.port, "pin": server.pin}
                started.set_result((shown, lambda: loop.call_soon_threadsafe(stop.set)))
                await stop.wait()

        done = pool.submit(asyncio.run, serve())

        def failed(ended: Future[None]) -> None:
            if (error := ended.exception()) and not started.done():
                started.set_exception(error)

        done.add_done_callback(failed)
        shown, end = started.result(timeout=60)
        try:
            yield shown
        finally:
            end()
            done.result()


@contextmanager
def serving(database: Path, *options: str) -> Iterator[dict[str, Any]]:
    """Serve a database in a real process; the process must end well on SIGTERM."""
    arguments = [*COMMAND, "serve", "--database", str(database), "--json", "--no-announce"]
    with subprocess.Popen(
        [*arguments, *(options or ("--listen", "127.0.0.1:0"))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            shown = dict(json.loads(line))
            yield shown
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=20)
        shown["log"] = errors
        assert process.returncode == 0
        told = [json.loads(line) for line in errors.splitlines()]
        # A refused request is a warning of its own logger; anything else would be a fault of ours.
        faults = [line for line in told if line["logger"] != "owner_api.requests"]
        assert [line for line in faults if line["level"] != "info"] == []


def alembic_head() -> str | None:
    """Return the newest revision as Alembic itself finds it."""
    return ScriptDirectory.from_config(migrating.config()).get_current_head()


def request(
    url: str,
    body: dict[str, Any] | None = None,
    context: ssl.SSLContext | None = None,
    token: str = "",
) -> tuple[int, Any]:
    """Send one request with nothing but the standard library."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", "Idempotency-Key": "key"} if data else {}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    asked = urllib.request.Request(url, data, sent)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(asked, context=context, timeout=10) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def add_owner(database: Path) -> str:
    added = ask("owner", "add", "Li Wei", "--time-zone", "Asia/Shanghai", "--database", database)
    return str(added["owner_id"])


def pair(url: str, code: str) -> tuple[int, Any]:
    body = {"code": code, "device_name": "Kitchen", "kind": "home_assistant"}
    return request(f"{url}/v1/pair", body)


def test_an_owner_is_set_up_and_paired_from_the_command_line_alone(database: Path) -> None:
    owner_id = add_owner(database)
    park = ask("park", "add", "East Gate", "--database", database)
    assert park["client_secret"].startswith("v2gcs_")
    with serving(database) as server:
        minted = ask("pair", owner_id, "--database", database)
        uri = codes.parse_uri(minted["uri"])
        assert uri == codes.PairingUri(url=server["url"], code=minted["code"])
        status, device = pair(server["url"], minted["code"])
        assert (status, device["owner_id"]) == (201, owner_id)
        token = device["access_token"]
        assert request(f"{server['url']}/v1/me", token=token)[1]["display_name"] == "Li Wei"
        assert [
            each["park_id"]
            for each in request(f"{server['url']}/v1/parks", token=token)[1]["items"]
        ] == [park["park_id"]]
        assert request(f"{server['url']}/v1/snapshot", token=token)[0] == 200

        listed = ask("device", "list", owner_id, "--database", database)
        assert [each["device_id"] for each in listed["items"]] == [device["device_id"]]
        ask("device", "revoke", device["device_id"], "--database", database)
        assert request(f"{server['url']}/v1/me", token=token)[0] == 401
    secrets = (token, device["refresh_token"], park["client_secret"], minted["code"])
    assert [each for each in secrets if each in server["log"]] == []


def test_owners_and_parks_can_be_added_while_the_server_runs(database: Path) -> None:
    with served(database) as server:
        owner_id = add_owner(database)
        park = ask("park", "add", "East Gate", "--database", database)
        code = ask("pair", owner_id, "--database", database)["code"]
        assert pair(server["url"], code)[0] == 201
        old = park["client_secret"]
        renewed = ask("park", "secret", park["park_id"], "--database", database)
        assert renewed["client_secret"] != old
        terms = database.with_name("terms.txt")
        terms.write_text("New words", encoding="utf-8")
        changed = ask("park", "terms", park["park_id"], terms, "--database", database)
        assert changed["terms_version"] == 2
        missing = ask("pair", "own_" + "0" * 32, "--database", database, code=2)
        assert missing["code"] == "not_found"
    listed = ask("owner", "list", "--database", database)
    assert [each["owner_id"] for each in listed["items"]] == [owner_id]


def test_a_link_to_the_database_leads_to_the_same_server_and_the_same_keys(
    database: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "link.db"
    link.symlink_to(database)
    with served(database):
        owner_id = add_owner(link)
    with served(link) as server:
        code = ask("pair", owner_id, "--database", database)["code"]
        assert pair(server["url"], code)[0] == 201
    assert list(folder.iterdir()) == [link]


def test_adding_an_owner_says_in_which_zone_and_currency_they_count(database: Path) -> None:
    """Beside the id, so that a script may still take that from standard output."""
    unsaid = run("owner", "add", "Li Wei", "--database", database)
    assert unsaid.stdout.startswith("own_")
    assert len(unsaid.stdout.splitlines()) == 1
    assert "count in UTC, money in CNY" in unsaid.stderr
    named = ("--time-zone", "Europe/Berlin", "--currency", "EUR")
    said = run("owner", "add", "Li Wei", *named, "--database", database)
    assert "count in Europe/Berlin, money in EUR" in said.stderr


def test_a_code_made_while_the_server_is_down_works_once_it_is_up(database: Path) -> None:
    owner_id = add_owner(database)
    minted = ask("pair", owner_id, "--database", database)
    assert minted["uri"] is None
    without_picture = run("pair", owner_id, "--qr", "--database", database)
    assert without_picture.exit_code == 2
    assert codes.parse(without_picture.stdout.strip())
    assert "once it was started" in without_picture.stderr
    with served(database) as server:
        assert pair(server["url"], without_picture.stdout.strip())[0] == 201


def test_the_qr_code_is_drawn_in_the_terminal_and_as_svg(database: Path, tmp_path: Path) -> None:
    owner_id = add_owner(database)
    svg = tmp_path / "code.svg"
    with served(database):
        drawn = run("pair", owner_id, "--qr", "--svg", svg, "--database", database)
    assert drawn.exit_code == 0
    assert codes.parse(drawn.stdout.splitlines()[0])
    assert "█" in drawn.stdout
    assert svg.read_text(encoding="utf-8").rstrip().endswith("</svg>")


def test_a_picture_that_cannot_be_written_is_named_and_the_code_is_told(
    database: Path, tmp_path: Path
) -> None:
    """The code is made by then, and lives ten minutes."""
    owner_id, svg = add_owner(database), tmp_path / "nowhere" / "code.svg"
    with served(database):
        failed = run("pair", owner_id, "--svg", svg, "--database", database)
        as_json = run("pair", owner_id, "--svg", svg, "--database", database, "--json")
    for result in (failed, as_json):
        assert (result.exit_code, result.exception.__class__) == (3, SystemExit)
        assert f"{svg}: No such file or directory" in result.stderr
    assert codes.parse(failed.stdout.splitlines()[0])
    assert codes.parse(json.loads(as_json.stdout)["code"])


def test_the_control_socket_and_the_keys_are_for_their_user_only(database: Path) -> None:
    with served(database):
        modes = {
            path.relative_to(database.parent).as_posix(): stat.S_IMODE(path.stat().st_mode)
            for path in database.parent.rglob("*")
        }
    assert modes["owner.db.control"] & 0o077 == 0
    assert modes.pop("owner.db.keys") == 0o700
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}
    assert not database.with_name("owner.db.control").exists()


def test_a_database_deep_in_the_file_system_is_reached_all_the_same(
    tmp_path: Path, empty: Path
) -> None:
    folder = tmp_path / ("deep-" * 20) / ("deeper-" * 20)
    folder.mkdir(parents=True)
    (folder / "owner.db").write_bytes(empty.read_bytes())
    with served(folder / "owner.db"):
        assert add_owner(folder / "owner.db").startswith("own_")


def test_a_second_server_on_the_same_database_cannot_run(database: Path) -> None:
    with served(database):
        second = ask("serve", "--listen", "127.0.0.1:0", "--database", database, code=3)
    assert "another process" in second["detail"]


def test_the_first_owner_makes_the_database(missing: Path) -> None:
    assert add_owner(missing).startswith("own_")
    assert stat.S_IMODE(missing.stat().st_mode) == 0o600


def test_a_taken_address_is_reported_and_leaves_the_database_free(database: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert run("serve", "--listen", address, "--database", database).exit_code == 3
    assert add_owner(database)


@contextmanager
def started(database: Path, *options: str) -> Iterator[str]:
    """Serve a database as a person does; the process must end well on SIGINT."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--database", str(database), "--listen", "127.0.0.1:0", *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield process.stdout.readline()
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0


def test_a_first_start_makes_the_database_and_sigint_stops_it_well(missing: Path) -> None:
    with started(missing) as said:
        assert said.startswith("listening on http://127.0.0.1:")


def test_behind_a_public_name_the_port_is_said_too(missing: Path) -> None:
    """A proxy has to be told of it, and the name says nothing of it."""
    with started(missing, "--public-url", "https://owners.example") as said:
        found = re.fullmatch(r"listening on https://owners.example, here on port (\d+)\n", said)
        assert found
        assert request(f"http://127.0.0.1:{found[1]}/readyz")[0] == 200


def test_who_is_not_sure_erases_nobody(database: Path) -> None:
    """Exit code 1 says that a deal is not settled, and a script would ask for ever."""
    owner_id = add_owner(database)
    for answer in ("", "n\n"):
        arguments = ["owner", "erase", owner_id, "--database", str(database)]
        refused = CliRunner().invoke(main, arguments, input=answer)
        assert refused.exit_code == 3
        assert "not erased" in refused.stderr
    listed = ask("owner", "list", "--database", database)
    assert [each["owner_id"] for each in listed["items"]] == [owner_id]


def test_an_erasure_without_a_server_goes_through_all_pieces(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "PIECE", 2)
    owner_id = add_owner(database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO session (session_id, owner_id, park_id, evse_id, identifier_digest, state,"
            " plugged_in_at, live, created_at)"
            " VALUES (?, ?, 'x', 'x', 'car', 'ended', 'x', '{}', 'x')",
            [(f"ses_{number}", owner_id) for number in range(7)],
        )
    assert ask("owner", "erase", owner_id, "--yes", "--database", database)["erased"] is True
    with closing(sqlite3.connect(database)) as connection:
        left = "SELECT count(identifier_digest) FROM session"
        assert connection.execute(left).fetchall() == [(0,)]
        assert connection.execute("SELECT forgetting FROM owner").fetchall() == [(None,)]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "owner.example", "[::]"])  # noqa: S104
def test_plain_http_beyond_loopback_is_refused(missing: Path, host: str) -> None:
    refused = ask("serve", "--listen", f"{host}:0", "--database", missing, code=2)
    assert "--self-signed" in refused["detail"]
    assert not missing.exists()


def test_a_self_signed_server_is_known_by_the_pin_in_its_pairing_code(database: Path) -> None:
    owner_id = add_owner(database)
    with served(database, self_signed=True) as server:
        assert server["url"].startswith("https://")
        pin = key_of("127.0.0.1", server["port"])
        minted = ask("pair", owner_id, "--database", database)
        uri = codes.parse_uri(minted["uri"])
        assert uri is not None
        assert uri.pin == server["pin"] == pin
        trusting = ssl._create_unverified_context()  # noqa: S323 - the pin was compared above
        body = {"code": minted["code"], "device_name": "Kitchen", "kind": "phone"}
        assert request(f"{server['url']}/v1/pair", body, trusting)[0] == 201
    # The key stays over a restart: what was pinned once goes on being right.
    with served(database, self_signed=True) as again:
        assert again["pin"] == pin


def key_of(host: str, port: int) -> str:
    """Return the SHA-256 of the public key that a TLS server shows."""
    shown = load_pem_x509_certificate(ssl.get_server_certificate((host, port)).encode())
    encoded = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).hexdigest()


@pytest.mark.parametrize(
    "options",
    [
        ("--listen", "8477"),
        ("--listen", "127.0.0.1:99999"),
        ("--proxy", "not an address"),
        ("--tls-certificate", __file__),
        ("--tls-certificate", __file__, "--tls-key", __file__),
        ("--config", "/nowhere.toml"),
    ],
)
def test_options_that_cannot_be_right_are_bad_input(
    missing: Path, options: tuple[str, ...]
) -> None:
    result = run("serve", "--database", missing, *options)
    assert result.exit_code == 2
    assert not missing.exists()


def test_options_win_over_the_configuration_file(database: Path, tmp_path: Path) -> None:
    config = tmp_path / "owner.toml"
    config.write_text('listen_port = 1\nserver_name = "House"\n', encoding="utf-8")
    with serving(database, "--config", str(config), "--listen", "127.0.0.1:0") as server:
        assert server["port"] > 1
        assert request(f"{server['url']}/v1/server")[1]["name"] == "House"


@pytest.mark.parametrize(
    "arguments",
    [
        ("owner", "add", "x", "--time-zone", "Mars/Base"),
        ("owner", "add", "x", "--currency", "yuan"),
        ("owner", "add", "x" * 101),
        ("owner", "add", "two\nlines"),
        ("park", "add", ""),
        ("park", "add", "   "),
        ("owner", "add", "\u3164"),
        ("owner", "add"),
        ("nonsense",),
    ],
)
def test_bad_input_ends_with_two_and_stores_nothing(
    missing: Path, arguments: tuple[str, ...]
) -> None:
    result = CliRunner().invoke(main, arguments, env={"OWNER_API_DATABASE": str(missing)})
    assert result.exit_code == 2
    assert not missing.exists()


@pytest.mark.parametrize(
    ("arguments", "lists"),
    [
        (("pair", "own_x"), "owner list"),
        (("owner", "export", "own_x"), "owner list"),
        (("owner", "erase", "own_x", "--yes"), "owner list"),
        (("device", "list", "own_x"), "owner list"),
        (("device", "revoke", "dev_x"), "device list OWNER"),
        (("park", "secret", "prk_x"), "park list"),
    ],
)
def test_an_id_that_nobody_has_is_named_with_where_to_look(
    database: Path, arguments: tuple[str, ...], lists: str
) -> None:
    (name,) = (each for each in arguments if each.endswith("_x"))
    result = run(*arguments, "--database", database)
    assert result.exit_code == 2
    assert result.stderr == f"owner-api: {name}: there is none; see `owner-api {lists}`\n"
    assert ask(*arguments, "--database", database, code=2)["code"] == "not_found"


def test_a_park_is_told_the_key_that_its_receipts_are_checked_with(database: Path) -> None:
    shown = run("park", "add", "East Gate", "--database", database).stdout.splitlines()
    told = dict(line.split(" ", 1) for line in shown)
    assert set(told) == {"client_id", "client_secret", "receipt_key"}
    assert json.loads(told["receipt_key"])["crv"] == "Ed25519"


def test_commands_on_a_missing_database_cannot_run_and_make_none(missing: Path) -> None:
    for arguments in (
        ("pair", "own_x"),
        ("owner", "list"),
        ("device", "list", "own_x"),
        ("db", "check"),
        ("backup", missing.with_name("copy.db")),
    ):
        assert ask(*arguments, "--database", missing, code=3)["code"] == "cannot_run"
    assert list(missing.parent.iterdir()) == []


def test_a_key_file_that_others_can_read_is_refused(database: Path) -> None:
    add_owner(database)
    key = database.with_name("owner.db.keys") / "token-es256.pem"
    key.chmod(0o644)
    assert "chmod 600" in ask("owner", "list", "--database", database, code=3)["detail"]


# The file itself


def test_a_sound_database_is_found_sound_served_or_not(database: Path) -> None:
    add_owner(database)
    assert ask("db", "check", "--database", database)["sound"] is True
    with served(database):
        assert ask("db", "check", "--database", database)["sound"] is True


def test_a_check_finds_broken_pages_lost_references_and_books_that_do_not_sum(
    database: Path,
) -> None:
    owner_id = add_owner(database)
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute(
        "INSERT INTO posting (posting_id, txn_id, kind, account, amount_minor, currency,"
        " settlement_id, at) VALUES ('p', 't', 'reward', 'a', 5, 'CNY', 's', '2026')"
    )
    connection.execute(
        "INSERT INTO device (device_id, owner_id, display_name, kind, token_epoch, paired_at)"
        " VALUES ('d', 'nobody', 'x', 'phone', 0, '2026')"
    )
    connection.commit()
    connection.close()

    found = ask("db", "check", "--database", database, code=1)

    assert sorted(each.partition(":")[0] for each in found["problems"]) == ["books", "reference"]
    raw = bytearray(database.read_bytes())
    at = raw.rindex(owner_id.encode())
    raw[at - 40 : at] = bytes(40)
    database.write_bytes(raw)
    damaged = ask("db", "check", "--database", database, code=1)
    assert any(each.startswith("integrity") for each in damaged["problems"])


def test_a_backup_of_a_running_server_is_restored_and_served(
    database: Path, tmp_path: Path
) -> None:
    copy, restored = tmp_path / "copy.db", tmp_path / "restored.db"
    with served(database):
        owner_id = add_owner(database)
        made = ask("backup", copy, "--database", database)
        assert made["bytes"] == copy.stat().st_size
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]
    assert b"PRIVATE KEY" not in copy.read_bytes()

    done = ask("restore", copy, "--database", restored)
    assert done["keys_present"] is False
    # What has to be done again is what was done after this.
    with closing(sqlite3.connect(copy)) as connection:
        newest = connection.execute("SELECT max(at) FROM ledger_leaf").fetchone()
    assert done["reaches_to"] == newest[0]
    told = run("restore", copy, "--database", tmp_path / "another.db").stdout
    assert newest[0] in told
    assert "Erase and revoke again" in told

    keys = f"{restored}.keys"
    for command in (("owner", "list"), ("serve", "--listen", "127.0.0.1:0")):
        refused = run(*command, "--database", restored)
        assert refused.exit_code == 3
        assert f"{keys}/receipt-ed25519.pem: missing" in refused.stderr
        assert "put the copy of the key directory back" in refused.stderr
    assert not Path(keys).exists()
    shutil.copytree(f"{database}.keys", keys)

    listed = ask("owner", "list", "--database", restored)
    assert [each["owner_id"] for each in listed["items"]] == [owner_id]
    with served(restored) as server:
        assert request(f"{server['url']}/readyz")[0] == 200


def test_a_log_whose_key_is_lost_is_served_with_a_new_one_only_when_somebody_says_so(
    database: Path,
) -> None:
    """Nobody vouches for it: each owner would be warned of a stranger and have to pair again."""
    add_owner(database)
    key = Path(f"{database}.keys") / "receipt-ed25519.pem"
    before = key.read_bytes()
    assert "exists" in run("ledger", "new-key", "--database", database).stderr
    assert key.read_bytes() == before
    shutil.rmtree(key.parent)
    assert run("serve", "--listen", "127.0.0.1:0", "--database", database).exit_code == 3
    assert ask("ledger", "new-key", "--database", database)["key"] == str(key)
    with served(database) as server:
        assert request(f"{server['url']}/readyz")[0] == 200
    assert key.read_bytes() != before
    missing = database.with_name("missing.db")
    assert run("ledger", "new-key", "--database", missing).exit_code == 3
    assert not list(database.parent.glob("missing*"))


def test_a_backup_is_not_served_with_the_keys_of_the_fresh_install_it_is_put_back_into(
    database: Path, tmp_path: Path
) -> None:
    """They lie where its own belong, and are a stranger's to every owner."""
    add_owner(database)
    copy, restored = tmp_path / "copy.db", tmp_path / "restored.db"
    ask("backup", copy, "--database", database)
    add_owner(restored)
    restored.unlink()
    assert ask("restore", copy, "--database", restored)["keys_present"] is False
    keys = Path(f"{restored}.keys")
    fresh = (keys / "receipt-ed25519.pem").read_bytes()
    for command in (("owner", "list"), ("serve", "--listen", "127.0.0.1:0")):
        refused = run(*command, "--database", restored)
        assert refused.exit_code == 3
        assert f"{keys}: keys of another log" in refused.stderr
    # The copy was lost too: what lies there is taken when somebody says so.
    ask("ledger", "new-key", "--database", restored)
    with served(restored) as server:
        assert request(f"{server['url']}/readyz")[0] == 200
    assert (keys / "receipt-ed25519.pem").read_bytes() == fresh
    assert "exists" in run("ledger", "new-key", "--database", restored).stderr


def test_neither_backup_nor_restore_overwrites_anything(database: Path, tmp_path: Path) -> None:
    add_owner(database)
    other = tmp_path / "other.db"
    other.write_bytes(b"precious")
    assert run("backup", other, "--database", database).exit_code == 3
    assert run("restore", database, "--database", other).exit_code == 3
    assert other.read_bytes() == b"precious"


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_a_backup_is_not_put_beside_what_a_lost_file_left(
    database: Path, tmp_path: Path, ending: str
) -> None:
    lost = tmp_path / "lost.db"
    left = tmp_path / f"lost.db{ending}"
    left.write_bytes(b"later writes")
    refused = run("restore", database, "--database", lost)
    assert refused.exit_code == 3
    assert str(left) in refused.output
    assert not lost.exists()
    left.rename(tmp_path / "kept")
    assert run("restore", database, "--database", lost).exit_code == 0


def test_a_damaged_backup_is_not_restored(missing: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"this is no database at all" * 100)
    assert run("restore", junk, "--database", missing).exit_code == 3
    assert not missing.exists()


def test_upgrade_makes_a_missing_schema_and_leaves_a_current_one(missing: Path) -> None:
    first = ask("db", "upgrade", "--database", missing)
    assert first == {"revision": alembic_head(), "made": True}
    assert ask("db", "upgrade", "--database", missing) == first | {"made": False}
    assert ask("db", "check", "--database", missing)["revision"] == first["revision"]


def test_every_command_explains_itself_and_heavy_ones_load_only_when_used() -> None:
    listed = run("--help")
    names = {"serve", "db", "backup", "restore", "owner", "park", "pair", "device", "quote", "wear"}
    for name in names:
        assert name in listed.output
        assert run(name, "--help").exit_code == 0
    assert run("no-such-command").exit_code == 2
    light = [sys.executable, "-c", "import owner_api.cli, sys; sys.exit('numpy' in sys.modules)"]
    assert subprocess.run(light, cwd=ROOT, check=False).returncode == 0
