"""What is reported of populations of trained networks: tables, pictures and one page."""
