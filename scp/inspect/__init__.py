"""What ``hounsfield inspect`` finds in files, and how it shows it: a table, JSON, a picture."""
