"""Reports: charts and tables drawn from Runs. Needs Bokeh and SciPy; only parlab/commands/report.py imports it."""
