"""Airflow's side of connections: HighLevel, SQL databases, files."""
