"""Who signed which founding document of the United States: a table in its own keys becomes relations.

The table knows people by e-mail address and documents by code. It needs one connection, ``ghl_default`` (HighLevel).
``make demo`` runs it twice against the sandbox.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

DATA = Path(__file__).parent / "data"


@dag(schedule=None, catchup=False, tags=["ghl", "example"], doc_md=__doc__)
def ghl_signatures() -> None:
    """Create the association, then load the table."""
    association = CreateAssociationOperator(
        task_id="create_association",
        key="signed_by",
        first_object_key="custom_objects.document",
        first_object_label="Document",
        second_object_key="contact",
        second_object_label="Signer",
    )
    load = BulkCreateRelationsOperator(
        task_id="load_signatures",
        association_key="signed_by",
        path=str(DATA / "signatures.csv"),
        first_record_column="document",
        first_lookup=CustomObject("custom_objects.document", by="code"),
        second_record_column="email",
        second_lookup=Contact(by="email"),
        row_key_column="signature_id",
        failure_tolerance=0.1,  # up to 10 % of the rows may fail; the results say which, and why
    )
    association >> load


ghl_signatures()
