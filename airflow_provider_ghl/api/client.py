"""The funnel: every request of this package goes through :meth:`Client.send_once`."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_ghl import __version__
from airflow_provider_ghl.api.answers import read_answer
from airflow_provider_ghl.api.authorization import Authorization
from airflow_provider_ghl.api.budget import Budget, Charge
from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock, Stop
from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.api.rate_headers import RateHeaders
from airflow_provider_ghl.api.retry import Retry, Tries
from airflow_provider_ghl.api.transport import RequestsTransport, Transport, safe_host
from airflow_provider_ghl.api.versions import API_VERSIONS, read_version
from airflow_provider_ghl.exceptions import (
    ConfigurationError,
    GHLError,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    Stopped,
    TokenUnavailable,
    TransportError,
    Unauthorized,
)

__all__ = ["LONGEST_ANSWER", "Client", "Exchange"]

T = TypeVar("T")

#: Seconds that a whole answer may take. The transport's own limit starts anew with every byte.
LONGEST_ANSWER = 90.0
#: Seconds. A header that took longer came with a new token, so that a stop may have been missed.
_DELAY = 0.05
#: Errors of getting a token that do not pass by themselves today. Any other may.
_DEFINITE = (ConfigurationError, QuotaExhausted, RequestRejected, Stopped, Unauthorized)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer or error."""

    call: Call
    sent_at: float
    answered_at: float
    result: Answer | GHLError
    rate: RateHeaders | None
    #: Seconds of it that a new connection, or a new token, took.
    connecting: float = 0.0
    #: False where there was no token to send it with.
    is_sent: bool = True


@dataclass(slots=True)
class _UnderWay:
    """What is known of an exchange that has not ended yet."""

    call: Call
    rate: RateHeaders | None = None
    connecting: float = 0.0
    is_sent: bool = False


class Client:
    """The session, the authorisation and the limits of one connection, for any number of threads.

    :param authorization: see ``api.authorization``.
    :param location_id: the sub-account of calls that name none.
    :param host: base URL, see ``api.transport``.
    :param api_version: one of :data:`API_VERSIONS`.
    :param quota_share: part of the burst limit to use, in (0, 1].
    :param daily_reserve: requests of the day to leave to others.
    :raises ConfigurationError: one of them cannot be right.
    """

    def __init__(
        self,
        authorization: Authorization,
        *,
        location_id: str | None = None,
        host: str | None = None,
        api_version: str = API_VERSIONS[0],
        quota_share: float = 1.0,
        daily_reserve: int = 0,
        transport: Transport | None = None,
        clock: Clock | None = None,
        retry: Retry | None = None,
        stop: Stop | None = None,
    ) -> None:
        if not 0.0 < quota_share <= 1.0:
            raise ConfigurationError(f"quota_share must be above 0 and at most 1, not {quota_share!r}")
        if daily_reserve < 0:
            raise ConfigurationError(f"daily_reserve must be 0 or more requests, not {daily_reserve!r}")
        self.location_id = location_id
        self.clock = clock or Clock()
        self.retry = retry or Retry()
        self.stop = stop or Stop()
        self._authorization = authorization
        #: Base URL of the API.
        self.host = safe_host(host)
        self._transport = transport or RequestsTransport(host)
        self._headers = {
            "Version": read_version(api_version),
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"airflow-provider-ghl/{__version__}",
        }
        self._share = quota_share
        self._reserve = daily_reserve
        self._limits: dict[str | None, Limit] = {}
        self._lock = threading.Lock()

    def limit(self, location_id: str | None) -> Limit:
        """What is known of a location's limits."""
        with self._lock:
            return self._limit(location_id)

    def reserve(self, call: Call, now: float) -> float:
        """Take a slot for ``call``: 0.0, or seconds to wait before asking again. See :meth:`Limit.reserve`."""
        with self._lock:
            return self._limit(call.location_id).reserve(now)

    def send_once(self, call: Call, charge: Charge, sent_at: float) -> Exchange:
        """Send once and read the answer. Never waits for a slot; errors are in the result and not raised.

        Gets a token first where there is none. Renews a token that HighLevel refuses, where that is possible: then the error
        says so (:attr:`Unauthorized.is_renewed`), and the retry policy sends the request once more.

        :param charge: pays for the request.
        :param sent_at: clock seconds at which the slot was taken.
        """
        charge.use()
        under_way = _UnderWay(call)
        try:
            result: Answer | GHLError = self._send(under_way)
        except GHLError as error:
            result = error
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this request's and must free its slot
            result = GHLError(f"{call.method} {call.template} ended in an unforeseen {type(error).__name__}")
        now = self.clock.monotonic()
        return Exchange(call, sent_at, now, result, under_way.rate, under_way.connecting, under_way.is_sent)

    def learn(self, exchange: Exchange) -> None:
        """Learn the limits from an exchange. To be called once for each."""
        is_refused = isinstance(exchange.result, RateLimited)
        with self._lock:
            limit = self._limit(exchange.call.location_id)
            limit.sent += exchange.is_sent
            limit.refused += is_refused
            times = exchange.sent_at, exchange.answered_at
            limit.learn(*times, exchange.rate, limited=is_refused, connecting=exchange.connecting)

    def take_sent(self, location_id: str | None) -> tuple[int, int]:
        """How many requests were sent to a location since the last call, and how many of them were answered 429."""
        with self._lock:
            return self._limit(location_id).take_sent()

    def request(self, call: Call, budget: Budget | None = None, retry: Retry | None = None) -> Answer:
        """Send, wait and repeat as the limits and the retry policy say. The one blocking loop.

        :param budget: what the requests are charged to.
        :param retry: the policy, instead of the client's.
        :raises GHLError: see ``exceptions``.
        :raises Stopped: told to stop, at most half a second ago.
        """
        budget, retry = budget or Budget(), retry or self.retry
        tries = Tries(since=self.clock.monotonic())
        while True:
            charge = budget.charge()
            sent_at = self._wait_for_slot(call)
            exchange = self._send_until_stopped(call, charge, sent_at)
            self.learn(exchange)
            budget.refund(not exchange.is_sent)
            result = exchange.result
            if isinstance(result, Answer):
                return dataclasses.replace(result, unanswered_before=tries.unanswered)
            result.unanswered_before = tries.unanswered
            tries.note(result)
            wait = retry.decide(result, tries, self.clock.monotonic(), repeat_safe=call.repeat_safe)
            if isinstance(result, RateLimited):
                budget.rate_limited += 1
            if wait is None:
                raise result
            budget.retries += not isinstance(result, RateLimited)
            self.sleep(wait)

    def sleep(self, seconds: float) -> None:
        """Wait.

        :raises Stopped: told to stop, at most half a second ago.
        """
        until = self.clock.monotonic() + seconds
        while not self.stop.is_set:
            left = until - self.clock.monotonic()
            if left <= 0.0:
                return
            self.clock.sleep(min(left, LONGEST_WAIT))
        raise Stopped("told to stop while waiting")

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def _limit(self, location_id: str | None) -> Limit:
        key = location_id or self.location_id
        if key not in self._limits:
            self._limits[key] = Limit(share=self._share, daily_reserve=self._reserve, draw=self.retry.draw)
        return self._limits[key]

    def _send(self, under_way: _UnderWay) -> Answer:
        call = under_way.call
        header = call.authorization
        if header is None:
            header = self._prepare(under_way, lambda: self._authorization.header(call.location_id))
            self._check_delay(call, under_way.connecting)
        try:
            return self._send_with(under_way, header)
        except Unauthorized as error:
            if error.kind == "token" and call.authorization is None:
                renew = self._authorization.renew
                error.is_renewed = self._prepare(under_way, lambda: renew(call.location_id, header))
            raise

    def _check_delay(self, call: Call, seconds: float) -> None:
        """The request may have been given up, or the work stopped, while its token was fetched."""
        if seconds >= LONGEST_ANSWER:
            raise _no_token(call, "it took too long to get a token")  # whoever gave it up may be sending it again already
        if seconds >= _DELAY and self.stop.is_set:
            raise Stopped("told to stop while waiting for a token")

    def _send_with(self, under_way: _UnderWay, header: str) -> Answer:
        call = under_way.call
        headers = {"Authorization": header, **self._headers} if header else self._headers
        under_way.is_sent = True
        raw = self._transport.send(call, headers)
        status, answer_headers, body = raw[:3]
        under_way.connecting += raw[3] if len(raw) == 4 else 0.0
        under_way.rate = RateHeaders.from_headers(answer_headers)
        token = header.removeprefix("Bearer ")
        return read_answer(call, status, body, under_way.rate, [secret for secret in (token, *call.secrets()) if secret])

    def _prepare(self, under_way: _UnderWay, work: Callable[[], T]) -> T:
        """Get or renew a token, and say in the error that the request was not sent."""
        began = self.clock.monotonic()
        try:
            return work()
        except _DEFINITE as error:
            if isinstance(error, Unauthorized):
                error.is_unsent = not under_way.is_sent
            elif isinstance(error, QuotaExhausted):
                error.whose = "the agency's"
            raise
        except GHLError as error:
            raise _no_token(under_way.call, f"there is no token ({error})") from error
        finally:
            under_way.connecting += self.clock.monotonic() - began

    def _send_until_stopped(self, call: Call, charge: Charge, sent_at: float) -> Exchange:
        """Send on a thread of its own, which can be left alone: a socket that waits, or drips, does not hear a stop."""
        done: list[Exchange] = []
        thread = threading.Thread(
            target=lambda: done.append(self.send_once(call, charge, sent_at)), name="ghl-call", daemon=True
        )
        thread.start()
        while not done and thread.is_alive():
            thread.join(LONGEST_WAIT)
            if done or not thread.is_alive():
                break
            if self.stop.is_set and not call.is_awaited:
                raise Stopped("told to stop before HighLevel answered")
            if self.clock.monotonic() - sent_at >= LONGEST_ANSWER:
                return self.overdue(call, sent_at)
        return done[0]

    def overdue(self, call: Call, sent_at: float) -> Exchange:
        """The exchange of a request that has no whole answer after :data:`LONGEST_ANSWER`."""
        error = TransportError(f"no whole answer within {LONGEST_ANSWER:.0f} s", method=call.method, path=call.template)
        return Exchange(call, sent_at, self.clock.monotonic(), error, None)

    def _wait_for_slot(self, call: Call) -> float:
        while not self.stop.is_set:
            now = self.clock.monotonic()
            wait = self.reserve(call, now)
            if wait <= 0.0:
                return now
            self.sleep(wait)
        raise Stopped("told to stop before anything was sent")


def _no_token(call: Call, why: str) -> TokenUnavailable:
    return TokenUnavailable(why, method=call.method, path=call.template, sent=False)
