"""What `reloader.py` is made of: worlds (versions side by side), patches (one version into another), watching, reports."""
