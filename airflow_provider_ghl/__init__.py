"""Apache Airflow provider for HighLevel (GoHighLevel)."""

__version__ = "0.1.0"
