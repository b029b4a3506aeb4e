"""What left the table leaves HighLevel, behind guards."""
