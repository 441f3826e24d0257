"""Every code an answer can carry, in order of precedence, and how it is rendered.

SQL decides and gives a code with values; the words are here. Rendering is a pure function of both,
so the answer to a retry is the answer to the first call, byte for byte. The words of a stored
refusal (outcome `rejected`) are part of what is replayed: they stay as they are. docs/errors.md
and ledger.error_codes list the same codes; tests hold the three together.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

Outcome: TypeAlias = Literal["invalid", "conflict", "busy", "rejected", "raised", "unknown"]
Values: TypeAlias = Mapping[str, Any]

PROBLEM_JSON = "application/problem+json"

# RFC 9457's own members; a value of such a name would replace what it says there.
_MEMBERS = frozenset({"type", "title", "status", "detail", "code"})


class Definition(NamedTuple):
    """One code. `status` None: no request over HTTP can meet it, so there it is a defect."""

    code: str
    outcome: Outcome
    status: int | None
    sqlstate: str | None  # None: the HTTP service's own, unknown to SQL
    title: str  # for a code of SQL's: its message
    detail: str  # a format string over the values
    action: str  # what to do, for the page
    read_status: int | None = None  # where it differs when the URL names what is wrong
    retry_after: int | None = None  # seconds


def _http(
    code: str,
    outcome: Outcome,
    status: int,
    title: str,
    detail: str,
    action: str,
    retry_after: int | None = None,
) -> Definition:
    return Definition(code, outcome, status, None, title, detail, action, retry_after=retry_after)


def _sql(
    sqlstate: str,
    code: str,
    outcome: Outcome,
    status: int | None,
    title: str,
    detail: str,
    action: str,
    *,
    read_status: int | None = None,
    retry_after: int | None = None,
) -> Definition:
    return Definition(
        code, outcome, status, sqlstate, title, detail, action, read_status, retry_after
    )


CATALOGUE: tuple[Definition, ...] = (
    # What is not HTTP, or asks for nothing that is there.
    _http(
        "request_malformed", "invalid", 400,
        "The request is not HTTP that can be understood.",
        "The request line, a header or the framing of the body is malformed or too long.",
        "Correct the request.",
    ),
    _http(
        "expectation_failed", "invalid", 417,
        "The Expect header asks for something unknown.",
        "Only 100-continue can be expected.",
        "Leave the header out.",
    ),
    _http(
        "not_found", "invalid", 404,
        "There is nothing at this path.",
        "No resource has this path.",
        "Correct the path.",
    ),
    _http(
        "method_not_allowed", "invalid", 405,
        "The resource does not have this method.",
        "Use one of: {allowed}.",
        "Use a method that the Allow header lists.",
    ),
    _http(
        "overloaded", "busy", 503,
        "The service has more requests waiting than it can take.",
        "Nothing was done. Retry with the same key.",
        "Wait for Retry-After, then retry with the same key.",
        retry_after=1,
    ),
    # Who is asking, and where.
    _http(
        "unauthorized", "invalid", 401,
        "The request has no valid API key.",
        "Send a key that was not revoked, as Authorization: Bearer plk_...",
        "Send a valid key.",
    ),
    _http(
        "forbidden", "invalid", 403,
        "The API key does not allow this.",
        "The key needs the scope {scope}, for this ledger.",
        "Use a key with this scope that is not bound to other ledgers.",
    ),
    _http(
        "too_many_requests", "busy", 429,
        "This API key has more payments waiting than its share.",
        "Nothing was done. Send fewer at a time; retry with the same key.",
        "Wait for Retry-After, then retry with the same key.",
        retry_after=1,
    ),
    # How it is asked.
    _http(
        "unsupported_media_type", "invalid", 415,
        "The body is not declared to be JSON.",
        "Send Content-Type: application/json, in UTF-8, without a Content-Encoding.",
        "Set the Content-Type header.",
    ),
    _http(
        "body_too_large", "invalid", 413,
        "The body is too large.",
        "The limit is {limit} bytes.",
        "Split the request, or shorten the metadata.",
    ),
    _http(
        "body_too_slow", "invalid", 408,
        "The body did not arrive in time.",
        "Nothing was done. Retry with the same key.",
        "Retry with the same key.",
    ),
    _http(
        "parameter_malformed", "invalid", 400,
        "A parameter of the URL is malformed.",
        "{parameter}: {reason}.",
        "Correct the parameter; take cursors only from next_cursor.",
    ),
    _http(
        "batch_idempotency_key_not_allowed", "invalid", 400,
        "A batch has no idempotency key of its own.",
        "Leave the Idempotency-Key header out: each payment of a batch carries its own key.",
        "Leave the header out.",
    ),
    _sql(
        "LG101", "idempotency_key_missing", "invalid", 400,
        "The payment has no idempotency key.",
        "Choose a key for this one payment, keep it, and send it with every retry: over HTTP in"
        " the Idempotency-Key header, in a batch as idempotency_key.",
        "Choose a key for this one payment, keep it, and send it with every retry.",
    ),
    _sql(
        "LG102", "idempotency_key_too_long", "invalid", 400,
        "The idempotency key is longer than 255 characters.",
        "The key has {length} characters; the limit is {limit}.",
        "Use a shorter key; a UUIDv7 makes a good one.",
    ),
    _sql(
        "LG103", "idempotency_key_malformed", "invalid", 400,
        "The idempotency key has characters other than visible ASCII.",
        "Send one Idempotency-Key, of the characters from ! to ~, bare or in double quotes.",
        "Use visible ASCII without spaces; a UUIDv7 makes a good key.",
    ),
    _http(
        "body_malformed", "invalid", 400,
        "The body is not the JSON that is expected here.",
        "{field}: {reason}.",
        "Correct the body; field and reason say what is wrong.",
    ),
    _http(
        "too_many_payments", "invalid", 400,
        "The batch has more than 500 payments.",
        "The batch has {payments} payments; the limit is {limit}.",
        "Split the batch.",
    ),
    # The payment itself.
    _sql(
        "LG104", "payment_malformed", "invalid", 400,
        "The payment is not of the expected form.",
        "{field}: {reason}.",
        "Correct the payment; field and reason say what is wrong.",
    ),
    _sql(
        "LG105", "postings_missing", "invalid", 400,
        "The payment has no postings.",
        "Give at least one posting.",
        "Give at least one posting.",
    ),
    _sql(
        "LG106", "too_many_postings", "invalid", 400,
        "The payment has more than 100 postings.",
        "The payment has {postings} postings; the limit is {limit}.",
        "Split it into several payments.",
    ),
    _sql(
        "LG107", "account_code_malformed", "invalid", 400,
        "An account code is not of the expected form.",
        "A code is letters, digits, _ and -, in parts joined by : . or @, at most 128 characters.",
        "Correct the account code.",
    ),
    _sql(
        "LG108", "same_account", "invalid", 400,
        "A posting moves money from an account to itself.",
        "Posting {posting_no} is from {account} to {account}.",
        "Name two different accounts.",
    ),
    _sql(
        "LG109", "amount_missing", "invalid", 400,
        "A posting has no amount.",
        "Posting {posting_no} has no amount. Give it in integer minor units.",
        "Give the amount in integer minor units.",
    ),
    _sql(
        "LG110", "amount_not_integer", "invalid", 400,
        "The amount is not an integer.",
        "Give the amount of posting {posting_no} in integer minor units, as digits or an integer:"
        " 12.34 USD is 1234.",
        "Give the amount in integer minor units: 12.34 USD is 1234.",
    ),
    _sql(
        "LG111", "amount_not_positive", "invalid", 400,
        "The amount is zero or negative.",
        "The amount of posting {posting_no} is {amount}. To move money the other way, swap the"
        " accounts.",
        "To move money the other way, swap the accounts.",
    ),
    _sql(
        "LG112", "amount_too_large", "invalid", 400,
        "The amount has more than 38 digits.",
        "The amount of posting {posting_no} is above 10^38 - 1.",
        "The largest amount is 10^38 - 1.",
    ),
    _sql(
        "LG113", "currency_malformed", "invalid", 400,
        "The currency code is not of the expected form.",
        "Use an ISO 4217 code such as USD, or one of 3 to 12 capitals, digits and _.",
        "Use an ISO 4217 code such as USD, or one of 3 to 12 capitals, digits and _.",
    ),
    _sql(
        "LG114", "description_too_long", "invalid", 400,
        "The description is longer than 1000 characters.",
        "The description has {length} characters; the limit is {limit}.",
        "Shorten it, or put the text elsewhere and refer to it in the metadata.",
    ),
    _sql(
        "LG115", "metadata_not_object", "invalid", 400,
        "The metadata is not a JSON object.",
        'Give an object such as {{"order": "1234"}}.',
        'Give an object such as {"order": "1234"}.',
    ),
    _sql(
        "LG116", "metadata_too_large", "invalid", 400,
        "The metadata is larger than 16 KiB.",
        "The metadata has {bytes} bytes; the limit is {limit}.",
        "Keep the document elsewhere and refer to it in the metadata.",
    ),
    _sql(
        "LG117", "effective_at_out_of_range", "invalid", 400,
        "effective_at is outside the years 1 to 9999.",
        "Give a time in the years 1 to 9999, or none for the time of posting.",
        "Give a time in that range, or none for the time of posting.",
    ),
    # The key.
    _http(
        "idempotency_key_in_use", "busy", 409,
        "A request with this key is still in work.",
        "This process works on an earlier request with the same key. Retry with the same key.",
        "Wait for Retry-After, then retry with the same key.",
        retry_after=1,
    ),
    _sql(
        "LG201", "key_reused", "conflict", 422,
        "The idempotency key was used for another payment.",
        "Use a new key for a new payment. To retry, send exactly what was sent before.",
        "Use a new key for a new payment. To retry, send exactly what was sent before.",
    ),
    # What the request names.
    _sql(
        "LG301", "unknown_ledger", "invalid", 404,
        "There is no such ledger.",
        "No ledger has this name.",
        "Create it with POST /v1/ledgers or ledger.create_ledger.",
    ),
    _http(
        "history_changed", "invalid", 412,
        "The token belongs to another history of the database.",
        "The token's epoch is {epoch}, the database's is {current_epoch}.",
        "The database was restarted, restored or failed over: read without the token, and look"
        " whether the payment is there.",
    ),
    _sql(
        "LG302", "unknown_account", "invalid", 422,
        "There is no such account in this ledger.",
        "The ledger has no account {account}.",
        "Create the account, then retry with the same key.",
        read_status=404,
    ),
    _http(
        "version_not_reached", "invalid", 412,
        "The account has not reached this version.",
        "The account is at version {version}, and {min_version} was asked for.",
        "Send the highest version that was told for this account.",
    ),
    _sql(
        "LG303", "currency_mismatch", "invalid", 400,
        "The account is kept in another currency.",
        "The account {account} is kept in {account_currency}, not in {currency}.",
        "Post to an account of the payment's currency.",
    ),
    # Waiting.
    _sql(
        "LG401", "account_busy", "busy", 503,
        "Another transaction holds the account.",
        "Nothing was posted. Retry with the same key.",
        "Wait for Retry-After, then retry with the same key.",
        retry_after=1,
    ),
    # Business refusals: stored under the key, replayed as they are.
    _sql(
        "LG501", "account_closed", "rejected", 422,
        "The account is closed.",
        "The account {account} is closed.",
        "Closing is final. Post to another account.",
    ),
    _sql(
        "LG502", "account_frozen", "rejected", 422,
        "The account is frozen.",
        "The account {account} is frozen.",
        "Reopen it, then post with a new key.",
    ),
    _sql(
        "LG503", "insufficient_funds", "rejected", 422,
        "The payment would take the account below its minimum.",
        "The account {account} has {available} {currency} available and a minimum of"
        " {min_balance}: {amount} cannot be taken.",
        "Fund the account or lower its minimum, then post with a new key.",
    ),
    _sql(
        "LG504", "balance_limit_exceeded", "rejected", 422,
        "The payment would take the account above its maximum.",
        "The account {account} has a balance of {balance} {currency} and a maximum of"
        " {max_balance}: {amount} cannot be added.",
        "Raise the maximum, then post with a new key.",
    ),
    _sql(
        "LG505", "balance_out_of_range", "rejected", 422,
        "The payment would take the balance beyond 38 digits.",
        "The account {account} cannot hold more: no balance has more than 38 digits.",
        "Post to another account.",
    ),
    # Administration and reading.
    _sql(
        "LG601", "unknown_payment", "raised", 404,
        "There is no such payment in this ledger.",
        "The ledger has no payment of this id.",
        "Check the id and the ledger.",
    ),
    _sql(
        "LG602", "unknown_idempotency_key", "raised", 404,
        "The idempotency key was not used in this ledger.",
        "Nothing was posted or refused under this key, or its retention has passed.",
        "Post with the key: nothing was posted or refused under it, or its retention has passed.",
    ),
    _sql(
        "LG603", "limit_out_of_range", "raised", 400,
        "The limit is out of range.",
        "Ask for 1 to 1000 rows.",
        "Ask for 1 to 1000 rows.",
    ),
    _sql(
        "LG604", "ledger_name_malformed", "raised", 400,
        "The ledger name is not of the expected form.",
        "Use 1 to 63 lower-case letters, digits and -.",
        "Use 1 to 63 lower-case letters, digits and -.",
    ),
    _sql(
        "LG605", "retention_invalid", "raised", 400,
        "The retention is not a time from one hour to 1000 years.",
        "Give a time from one hour to 1000 years, or null to keep keys for ever.",
        "Give a time from one hour to 1000 years, or null to keep keys for ever.",
    ),
    _sql(
        "LG606", "ledger_exists", "raised", 409,
        "A ledger of this name exists with other content.",
        "Use it as it is, or choose another name.",
        "Use it as it is, or choose another name.",
    ),
    _sql(
        "LG607", "account_type_unknown", "raised", 400,
        "There is no such account type.",
        "Use asset, liability, equity, income or expense.",
        "Use asset, liability, equity, income or expense.",
    ),
    _sql(
        "LG608", "unknown_currency", "raised", 400,
        "There is no such currency.",
        "Use an ISO 4217 code, or one that was added with ledger.create_currency.",
        "Use one that is in ledger.currencies, or add it with ledger.create_currency.",
    ),
    _sql(
        "LG609", "limits_invalid", "raised", 400,
        "The limits are not integers with minimum <= maximum.",
        "Give integer minor units, or null for no limit.",
        "Give integer minor units, or null for no limit.",
    ),
    _sql(
        "LG610", "account_exists", "raised", 409,
        "An account of this code exists with other content.",
        "Use it as it is, or choose another code.",
        "Use it as it is, or choose another code.",
    ),
    _sql(
        "LG611", "status_unknown", "raised", 400,
        "There is no such account status.",
        "Use open, frozen or closed.",
        "Use open, frozen or closed.",
    ),
    _sql(
        "LG612", "account_status_final", "raised", 409,
        "A closed account stays closed.",
        "Create another account.",
        "Create another account.",
    ),
    _sql(
        "LG613", "account_not_empty", "raised", 409,
        "The account holds money and cannot be closed.",
        "Move the balance away and release what is held, then close it.",
        "Move the balance away and release what is held, then close it.",
    ),
    _sql(
        "LG614", "slice_out_of_range", "raised", None,
        "There is no such slice.",
        "Ask for slice 1 to p_slices.",
        "Ask for slice 1 to p_slices.",
    ),
    _sql(
        "LG615", "api_key_malformed", "raised", None,
        "The API key is not of the expected form.",
        "Give a name, a SHA-256 digest, and scopes.",
        "Give a name of 1 to 100 characters, a SHA-256 digest, and scopes out of read, write,"
        " admin.",
    ),
    _sql(
        "LG616", "currency_exists", "raised", None,
        "The currency exists with other content.",
        "Use it as it is, or choose another code.",
        "Use it as it is, or choose another code.",
    ),
    _sql(
        "LG617", "argument_invalid", "raised", None,
        "An argument of the function is not of the expected form.",
        "{argument}: {reason}.",
        "Correct the argument; argument and reason say what is wrong.",
    ),
    # The change feed.
    _sql(
        "LG701", "feed_cursor_malformed", "raised", None,
        "The feed cursor is not one that read_feed gave.",
        "Go on with the last next_cursor, or start anew with null.",
        "Go on with the last next_cursor, or start anew with null.",
    ),
    _sql(
        "LG702", "feed_on_standby", "raised", None,
        "The feed cannot be read on a standby.",
        "Read it on the primary.",
        "Read it on the primary.",
    ),
    _sql(
        "LG703", "feed_in_transaction", "raised", None,
        "The feed cannot be read by a transaction that has written.",
        "Read it in a transaction of its own.",
        "Read it in a transaction of its own.",
    ),
    _sql(
        "LG704", "feed_cursor_ahead", "raised", None,
        "The feed cursor is ahead of this database.",
        "The database was restored. Run ledger.start_epoch, then start the feed anew.",
        "Run ledger.start_epoch, then start the feed anew.",
    ),
    _sql(
        "LG705", "feed_history_changed", "raised", None,
        "This database is not the one the feed epoch was started on.",
        "It was restored, promoted or copied.",
        "Run ledger.start_epoch once, then start the feed anew.",
    ),
    _sql(
        "LG706", "feed_epoch_ended", "raised", None,
        "The feed cursor belongs to an earlier epoch.",
        "Start the feed anew with null, and reconcile what was read before.",
        "Start the feed anew with null, and reconcile what was read before.",
    ),
    # What nobody may do.
    _sql(
        "LG801", "history_is_append_only", "raised", None,
        "Posted history cannot be changed.",
        "Post a correcting payment instead.",
        "Post a correcting payment instead.",
    ),
    # Trouble.
    _http(
        "not_attempted", "busy", 503,
        "The request could not be carried out in time.",
        "Nothing was written. Retry with the same key.",
        "Wait for Retry-After, then retry with the same key.",
        retry_after=1,
    ),
    _http(
        "outcome_unknown", "unknown", 503,
        "The request was begun, and its outcome is not known.",
        "It may or may not have been carried out. Retry with the same key to find out.",
        "Retry with the same key until there is a definite answer.",
        retry_after=1,
    ),
    _http(
        "internal_error", "unknown", 500,
        "Something is wrong in the service.",
        "The cause is in the service's log, under the X-Request-Id of this answer.",
        "Report it with the X-Request-Id. Retrying with the same key is safe.",
    ),
)  # fmt: skip

BY_CODE: Mapping[str, Definition] = {definition.code: definition for definition in CATALOGUE}

_DEFECT = BY_CODE["internal_error"]


class Problem(Exception):
    """An answer other than success: a code of the catalogue and its values."""

    __slots__ = ("close", "code", "headers", "read", "values")

    def __init__(
        self,
        code: str,
        values: Values | None = None,
        *,
        read: bool = False,
        close: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.values: Values = values or {}
        self.read = read  # what is wrong is named in the URL of a read
        self.close = close  # the rest of the request cannot be told from the next one
        self.headers = headers or {}


def describe(exc: BaseException) -> list[str]:
    """A traceback for the log: class names and SQLSTATEs, no messages, which may quote bodies."""
    lines: list[str] = []
    if (cause := exc.__cause__ or exc.__context__) is not None:
        lines += describe(cause)
    lines += [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(exc.__traceback__)
    ]
    sqlstate = getattr(exc, "sqlstate", None)
    lines.append(type(exc).__name__ + (f" {sqlstate}" if sqlstate else ""))
    # Of the server's context, only the lines that say where, not those that quote data.
    context = getattr(exc, "context", None) or ""
    lines += [line for line in context.splitlines() if line.startswith("PL/pgSQL function")]
    return lines


class Rendered(NamedTuple):
    """What goes out: a status, the problem+json bytes, and the seconds of Retry-After."""

    status: int
    body: bytes
    retry_after: int | None


def render(code: str, values: Values, *, read: bool = False) -> Rendered:
    """The same code and values give the same bytes, now and for every replay.

    A code that no request can meet is a defect, and is told as one, without its values.
    """
    definition = BY_CODE.get(code, _DEFECT)
    if definition.status is None:
        definition = _DEFECT
    if definition is _DEFECT:
        values = {}
    status = (read and definition.read_status) or definition.status

    document: dict[str, Any] = {
        "type": f"urn:payledger:error:{definition.code}",
        "title": definition.title,
        "status": status,
        "detail": _detail(definition, values),
        "code": definition.code,
    }
    for name, value in values.items():
        if name not in _MEMBERS:
            document[name] = value
    return Rendered(status or 500, msgspec.json.encode(document), definition.retry_after)


def _detail(definition: Definition, values: Values) -> str:
    try:
        return definition.detail.format_map(values)
    except KeyError:
        return definition.title
