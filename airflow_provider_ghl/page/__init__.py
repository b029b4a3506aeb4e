"""Loads, looked at in Airflow's own UI."""
