"""From the warehouse's keys to record ids. What a DAG's file names of it: plain values, whose import loads nothing heavy."""

from __future__ import annotations

from airflow_provider_ghl.lookups.values import Business, Contact, CustomObject, Lookup, Opportunity

__all__ = ["Business", "Contact", "CustomObject", "Lookup", "Opportunity"]
