"""The three machines as design §4 draws them, read from the drawing itself."""

OFFER = """
received → rejected | auto_declined | presented | accepted
presented → accepted | declined | countered | superseded | expired | withdrawn
countered → superseded | declined | expired | withdrawn
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
