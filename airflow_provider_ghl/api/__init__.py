"""What HighLevel is: its endpoints, answers, limits and errors. Knows no Airflow and no rows."""
