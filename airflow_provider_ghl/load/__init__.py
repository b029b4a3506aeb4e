"""What a load is: rows in, one outcome for each of them out. Knows no Airflow and sends nothing itself."""
