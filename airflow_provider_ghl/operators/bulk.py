"""The operator that turns a whole table of record pairs into relations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk.configuration import conf

from airflow_provider_ghl.load.keys_kept import check_lookup_age
from airflow_provider_ghl.load.source.text_format import TextFormat
from airflow_provider_ghl.load.tolerance import Tolerance
from airflow_provider_ghl.lookups.values import INDEX_LAG
from airflow_provider_ghl.operators.base import (
    choice,
    duration,
    flag,
    given,
    lookup,
    number_or_none,
    one_of,
    unless_template,
    whole_number,
)
from airflow_provider_ghl.operators.load import LoadOperator
from airflow_provider_ghl.operators.rows_argument import RowsArgument
from airflow_provider_ghl.operators.table import templatable
from airflow_provider_ghl.relations.orientation import sides_of

if TYPE_CHECKING:
    from airflow_provider_ghl.load.kind import RowKind
    from airflow_provider_ghl.lookups.search import LookupBy
    from airflow_provider_ghl.lookups.values import Lookup

__all__ = ["BulkCreateRelationsOperator"]


class BulkCreateRelationsOperator(LoadOperator):
    """Creates the relations that a table of record pairs names, where they do not exist yet, with a result for every row.

    Returns the load's summary: ``load_id``, ``rows``, a count for every outcome, ``stopped_by``, ``requests``, ``retries``,
    ``rate_limited``, ``seconds``, ``daily_remaining``, ``results_path``, ``results_cut``; and ``results_table``, where one is
    given. Pushes the XCom ``results``: a dict for each row, ``xcom_results_limit`` at most; rows that need attention come
    first. Both are pushed before the task fails, and neither with ``do_xcom_push=False``. With an ``execution_timeout`` the
    load stops up to 5 s earlier (with a ``results_table`` up to 60 s), red and retryable, so that both are pushed then too.

    With ``location_column`` the rows may belong to any number of sub-accounts. These are loaded in parallel, each at its own
    limits. The summary then has ``locations``: for each id a count for every outcome, ``requests`` (of this attempt),
    ``stopped_by``, ``daily_remaining``, ``reason``. Where one of them is stopped, the others go on, and the task ends red.

    Give exactly one source (``rows``, ``sql``, ``path``) and exactly one of ``association_id`` and ``association_key``.

    :param location_column: the column of each row's sub-account (templated). It replaces the connection's sub-account and
        ``location_id``.
    :param association_id: the association's id (templated).
    :param association_key: the association's key, which is looked up in each sub-account (templated).
    :param rows: a list of dicts, a list of pairs, a DataFrame, or an XComArg of these. Not a generator: another try would find
        it empty. Rows are data and never evaluated as a template.
    :param sql: a query, or a ``.sql`` file with one (templated). It needs ``source_conn_id``.
    :param source_conn_id: the connection of the database for ``sql`` (templated).
    :param parameters: the parameters of ``sql`` (templated), in the style of the database's driver.
    :param path: a CSV, TSV, JSON Lines or Parquet file, the first three also ``.gz`` (templated): local, or any URL that
        ``ObjectStoragePath`` opens.
    :param path_conn_id: the connection that opens ``path`` (templated).
    :param separator: the character between the fields of a CSV or TSV file, such as ``;``. ``None``: a tab in ``.tsv`` files,
        else a comma.
    :param encoding: the encoding of a CSV, TSV or JSON Lines file, such as ``cp1252``: any text encoding of Python.
        ``None``: UTF-8.
    :param first_record_column: the column of the association's first records (templated).
    :param second_record_column: the column of its second records (templated).
    :param first_lookup: what the first column holds, where these are no record ids: such as ``Contact(by="email")``, from
        ``airflow_provider_ghl.lookups``. The keys are looked up in each row's sub-account. Results have the records' ids, never
        the keys.
    :param second_lookup: the same for the second column.
    :param on_unresolved: what rows are whose key names no record, or several. ``fail``: they count as failed. ``skip``: they
        are told and do not count.
    :param lookup_max_age: a key whose record HighLevel has not confirmed for this long is looked up again. These look-ups are
        spread evenly over the days. 90 days at most: the ledger keeps no key for longer without HighLevel's word.
    :param lookup_by: how keys are found that the ledger does not know. ``search``: by groups of 100. ``page``: by reading all
        records, 500 at a time. ``cheaper``: whichever takes fewer requests.
    :param phone_region: the country of phone numbers without a country code, such as ``US``. ``None``: the connection's.
    :param first_object_key: the object of the first column's records, such as ``contact`` (templated). It follows from a
        look-up. HighLevel may store an association with its sides swapped, and not in all sub-accounts alike. Where it does,
        the columns are swapped too, and results keep the table's order. With neither an object key nor a look-up the columns
        are taken in the order that HighLevel stores.
    :param second_object_key: the object of the second column's records (templated). One of the two is enough.
    :param first_object_label: the label of the first column's side, for an association between two records of one object
        (templated).
    :param row_key_column: the column of your own row key, which is copied into every result (templated).
    :param batch_size: how many rows are claimed in the ledger together, before their requests are sent.
    :param min_rows: with fewer rows the task is red before anything is sent.
    :param diff_against: where to look up which relations exist, before any is sent. ``ledger``: in what HighLevel confirmed to
        earlier loads. ``highlevel``: in HighLevel itself, by pages of 100 where that is cheaper than sending. ``none``:
        nowhere; every row is sent, and HighLevel answers which ones existed. What an earlier attempt of this load learned is
        never asked again.
    :param ledger_max_age: a relation that HighLevel has not confirmed for this long is checked again. These checks are spread
        evenly over the days.
    :param failure_tolerance: how many rows (int), or which share of the rows (float in [0, 1)), may fail before the task is
        red.
    :param abort_after: this many equal refusals with no success in between stop the load. Refusals that name a record count
        once for each record, however many rows it has. Until the first success, at most this many requests are in flight.
    :param outage_timeout: how long HighLevel may give no answer. Meanwhile rows wait, and one request at a time is sent to
        notice when it answers again. After that the load is red and retryable.
    :param max_per_first: how many relations of the association one first record may have. Rows beyond that are ``invalid``,
        counted over the input and the relations that are known to exist. HighLevel would refuse them for a request each.
    :param max_per_second: the same for second records.
    :param max_requests: how many requests the load may send, reads and retries included. When they are spent, the task is green
        with a warning, and the remaining rows are ``not_attempted``.
    :param plan_only: count the rows and estimate the cost; nothing is written to HighLevel. The summary then has ``plan``:
        ``requests`` (at most), ``seconds`` at the current limit, ``left_today``, ``share_of_today``, ``days``.
    :param results_path: the file for every row's result, in input order: ``.csv``, ``.jsonl`` or ``.parquet`` (templated). It
        is written whole or not at all. A local path, for which missing folders are made, or any URL that
        ``ObjectStoragePath`` writes.
    :param results_table: the table for every row's result, in the database of ``results_conn_id``: ``table``,
        ``schema.table`` or ``catalog.schema.table`` (templated). It is made where it is missing. The rows are written in one
        transaction at the load's end, and take the place of those of the load's earlier attempts.
    :param results_conn_id: the SQL connection of ``results_table``; without a table, the connection that writes
        ``results_path`` (templated). With both, the URL in ``results_path`` names its own: ``s3://conn_id@bucket/results.csv``.
    :param results_include_keys: whether the results file and the results table have the keys too, in the columns ``first_key``
        and ``second_key``. No other result has them.
    :param xcom_results_limit: how many rows the XCom ``results`` has at most.
    :param deferrable: where the quota of the day is spent, defer the task until the reset, then go on.
    :param defer_timeout: how long to wait for quota in all. Where a wait would exceed it, the task is red and retryable at
        once.
    """

    #: Seconds until a new record can be found by a key.
    index_lag: float = INDEX_LAG

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
        first_lookup: Lookup | None = None,
        second_lookup: Lookup | None = None,
        on_unresolved: str = "fail",
        lookup_max_age: timedelta = timedelta(days=7),
        lookup_by: str = "cheaper",
        phone_region: str | None = None,
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
        results_table: str | None = None,
        results_conn_id: str | None = None,
        results_include_keys: bool = False,
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
        self.first_lookup = lookup("first_lookup", first_lookup)
        self.second_lookup = lookup("second_lookup", second_lookup)
        self.on_unresolved = choice("on_unresolved", on_unresolved, "fail", "skip")
        self.lookup_max_age = check_lookup_age(duration("lookup_max_age", lookup_max_age))
        self.lookup_by = choice("lookup_by", lookup_by, "cheaper", "search", "page")
        self.phone_region = phone_region
        self.first_object_key = first_object_key
        self.second_object_key = second_object_key
        self.first_object_label = first_object_label
        # A contradiction is an error where the DAG is parsed, unless it stands in a template.
        sides_of(self.first_lookup, self.second_lookup, unless_template(first_object_key), unless_template(second_object_key))
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
        self.results_table = results_table
        self.results_conn_id = results_conn_id
        self.results_include_keys = flag("results_include_keys", results_include_keys)
        self.xcom_results_limit = whole_number("xcom_results_limit", xcom_results_limit, least=0)
        self.deferrable = flag("deferrable", deferrable)
        self.defer_timeout = duration("defer_timeout", defer_timeout)

    def row_kind(self) -> RowKind:
        """Pairs of records."""
        from airflow_provider_ghl.relations.kind import RelationRows

        named = one_of(association_id=self.association_id, association_key=self.association_key)
        lookups = self.first_lookup, self.second_lookup
        return RelationRows(
            columns=self.columns(first_record_column=self.first_record_column, second_record_column=self.second_record_column),
            sides=sides_of(
                *lookups,
                given(self.first_object_key),
                given(self.second_object_key),
                given(self.first_object_label),
            ),
            lookups=lookups,
            lookup_by=cast("LookupBy", self.lookup_by),
            phone_region=self.hook.phone_region(given(self.phone_region)) if any(lookups) else None,
            index_lag=self.index_lag,
            has_keys_in_file=self.results_include_keys,
            association_id=self.association_id if named == "association_id" else None,
            association_key=self.association_key if named == "association_key" else None,
            max_per_first=self.max_per_first,
            max_per_second=self.max_per_second,
        )
