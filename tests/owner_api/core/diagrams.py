"""The three machines as design §4 draws them, read from the drawing itself, and ADR 29."""

OFFER = """
received → rejected | auto_declined | presented | accepted
presented → auto_declined | accepted | declined | countered | superseded | expired | withdrawn
countered → auto_declined | superseded | declined | expired | withdrawn
"""
COMMITMENT = """
pending_award → scheduled | lapsed | cancelled | revoked
scheduled → active | missed | cancelled | revoked
active → completed | curtailed | revoked | failed
"""
SETTLEMENT = """
provisional → final | disputed | corrected
disputed → final | corrected
final → corrected
"""


def moves(drawing: str) -> frozenset[tuple[str, str]]:
    """Return every arrow of a drawing as (from, to)."""
    found = set()
    for line in drawing.strip().splitlines():
        start, ends = line.split(" → ")
        found |= {(start, end.strip()) for end in ends.split("|")}
    return frozenset(found)
