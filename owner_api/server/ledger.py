"""What both sides may ask of the log: its head, proofs, and their own receipts."""

from collections.abc import Callable
from functools import partial
from typing import Final

from probatio import Optional

from owner_api.commands import receipts, replay
from owner_api.commands.notary import Notary
from owner_api.problems import Problem, ProblemCode
from owner_api.schemas import ledger as messages
from owner_api.schemas.fields import choice, text
from owner_api.schemas.owner import LANGUAGES

from .routing import PAGE, Operation, Route

# What is answered although the log is not the one that was signed: who we are, and the way out.
_ALWAYS: Final = frozenset(
    (
        "/healthz",
        "/openapi.json",
        "/v1/server",
        "/v1/jwks.json",
        "/v1/ledger/checkpoint",
        "/v1/ledger/epochs",
        "/v1/ledger/keys",
        "/v1/ledger/witness",
        # What everybody needs to hold this server to its word.
        "/v1/ledger/proofs/inclusion",
        "/v1/ledger/proofs/consistency",
        "/v1/receipts",
        "/v1/receipts/{receipt_id}",
        "/v1/export",
        # Promise 4: stop works, whatever the log says, also for whose access token ends meanwhile
        # and for a park that lost its stream; and so does the meter that shows it.
        "/v1/token",
        "/v1/events",
        "/v1/stops",
        "/v1/park/commitments/{commitment_id}/stop-confirmation",
        "/v1/park/sessions/{session_id}/readings",
    )
)


def log_gate(notary: Notary) -> Callable[[Operation], None]:
    """Return the check that refuses service while the log contradicts a checkpoint of its own."""

    def gate(operation: Operation) -> None:
        if notary.refusing is not None and operation.path not in _ALWAYS:
            raise Problem(ProblemCode.UNAVAILABLE, notary.refusing)

    return gate


def ledger_routes(notary: Notary) -> tuple[Route, ...]:
    """Return the operations of the log, bound to the one who signs it."""
    return (
        Route(
            method="GET",
            path="/v1/ledger/checkpoint",
            role="any",
            kind="query",
            summary="The log's newest checkpoint, signed (C2SP tlog-checkpoint)",
            answer=messages.CHECKPOINT,
            problems=(ProblemCode.NOT_FOUND,),
            handler=receipts.checkpoint,
            few_rows=True,
            timeless=True,
        ),
        Route(
            method="GET",
            path="/v1/ledger/proofs/inclusion",
            role="any",
            kind="query",
            summary="Proof that the log holds a leaf (RFC 9162 §2.1.3)",
            query=messages.INCLUSION_QUERY,
            answer=messages.INCLUSION,
            problems=(ProblemCode.NOT_FOUND,),
            handler=receipts.inclusion,
        ),
        Route(
            method="GET",
            path="/v1/ledger/proofs/consistency",
            role="any",
            kind="query",
            summary="Proof that the log only grew between two sizes (RFC 9162 §2.1.4)",
            query=messages.CONSISTENCY_QUERY,
            answer=messages.CONSISTENCY,
            problems=(ProblemCode.NOT_FOUND,),
            handler=receipts.consistency,
        ),
        Route(
            method="GET",
            path="/v1/ledger/epochs",
            role="any",
            kind="query",
            summary="What each new epoch of the log kept, lost, and why",
            answer=messages.EPOCHS,
            handler=receipts.epochs_view,
        ),
        Route(
            method="GET",
            path="/v1/ledger/keys",
            role="any",
            kind="query",
            summary="Every key of the log, what opens its leaf, and the former key's word for it",
            answer=messages.KEYS,
            handler=receipts.keys_view,
        ),
        Route(
            method="POST",
            path="/v1/ledger/witness",
            # Whoever holds a checkpoint may show it, also when a restored server knows no token.
            role="public",
            kind="command",
            summary="Show a kept checkpoint: does the log still hold it",
            request=messages.WITNESS,
            answer=messages.WITNESSED,
            # It may be shown again at any time, and a stranger's repeats must not fill the disk.
            idempotent=False,
            handler=partial(receipts.witness, notary),
        ),
        Route(
            method="POST",
            path="/v1/ledger/receipts",
            role="any",
            kind="command",
            summary="Show a receipt that a restore lost: it is recorded again, as replayed",
            request=messages.REPLAY,
            answer=messages.REPLAYED,
            handler=partial(replay.replay, notary),
        ),
        Route(
            method="GET",
            path="/v1/receipts",
            role="any",
            kind="query",
            summary="The caller's receipts, all or about one thing",
            query=PAGE | {Optional("subject_id"): text(1, 64)},
            answer=messages.RECEIPTS,
            handler=receipts.list_all,
        ),
        Route(
            method="GET",
            path="/v1/receipts/{receipt_id}",
            role="any",
            kind="query",
            summary="A signed receipt with its proof; a page to read with Accept: text/html,"
            " in the language of lang, of Accept-Language or of the owner",
            query={Optional("lang"): choice(*LANGUAGES)},
            answer=messages.RECEIPT,
            handler=partial(receipts.get, notary),
        ),
    )
