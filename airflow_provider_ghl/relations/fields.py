"""The names of the result fields of a row that becomes a relation."""

from __future__ import annotations

from airflow_provider_ghl.load.results.fields import ResultFields

__all__ = ["KEY_FIELDS", "RELATION_FIELDS", "RESULT_FIELDS"]

RELATION_FIELDS = ResultFields("pair", "association_id", ("first_record_id", "second_record_id"), "relation_id")
#: The columns of a results file.
RESULT_FIELDS = RELATION_FIELDS.all
#: Where a results file has the keys: by which the first and the second record were found.
KEY_FIELDS = ("first_key", "second_key")
