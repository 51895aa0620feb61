"""Tests of the SDK's own logic: `python3 -m unittest discover -s sdk-python/tests -t sdk-python`. The host is a fake."""
