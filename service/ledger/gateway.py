"""One method per SQL function, of the same name. What is decided is decided there.

Amounts and documents travel as text, answers of payments as bytes: nothing is parsed on its way
that only passes through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from service.ledger.carrier import Carrier, Failure
from service.ledger.disk import Disk
from service.metrics.instruments import LATENCY_BUCKETS, Family

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from decimal import Decimal

    import asyncpg

    from service.database.bounded import BoundedPool
    from service.metrics.instruments import Metrics

Json = str  # a JSON document as text

_ACCOUNT_COLUMNS = """\
code, currency, type, status, balance::text, held::text, available::text, version,
min_balance::text, max_balance::text, metadata::text, created_at"""


POOL_WAITS = Family(
    "histogram",
    "payledger_pool_wait_seconds",
    "Time a call waits for a connection of its pool.",
    ("pool",),
    LATENCY_BUCKETS,
)


_RESULT_COLUMNS = "outcome, code, replayed, payment_id::text, convert_to(body::text, 'UTF8')"

# The call takes an argument from the subquery, so it is made after the timeout has been set.
_POST_PAYMENTS = f"""\
select {_RESULT_COLUMNS}
from
  (select set_config('lock_timeout', $4, true) is not null as is_set offset 0) as timeout,
  lateral ledger.post_payments($1, $2, $3 and is_set)
order by item"""  # noqa: S608 -- constants


class PaymentResult(msgspec.Struct, frozen=True, gc=False):
    """ledger.payment_result. `body` of a posted payment is the answer's very bytes.

    `epoch` is of the history that it was read in; empty when the database has none.
    """

    outcome: str  # posted, rejected, invalid, conflict, busy; the poster adds unknown
    code: str | None
    replayed: bool
    payment_id: str | None
    body: bytes
    epoch: str = ""


class PostedEntry(msgspec.Struct, gc=False):
    """What an entry of a posted payment tells about its account."""

    account: str
    currency: str
    version: int
    balance_after: str


class Ledger(NamedTuple):
    """A ledger; `created`: by this call."""

    ledger_id: int
    name: str
    idempotency_retention: timedelta | None
    metadata: Json
    created_at: datetime
    created: bool = False


class Account(NamedTuple):
    """ledger.account; `created`: by this call."""

    code: str
    currency: str
    type: str
    status: str
    balance: str
    held: str
    available: str
    version: int
    min_balance: str | None
    max_balance: str | None
    metadata: Json
    created_at: datetime
    created: bool = False


class Entry(NamedTuple):
    """One change of an account."""

    version: int
    payment_id: str
    posting_no: int
    amount: str
    held: str
    balance_after: str
    held_after: str
    kind: str
    description: str | None
    posted_at: datetime


class ApiKey(NamedTuple):
    """Who may do what; `ledger_ids` None: in every ledger."""

    name: str
    secret_sha256: bytes
    scopes: frozenset[str]
    ledger_ids: frozenset[int] | None


class Gateway:
    """Payments and changes on one pool, reads on another: neither can starve the other."""

    def __init__(
        self,
        payments: BoundedPool,
        reads: BoundedPool,
        *,
        deadline_seconds: float,
        metrics: Metrics,
    ) -> None:
        self.disk = Disk()
        waits = metrics.histogram(POOL_WAITS)
        self._writing = Carrier(
            payments,
            deadline_seconds=deadline_seconds,
            writes=True,
            waited=lambda seconds: waits.observe(seconds, ("payments",)),
        )
        self._reading = Carrier(
            reads,
            deadline_seconds=deadline_seconds,
            writes=False,
            waited=lambda seconds: waits.observe(seconds, ("reads",)),
        )

    def give_up(self) -> None:
        """The database will not come back: whoever waits for it is told so."""
        self._writing.give_up()
        self._reading.give_up()

    async def post_payments(
        self,
        payments: Json,
        ledger_id: int,
        *,
        wait: bool,
        lock_timeout_ms: int,
        last_begin: float,
        deadline: float,
    ) -> list[PaymentResult]:
        """Many independent payments, in one attempt; their results in input order.

        Raises what Carrier.attempt raises. The lock timeout is set by the statement itself, for
        its own transaction: no round trip, and nothing stays behind in the session.
        """
        try:
            carried = await self._writing.attempt(
                _POST_PAYMENTS,
                (payments, ledger_id, wait, f"{lock_timeout_ms}ms"),
                last_begin,
                deadline,
            )
        except Failure as failure:
            self.disk.failed(failure.sqlstate)
            raise
        results = [_payment_result(row, carried.epoch) for row in carried.rows]
        if self.disk.full and any(map(_is_new, results)):
            self.disk.wrote()
        return results

    async def create_ledger(
        self, name: str | None, idempotency_retention: timedelta | None, metadata: Json
    ) -> Ledger:
        """Raises ledger_exists for a name that has other content."""
        return Ledger(
            *await self._writing.fetchrow(
                "select ledger_id, name, idempotency_retention, metadata::text, created_at, created"
                " from ledger.create_ledger($1, $2, $3)",
                name,
                idempotency_retention,
                metadata,
            )
        )

    async def find_ledger(self, name: str) -> Ledger | None:
        """None: there is none."""
        rows = await self._reading.fetch(
            "select ledger_id, name, idempotency_retention, metadata::text, created_at"
            " from ledger.find_ledger($1)",
            name,
        )
        return Ledger(*rows[0]) if rows else None

    async def create_account(
        self,
        code: str | None,
        currency: str | None,
        type_: str | None,
        min_balance: Decimal | int | None,
        max_balance: Decimal | int | None,
        metadata: Json,
        ledger_id: int,
    ) -> Account:
        """Raises account_exists for a code that has other content."""
        return Account(
            *await self._writing.fetchrow(
                f"select {_ACCOUNT_COLUMNS}, created"  # noqa: S608 -- constants
                " from ledger.create_account($1, $2, $3, $4, $5, $6, $7)",
                code,
                currency,
                type_,
                min_balance,
                max_balance,
                metadata,
                ledger_id,
            )
        )

    async def get_account(self, code: str, ledger_id: int) -> Account:
        """Raises unknown_account."""
        return Account(
            *await self._reading.fetchrow(
                f"select {_ACCOUNT_COLUMNS} from ledger.get_account($1, $2)",  # noqa: S608
                code,
                ledger_id,
            )
        )

    async def list_accounts(
        self, prefix: str, after: str | None, limit: int, ledger_id: int
    ) -> list[Account]:
        """By code, those after `after`."""
        rows = await self._reading.fetch(
            f"select {_ACCOUNT_COLUMNS} from ledger.list_accounts($1, $2, $3, $4)",  # noqa: S608
            prefix,
            after,
            limit,
            ledger_id,
        )
        return [Account(*row) for row in rows]

    async def list_entries(
        self, code: str, before_version: int | None, limit: int, ledger_id: int
    ) -> list[Entry]:
        """Newest first, those before `before_version`. Raises unknown_account."""
        rows = await self._reading.fetch(
            "select version, payment_id::text, posting_no, amount::text, held::text,"
            " balance_after::text, held_after::text, kind, description, posted_at"
            " from ledger.list_entries($1, $2, $3, $4)",
            code,
            before_version,
            limit,
            ledger_id,
        )
        return [Entry(*row) for row in rows]

    async def get_payment(self, payment_id: str, ledger_id: int) -> Json:
        """The answer's very bytes, as text. Raises unknown_payment."""
        row = await self._reading.fetchrow(
            "select ledger.get_payment($1::text::uuid, $2)::text", payment_id, ledger_id
        )
        return str(row[0])

    async def find_payment_by_key(self, idem_key: str, ledger_id: int) -> PaymentResult:
        """What a retry with the key would be answered. Raises unknown_idempotency_key."""
        carried = await self._reading.carry(
            f"select {_RESULT_COLUMNS} from ledger.find_payment_by_key($1, $2)",  # noqa: S608
            (idem_key, ledger_id),
        )
        return _payment_result(carried.rows[0], carried.epoch)

    async def find_api_key(self, api_key_id: int) -> ApiKey | None:
        """None: there is none, or it was revoked."""
        rows = await self._reading.fetch(
            "select name, secret_sha256, scopes, ledger_ids from ledger.find_api_key($1)",
            api_key_id,
        )
        if not rows:
            return None
        name, secret_sha256, scopes, ledger_ids = rows[0]
        return ApiKey(
            name,
            secret_sha256,
            frozenset(scopes),
            None if ledger_ids is None else frozenset(ledger_ids),
        )


def _is_new(result: PaymentResult) -> bool:
    """Whether it was written by the call that it is the answer of."""
    return result.outcome in ("posted", "rejected") and not result.replayed


def _payment_result(row: asyncpg.Record, epoch: str) -> PaymentResult:
    outcome, code, replayed, payment_id, body = row
    return PaymentResult(outcome, code, replayed, payment_id, body, epoch)


_ENTRIES = b'"entries":'
_entries = msgspec.json.Decoder(list[PostedEntry])


def entries_of(result: PaymentResult) -> list[PostedEntry]:
    """A posted payment's entries in order: of several of one account, the last is its state.

    They are the body's last field. What is before them is left unread: metadata that was posted
    from SQL may be nested deeper than can be decoded.
    """
    begin = result.body.rindex(_ENTRIES) + len(_ENTRIES)
    return _entries.decode(memoryview(result.body)[begin:-1])


def values_of(result: PaymentResult) -> dict[str, object]:
    """A refusal's values, in SQL's order."""
    values = msgspec.json.decode(result.body, type=dict[str, object])
    values.pop("code", None)
    return values
