"""Who signed which founding document of the United States: HighLevel is kept equal to a table in its own keys.

The table knows people by e-mail address and documents by code. It needs one connection, ``ghl_default`` (HighLevel).
``make demo`` runs it three times against the sandbox. The third time rows have left the table.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import Param, dag

from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.relations import SyncRelationsOperator

DATA = Path(__file__).parent / "data"


@dag(
    schedule=None,
    catchup=False,
    tags=["ghl", "example"],
    doc_md=__doc__,
    params={"table": Param(str(DATA / "signatures.csv"), type="string", description="The table, a file")},
)
def ghl_signatures() -> None:
    """Create the association, then make its relations those of the table."""
    association = CreateAssociationOperator(
        task_id="create_association",
        key="signed_by",
        first_object_key="custom_objects.document",
        first_object_label="Document",
        second_object_key="contact",
        second_object_label="Signer",
    )
    load = SyncRelationsOperator(
        task_id="load_signatures",
        association_key="signed_by",
        path="{{ params.table }}",
        first_record_column="document",
        first_lookup=CustomObject("custom_objects.document", by="code"),
        second_record_column="email",
        second_lookup=Contact(by="email"),
        row_key_column="signature_id",
        parent="first",  # each document's signers become exactly the table's: what left it is deleted, from the second run on
        failure_tolerance=0.1,  # up to 10 % of the rows may fail; the results say which, and why
    )
    association >> load


ghl_signatures()
