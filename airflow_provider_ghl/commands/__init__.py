"""What a person types: one description for ``airflow ghl`` and ``python -m airflow_provider_ghl``, and what runs then."""
