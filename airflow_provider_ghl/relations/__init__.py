"""Rows that become relations."""
