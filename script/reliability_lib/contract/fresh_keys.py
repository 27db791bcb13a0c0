"""A hook of schemathesis: in a chain of requests, what creates something creates it anew.

It likes to repeat the simplest key. The answer is then the first one again, as it must be, and may
name what an earlier request of the chain has deleted, which schemathesis takes for a fault.
"""

from typing import Any
import uuid

import schemathesis
from schemathesis import GenerationMode
from schemathesis.generation.meta import TestPhase

_KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(
    _context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, object]
) -> None:
    """Send a valid request of a chain under a key of its own."""
    meta = case.meta
    if meta is None or meta.phase.name != TestPhase.STATEFUL:
        return
    if meta.generation.mode is GenerationMode.POSITIVE and _KEY in case.headers:
        case.headers[_KEY] = uuid.uuid4().hex
