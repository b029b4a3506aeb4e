"""A HighLevel on 127.0.0.1: associations, relations, records and OAuth, with their rules, limits and faults.

Standard library only. HighLevel offers no test accounts. The sandbox is for trying DAGs and for testing whatever calls the
API. Its answers were observed by others, specified by the vendor, or inferred: :data:`RECORDED` has the evidence of each. What
nobody knows is an argument of :class:`Sandbox`, or of :class:`Searches`.
"""

from airflow_provider_ghl.sandbox.faults import Fault
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency
from airflow_provider_ghl.sandbox.journal import StateFileError
from airflow_provider_ghl.sandbox.location import Refused
from airflow_provider_ghl.sandbox.oauth import Application
from airflow_provider_ghl.sandbox.recorded import RECORDED, Recorded
from airflow_provider_ghl.sandbox.sandbox import Sandbox
from airflow_provider_ghl.sandbox.searches import Searches
from airflow_provider_ghl.sandbox.state import State

__all__ = [
    "RECORDED",
    "Application",
    "Fault",
    "FixedAgency",
    "Recorded",
    "Refused",
    "Sandbox",
    "Searches",
    "State",
    "StateFileError",
]
