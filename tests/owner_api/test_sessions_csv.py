"""Reading charging sessions: both layouts, UTC times, and an account of what was left out."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, strategies as st
import pytest

from owner_api.sessions_csv import (
    CANONICAL_COLUMNS,
    Session,
    SessionsCsvError,
    SkipReason,
    parse_sessions,
    read_sessions,
)

HEADER = ",".join(CANONICAL_COLUMNS)
TRONDHEIM_HEADER = "session_ID;Garage_ID;User_ID;Start_plugin;End_plugout;El_kWh"
TRONDHEIM_FILE = Path(__file__).parents[3] / "shared" / "data" / "trondheim_sessions.csv"


def test_a_canonical_row_becomes_a_session_in_utc() -> None:
    """An offset in the file is converted, never dropped."""
    read = parse_sessions([HEADER, "s1,ann,2026-12-01T18:00:00+08:00,2026-12-02T00:30:00Z,7200"])
    assert read.sessions == (
        Session(
            session_id="s1",
            user_id="ann",
            plugged_in_at=datetime(2026, 12, 1, 10, tzinfo=UTC),
            unplugged_at=datetime(2026, 12, 2, 0, 30, tzinfo=UTC),
            energy_wh=7200,
        ),
    )
    assert read.sessions[0].dwell_h == 14.5
    assert read.timezone is None
    assert not read.skipped


def test_a_trondheim_row_is_local_norwegian_time_with_a_decimal_comma() -> None:
    """Winter is UTC+1; a night across the spring change is an hour shorter than its clock times."""
    read = parse_sessions(
        [
            TRONDHEIM_HEADER,
            "1;G;G-1;21.12.2018 11:33;21.12.2018 19:46;29,87",
            "2;G;G-1;30.03.2019 22:00;31.03.2019 08:00;0,3",
        ]
    )
    winter, spring = read.sessions
    assert winter.plugged_in_at == datetime(2018, 12, 21, 10, 33, tzinfo=UTC)
    assert winter.energy_wh == 29870
    assert spring.dwell_h == 9
    assert read.timezone == "Europe/Oslo"


def test_columns_may_come_in_any_order_with_others_between_and_a_byte_order_mark() -> None:
    """Spreadsheets add marks and columns; the names decide."""
    read = parse_sessions(
        [
            "\ufeffnote,energy_wh,unplugged_at,plugged_in_at,user_id,session_id\n",
            "x,5,2026-01-01T02:00:00Z,2026-01-01T01:00:00Z,bob,s9\n",
        ]
    )
    assert read.sessions[0].session_id == "s9"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("s1,u,2026-01-01T01:00:00Z,,5", SkipReason.STILL_PLUGGED_IN),
        ("s1,u,2026-01-01T01:00:00Z,2026-01-01T01:00:00Z,5", SkipReason.NO_DURATION),
        ("s1,u,2026-01-01T01:00:00,2026-01-01T02:00:00Z,5", SkipReason.BAD_TIME),
        ("s1,u,yesterday,2026-01-01T02:00:00Z,5", SkipReason.BAD_TIME),
        ("s1,u,0001-01-01T00:00:00+14:00,2026-01-01T02:00:00Z,5", SkipReason.BAD_TIME),
        ("s1,u,2026-01-01T01:00:00Z,2026-01-01T02:00:00Z,-1", SkipReason.BAD_ENERGY),
        ("s1,u,2026-01-01T01:00:00Z,2026-01-01T02:00:00Z,NaN", SkipReason.BAD_ENERGY),
        ("s1,u,2026-01-01T01:00:00Z,2026-01-01T02:00:00Z,1e99", SkipReason.BAD_ENERGY),
        ("s1,u,2026-01-01T01:00:00Z,2026-01-01T02:00:00Z", SkipReason.BAD_ENERGY),
        (",u,2026-01-01T01:00:00Z,2026-01-01T02:00:00Z,5", SkipReason.MISSING_ID),
        ("s0,u,2026-01-01T01:00:00Z,2026-01-01T02:00:00Z,5", SkipReason.DUPLICATE_ID),
    ],
)
def test_a_row_that_is_no_session_is_counted_under_its_reason(row: str, reason: SkipReason) -> None:
    """A bad row never stops the file and never vanishes silently."""
    good = "s0,u,2026-01-02T01:00:00Z,2026-01-02T02:00:00Z,5"
    read = parse_sessions([HEADER, good, row])
    assert [session.session_id for session in read.sessions] == ["s0"]
    assert read.skipped == {reason: 1}


@pytest.mark.parametrize("lines", [[], ["a,b,c"], ["\x00"], [HEADER.replace(",", ";")]])
def test_a_file_with_other_columns_is_refused_with_the_columns_that_would_pass(
    lines: list[str],
) -> None:
    """A wrong file is one error, not thousands of skipped rows."""
    with pytest.raises(SessionsCsvError, match="plugged_in_at"):
        parse_sessions(lines)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A binary file gets the typed error, not a decoder's."""
    path = tmp_path / "x.csv"
    path.write_bytes(HEADER.encode() + b"\n\xff\xfe\n")
    with pytest.raises(SessionsCsvError, match="UTF-8"):
        read_sessions(path)


@given(st.lists(st.text(max_size=60), max_size=8))
def test_every_row_is_either_a_session_or_counted(rows: list[str]) -> None:
    """Whatever a row holds, the account is complete and nothing but the typed error escapes."""
    lines = [row.replace('"', "").replace("\r", "").replace("\n", "") for row in rows]
    read = parse_sessions([HEADER, *lines])
    not_blank = sum(1 for line in lines if line)
    assert len(read.sessions) + sum(read.skipped.values()) == not_blank


def test_the_trondheim_file_reads_to_known_counts() -> None:
    """6,878 rows: 34 cars still plugged in, 17 within one minute, the rest sessions in order."""
    if not TRONDHEIM_FILE.exists():
        pytest.skip(f"needs the Trondheim sessions at {TRONDHEIM_FILE}, kept out of the product")
    read = read_sessions(TRONDHEIM_FILE)
    assert read.skipped == {SkipReason.STILL_PLUGGED_IN: 34, SkipReason.NO_DURATION: 17}
    assert len(read.sessions) == 6878 - 34 - 17
    assert len({session.user_id for session in read.sessions}) == 96
    starts = [session.plugged_in_at for session in read.sessions]
    assert starts == sorted(starts)
