"""The commands of ``airflow ghl`` and ``python -m airflow_provider_ghl``: one description for both, and what they run."""
