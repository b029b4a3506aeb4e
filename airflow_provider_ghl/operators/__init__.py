"""Airflow's side of loads and single calls."""
