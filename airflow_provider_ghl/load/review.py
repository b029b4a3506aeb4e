"""Before a plan is carried out: it is made once more, and compared with what a person has reviewed."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_ghl.exceptions import GuardTripped
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.loader import run_plan
from airflow_provider_ghl.load.mirror.plan import approve, check_drift
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.results.outcomes import StoppedBy
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.load.spec import LoadSpec

__all__ = ["review"]


def review(spec: LoadSpec, ports: Ports, ledger: Ledger) -> Verdict | None:
    """Check that the plan in ``spec.mirror.apply_plan`` is still what would be done. Sends nothing that writes.

    The ledger then knows the plan by heart: a later attempt of the same load, after a wait for quota or a kill, does what is
    left of it.

    With a spent quota nothing can be checked, and nothing can be sent: the load itself ends the same way, and may wait.

    :returns: how making the plan failed; ``None`` where the load may begin.
    :raises GuardTripped: the table, or HighLevel, has changed.
    :raises LedgerError: the ledger fails.
    """
    if spec.mirror is None or (reviewed := spec.mirror.apply_plan) is None:
        return None
    verdict, plan = run_plan(replace(spec, plan_only=True), ports)
    if not verdict.is_green:
        return verdict if verdict.summary["stopped_by"] != StoppedBy.QUOTA else None
    if plan is None:
        raise GuardTripped(f"the plan could not be made once more, and nothing was sent: {verdict.message}")
    approved = ledger.approved.of(spec.load_id, reviewed)
    check_drift(reviewed, plan, approved)
    if not approved:
        ledger.approved.note(spec.load_id, reviewed, approve(plan))
    return None
