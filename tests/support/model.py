"""What the ledger promises, in a hundred lines of Python, to hold the real one against."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

LARGEST = 10**38 - 1


@dataclass(frozen=True)
class Account:
    """One account; a payment makes a new one of it."""

    currency: str
    min_balance: int | None
    max_balance: int | None
    status: str = "open"
    balance: int = 0
    version: int = 0


@dataclass(frozen=True)
class Posting:
    """What a client says."""

    from_: str
    to: str
    amount: int
    currency: str = "USD"


@dataclass(frozen=True)
class Payment:
    """What a client sends under a key."""

    postings: tuple[Posting, ...]
    description: str | None = None


@dataclass(frozen=True)
class Entry:
    """One line of the answer."""

    account: str
    amount: int
    balance_after: int
    version: int


@dataclass(frozen=True)
class Answer:
    """What the ledger must answer."""

    outcome: str
    code: str | None = None
    replayed: bool = False
    entries: tuple[Entry, ...] = ()


@dataclass
class Model:
    """All state there is: accounts, and what each key was used for."""

    accounts: dict[str, Account] = field(default_factory=dict)
    created_as: dict[str, Account] = field(default_factory=dict)
    keys: dict[str, tuple[Payment, Answer]] = field(default_factory=dict)

    def create(self, code: str, account: Account) -> str:
        if code not in self.accounts:
            self.accounts[code] = self.created_as[code] = account
            return "created"
        return "existing" if self.created_as[code] == account else "account_exists"

    def post(self, key: str, payment: Payment) -> Answer:
        """One payment, as if nothing else ran."""
        if problem := self._malformed(payment):
            return Answer("invalid", problem)
        if key in self.keys:
            first, answer = self.keys[key]
            if first != payment:
                return Answer("conflict", "key_reused")
            return replace(answer, replayed=True)
        if problem := self._misdirected(payment):
            return Answer("invalid", problem)
        answer = self._apply(payment)
        self.keys[key] = (payment, answer)
        return answer

    def set_status(self, code: str, status: str) -> str:
        account = self.accounts[code]
        if status == account.status:
            return "ok"
        if account.status == "closed":
            return "account_status_final"
        if status == "closed" and account.balance:
            return "account_not_empty"
        self.accounts[code] = replace(account, status=status)
        return "ok"

    def set_limits(self, code: str, least: int | None, most: int | None) -> str:
        if least is not None and most is not None and least > most:
            return "limits_invalid"
        self.accounts[code] = replace(self.accounts[code], min_balance=least, max_balance=most)
        return "ok"

    @staticmethod
    def _malformed(payment: Payment) -> str | None:
        for posting in payment.postings:
            if posting.from_ == posting.to:
                return "same_account"
            if posting.amount <= 0:
                return "amount_not_positive"
            if posting.amount > LARGEST:
                return "amount_too_large"
        return None

    def _misdirected(self, payment: Payment) -> str | None:
        named = [(code, p.currency) for p in payment.postings for code in (p.from_, p.to)]
        if any(code not in self.accounts for code, _ in named):
            return "unknown_account"
        if any(self.accounts[code].currency != currency for code, currency in named):
            return "currency_mismatch"
        return None

    def _apply(self, payment: Payment) -> Answer:
        codes = {code for p in payment.postings for code in (p.from_, p.to)}
        for status in ("closed", "frozen"):
            if any(self.accounts[code].status == status for code in codes):
                return Answer("rejected", f"account_{status}")
        after = dict(self.accounts)
        entries = []
        for posting in payment.postings:
            for code, amount in ((posting.from_, -posting.amount), (posting.to, posting.amount)):
                account = after[code]
                balance = account.balance + amount
                least, most = account.min_balance, account.max_balance
                if amount < 0 and least is not None and balance < least:
                    return Answer("rejected", "insufficient_funds")
                if amount > 0 and most is not None and balance > most:
                    return Answer("rejected", "balance_limit_exceeded")
                if abs(balance) > LARGEST:
                    return Answer("rejected", "balance_out_of_range")
                after[code] = replace(account, balance=balance, version=account.version + 1)
                entries.append(Entry(code, amount, balance, account.version + 1))
        self.accounts = after
        return Answer("posted", entries=tuple(entries))
