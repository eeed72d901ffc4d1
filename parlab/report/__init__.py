"""Reports: pictures and tables drawn from Runs. It needs Bokeh and SciPy; only parlab/commands/report.py imports it."""
