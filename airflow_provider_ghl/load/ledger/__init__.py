"""What is known to be there, who is sending what, and what each load did; kept in SQLite or PostgreSQL."""
