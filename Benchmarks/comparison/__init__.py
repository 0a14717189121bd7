"""What `make bench` is made of: servers, load, accounting and the report."""
