"""A whole table of record pairs becomes relations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

from airflow_provider_ghl.load.source.text_format import TextFormat
from airflow_provider_ghl.load.tolerance import Tolerance
from airflow_provider_ghl.operators.base import choice, duration, flag, given, number_or_none, one_of, whole_number
from airflow_provider_ghl.operators.load import LoadOperator
from airflow_provider_ghl.operators.rows_argument import RowsArgument
from airflow_provider_ghl.operators.table import templatable

if TYPE_CHECKING:
    from airflow_provider_ghl.load.kind import RowKind

__all__ = ["BulkCreateRelationsOperator"]


class BulkCreateRelationsOperator(LoadOperator):
    """Makes HighLevel hold the relations that a table of record pairs names, with a verdict for every row.

    Returns the load's summary: ``load_id``, ``rows``, a count for every outcome, ``stopped_by``, ``requests``, ``retries``,
    ``rate_limited``, ``seconds``, ``daily_remaining``, ``results_path``, ``results_cut``. Pushes the XCom ``results``: a dict
    for every row, up to ``xcom_results_limit``, those that need attention before the others. Both are pushed before the task
    fails, and neither with ``do_xcom_push=False``. With an ``execution_timeout`` the load ends up to 5 s before it, red and
    retryable, so that they are pushed then too.

    With ``location_column`` the rows may be of any number of sub-accounts, which are loaded side by side, each at its own
    limits. The summary then has ``locations``: by id a count for every outcome, ``requests`` (of this attempt),
    ``stopped_by``, ``daily_remaining``, ``reason``. One that is stopped does not hold up the others; the task ends red then.

    Exactly one source (``rows``, ``sql``, ``path``) and exactly one of ``association_id`` and ``association_key``.

    :param location_column: column of the row's sub-account (templated), instead of the connection's and of ``location_id``.
    :param association_id: the association's id (templated).
    :param association_key: its key, looked up in each sub-account (templated).
    :param rows: list of dicts, list of pairs, DataFrame, or an XComArg of these; no generator, which another try would find
        empty. Data, never evaluated as a template.
    :param sql: a query, or a ``.sql`` file of one (templated). It needs ``source_conn_id``.
    :param source_conn_id: the SQL connection that ``sql`` is for (templated).
    :param parameters: the parameters of ``sql`` (templated), in the style of the database's driver.
    :param path: a CSV, TSV, JSON Lines or Parquet file, the first three also ``.gz`` (templated): local, or any URL that
        ``ObjectStoragePath`` opens.
    :param path_conn_id: the connection that ``path`` is opened with (templated).
    :param separator: what stands between the fields of a CSV or TSV file, such as ``;``: one character. ``None``: a comma, in
        ``.tsv`` a tab.
    :param encoding: the encoding of a CSV, TSV or JSON Lines file, such as ``cp1252``: any that Python has for text.
        ``None``: UTF-8.
    :param first_record_column: column of the association's first records (templated).
    :param second_record_column: column of its second records (templated).
    :param first_object_key: the object of the first column's records, such as ``contact`` (templated). HighLevel may store an
        association the other way round than it was created, and sub-accounts may differ: where it does, the columns change
        places, and results keep the table's order. Without it the columns are the sides as HighLevel stores them.
    :param second_object_key: the object of the second column's records (templated). One of the two is enough.
    :param first_object_label: what the first column's record is to the other, for an association between two records of one
        object (templated).
    :param row_key_column: column of your own row id, carried into every result (templated).
    :param batch_size: rows that are claimed in the ledger together, before their requests go out.
    :param min_rows: fewer rows than that are red before anything is sent.
    :param diff_against: what is asked which relations are there, before any is sent. ``ledger``: what HighLevel confirmed to
        earlier loads. ``highlevel``: HighLevel itself, by pages of 100 where that is cheaper than sending. ``none``: every row
        is sent, and HighLevel says which ones were there. What an earlier attempt of this load learned is never asked again.
    :param ledger_max_age: what HighLevel has not confirmed for so long is looked up again, spread evenly over the days.
    :param failure_tolerance: rows (int) or share of rows (float in [0, 1)) that may fail before the task is red.
    :param abort_after: the same refusal so many times with no success between stops the load; until the first success, so
        many requests are in flight at most.
    :param outage_timeout: how long HighLevel may give no answers in a row. Meanwhile rows wait, and one request at a time finds
        out when it is back; after that the load is red and retryable.
    :param max_per_first: relations of the association that one first record may have. Rows beyond that, counted over the input
        and what is known to be there, are ``invalid``, where HighLevel would refuse them for a request each.
    :param max_per_second: the same for second records.
    :param max_requests: every request counts: reads and retries too. When they are spent the task is green with a warning, and
        the other rows are ``not_attempted``.
    :param plan_only: count the rows and price them; nothing is written to HighLevel. The summary has ``plan``: ``requests`` (at
        most), ``seconds`` at the current limit, ``left_today``, ``share_of_today``, ``days``.
    :param results_path: where every row's result is written, in input order, as ``.csv``, ``.jsonl`` or ``.parquet``; there
        whole or not at all (templated). Local, where missing folders are made, or any URL that ``ObjectStoragePath`` writes.
    :param results_conn_id: the connection that ``results_path`` is written with (templated).
    :param xcom_results_limit: rows in the ``results`` XCom.
    :param deferrable: where the day's quota is spent, free the slot, wait in the triggerer for the reset and go on.
    :param defer_timeout: how long to wait so in all; what would take longer is red and retryable at once.
    """

    template_fields: Sequence[str] = (
        *LoadOperator.template_fields,
        "association_id",
        "association_key",
        "first_record_column",
        "second_record_column",
        "first_object_key",
        "second_object_key",
        "first_object_label",
    )

    def __init__(
        self,
        *,
        location_column: str | None = None,
        association_id: str | None = None,
        association_key: str | None = None,
        rows: Any = None,
        sql: str | None = None,
        source_conn_id: str | None = None,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        path: str | os.PathLike[str] | None = None,
        path_conn_id: str | None = None,
        separator: str | None = None,
        encoding: str | None = None,
        first_record_column: str = "first_record_id",
        second_record_column: str = "second_record_id",
        first_object_key: str | None = None,
        second_object_key: str | None = None,
        first_object_label: str | None = None,
        row_key_column: str | None = None,
        batch_size: int = 1000,
        min_rows: int = 0,
        diff_against: str = "ledger",
        ledger_max_age: timedelta = timedelta(days=30),
        failure_tolerance: int | float = 0,
        abort_after: int = 20,
        outage_timeout: timedelta = timedelta(minutes=5),
        max_per_first: int | None = None,
        max_per_second: int | None = None,
        max_requests: int | None = None,
        plan_only: bool = False,
        results_path: str | os.PathLike[str] | None = None,
        results_conn_id: str | None = None,
        xcom_results_limit: int = 1000,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        defer_timeout: timedelta = timedelta(days=7),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.location_column = location_column
        self.association_id = association_id
        self.association_key = association_key
        self.rows = None if rows is None else RowsArgument(rows)
        self.sql = sql
        self.source_conn_id = source_conn_id
        self.parameters = parameters
        self.path = templatable(path)
        self.path_conn_id = path_conn_id
        self.text_format = TextFormat(separator, encoding)
        self.first_record_column = first_record_column
        self.second_record_column = second_record_column
        self.first_object_key = first_object_key
        self.second_object_key = second_object_key
        self.first_object_label = first_object_label
        self.row_key_column = row_key_column
        self.batch_size = whole_number("batch_size", batch_size, least=1)
        self.min_rows = whole_number("min_rows", min_rows, least=0)
        self.diff_against = choice("diff_against", diff_against, "ledger", "highlevel", "none")
        self.ledger_max_age = duration("ledger_max_age", ledger_max_age)
        self.tolerance = Tolerance(failure_tolerance)
        self.abort_after = whole_number("abort_after", abort_after, least=1)
        self.outage_timeout = duration("outage_timeout", outage_timeout)
        self.max_per_first = number_or_none("max_per_first", max_per_first, least=1)
        self.max_per_second = number_or_none("max_per_second", max_per_second, least=1)
        self.max_requests = number_or_none("max_requests", max_requests, least=1)
        self.plan_only = flag("plan_only", plan_only)
        self.results_path = templatable(results_path)
        self.results_conn_id = results_conn_id
        self.xcom_results_limit = whole_number("xcom_results_limit", xcom_results_limit, least=0)
        self.deferrable = flag("deferrable", deferrable)
        self.defer_timeout = duration("defer_timeout", defer_timeout)

    def row_kind(self) -> RowKind:
        """Pairs of records."""
        from airflow_provider_ghl.relations.kind import RelationRows
        from airflow_provider_ghl.relations.orientation import Sides

        named = one_of(association_id=self.association_id, association_key=self.association_key)
        return RelationRows(
            columns=self.columns(first_record_column=self.first_record_column, second_record_column=self.second_record_column),
            sides=Sides(given(self.first_object_key), given(self.second_object_key), given(self.first_object_label)),
            association_id=self.association_id if named == "association_id" else None,
            association_key=self.association_key if named == "association_key" else None,
            max_per_first=self.max_per_first,
            max_per_second=self.max_per_second,
        )
