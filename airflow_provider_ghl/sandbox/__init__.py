"""HighLevel on 127.0.0.1: associations, relations and OAuth with their rules, limits and faults. Standard library only.

HighLevel hands out no test accounts; this is for trying DAGs and for testing what calls the API. What it answers is what
others have observed or the vendor specified (:data:`RECORDED` says which); where nobody knows, it is settable or inferred.
"""

from airflow_provider_ghl.sandbox.faults import Fault
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency
from airflow_provider_ghl.sandbox.journal import StateFileError
from airflow_provider_ghl.sandbox.location import Refused
from airflow_provider_ghl.sandbox.oauth import Application
from airflow_provider_ghl.sandbox.recorded import RECORDED, Recorded
from airflow_provider_ghl.sandbox.sandbox import Sandbox
from airflow_provider_ghl.sandbox.state import State

__all__ = ["RECORDED", "Application", "Fault", "FixedAgency", "Recorded", "Refused", "Sandbox", "State", "StateFileError"]
