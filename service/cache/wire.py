"""What L2 holds: keys, values, and the scripts that change them.

A key names the database's epoch, the server's run and the relay's generation. So what another
database wrote, what a restarted server loaded from its disk, and what is out of date because a
write was missed cannot be read: nobody asks for it.

A value begins with its version as 19 digits, which compare as text the way numbers do; Lua's own
numbers lose digits above 2^53. Then it repeats its key, so that a value that got under another's
key, by whatever mistake, is not believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.cache.model import CachedBalance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.cache.model import AccountKey, Change, Scope

VERSION_DIGITS = 19  # of the largest bigint

# What LOOK says instead of a value.
LEASED, MISSED = b"+", b"-"


class Lease(NamedTuple):
    """The right to fill L2 with one read, until something newer is written there."""

    scope: Scope
    run_id: str
    key: AccountKey
    token: bytes


def balance_prefix(scope: Scope, run_id: str) -> str:
    """Where all balances lie."""
    return f"payledger:{scope.epoch}:{run_id}:{scope.generation}:b:"


def balance_key(scope: Scope, run_id: str, key: AccountKey) -> bytes:
    """Where a balance lies."""
    return f"{balance_prefix(scope, run_id)}{key.ledger_id}:{key.code}".encode()


def lease_key(at: bytes) -> bytes:
    """Where the lease to fill `at` lies."""
    return at + b"~"  # a character that no account code has


def answer_key(scope: Scope, run_id: str, ledger_id: int, idem_key: str) -> bytes:
    """Where the answer to a payment lies."""
    return f"payledger:{scope.epoch}:{run_id}:{scope.generation}:a:{ledger_id}:{idem_key}".encode()


def version_text(version: int) -> bytes:
    """All of one length, so that texts compare as numbers do."""
    return b"%0*d" % (VERSION_DIGITS, version)


def write_changes(changes: Iterable[tuple[int, Change]]) -> bytes:
    """What the relay has WRITE write: a line for each, with all of a change or its version alone.

    It writes every change of every account, so this is most of what a change costs it; one text is
    a third of the cost of an argument for each key and value.
    """
    return "".join([_line(ledger_id, change) for ledger_id, change in changes]).encode()


def _line(ledger_id: int, change: Change) -> str:
    currency, balance, held = change.currency, change.balance, change.held
    incomplete = currency is None or balance is None or held is None
    rest = "" if incomplete else f" {currency} {balance} {held}"
    return f"{ledger_id}:{change.code} {change.version:0{VERSION_DIGITS}}{rest}\n"


def write_balance(at: bytes, balance: CachedBalance) -> bytes:
    """A value for the key `at`. No part can hold a space: see the domains of code and currency."""
    rest = f"{balance.currency} {balance.balance} {balance.held}".encode()
    return b"%b %b %b" % (version_text(balance.version), at, rest)


def read_looks(said: bytes, count: int) -> list[bytes]:
    """What LOOK says of each; should a value not be one of ours, nothing of any."""
    values = said.split(b"\n")
    return values if len(values) == count else [MISSED] * count


def read_balance(at: bytes, code: str, value: bytes) -> CachedBalance | None:
    """What the value says; None: it is none that belongs to the key `at`."""
    parts = value.split(b" ")
    if len(parts) != 5 or parts[1] != at or len(parts[0]) != VERSION_DIGITS:
        return None
    version, _, currency, balance, held = parts
    if not version.isdigit():
        return None
    return CachedBalance(code, currency.decode(), int(version), balance.decode(), held.decode())


# Each script runs as a whole: nothing comes between its reading and its writing. SET comes before
# DEL: a server that is out of memory refuses a script's first write, and none after it.

# Whether `there` has to stay. A version alone (19 characters, see WRITE) gives way to its value.
_STAYS = b"""\
local function stays(there, value)
  local old, new = string.sub(there, 1, 19), string.sub(value, 1, 19)
  return old > new or (old == new and #there > 19)
end
"""

# KEYS: value, lease, value, lease, ... ARGV: lease token, its milliseconds, least version, ...
# Of each the value, if it is new enough; else whether the lease was had, which is no reason to
# fail. All in one text, a line for each: the client reads an array element by element.
LOOK = b"""\
local answers = {}
for i = 1, #KEYS / 2 do
  local value = redis.call('GET', KEYS[2 * i - 1])
  if value and #value > 19 and string.sub(value, 1, 19) >= ARGV[i + 2] then
    answers[i] = value
  else
    local had = redis.pcall('SET', KEYS[2 * i], ARGV[1], 'NX', 'PX', ARGV[2])
    answers[i] = (type(had) == 'table' and had.ok) and '+' or '-'
  end
end
return table.concat(answers, '\\n')
"""

# KEYS: value, lease, value, lease, ... ARGV: milliseconds to live, lease token, value, ...
# How many were written, and of how many what is there is not older; of the others the lease is
# gone.
FILL = (
    _STAYS
    + b"""\
local written, older = 0, 0
for i = 1, #KEYS / 2 do
  local at, lease = KEYS[2 * i - 1], KEYS[2 * i]
  local token, value = ARGV[2 * i], ARGV[2 * i + 1]
  if redis.call('GET', lease) == token then
    local there = redis.call('GET', at)
    if there and stays(there, value) then
      older = older + 1
    else
      redis.call('SET', at, value, 'PX', ARGV[1])
      written = written + 1
    end
    redis.call('DEL', lease)
  end
end
return {written, older}
"""
)

# ARGV: milliseconds to live, where balances lie, what write_changes says. Of its lines this makes
# what balance_key, write_balance and lease_key make.
# A version alone for a value: there is such a version, what it holds is for the next reader to
# find. The lease goes in any case: who holds it may have read before this. How many were written.
WRITE = (
    _STAYS
    + b"""\
local keys, leases, values, place = {}, {}, {}, {}
for account, version, rest in string.gmatch(ARGV[3], '(%S+) (%d+)([^\\n]*)\\n') do
  local at = ARGV[2] .. account
  local value = version
  if rest ~= '' then
    value = version .. ' ' .. at .. rest
  end
  local i = place[at]
  if not i then
    i = #keys + 1
    place[at], keys[i], leases[i], values[i] = i, at, at .. '~', value
  elseif not stays(values[i], value) then
    values[i] = value
  end
end
local written = 0
for i, there in ipairs(redis.call('MGET', unpack(keys))) do
  if not there or not stays(there, values[i]) then
    redis.call('SET', keys[i], values[i], 'PX', ARGV[1])
    written = written + 1
  end
end
redis.call('DEL', unpack(leases))
return written
"""
)
