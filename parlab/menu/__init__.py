"""The menu: a task parses its arguments, calls one function and sets the exit code."""

from invoke.collection import Collection

from parlab.course.catalog import lab_files
from parlab.host.places import INSTALLED
from parlab.menu.clusters import down, execute, image, prune, shell, status, up
from parlab.menu.labs import all_labs, glossary_task, lab_task, labs, new_task
from parlab.menu.maintenance import check, pin
from parlab.menu.programs import cancel, list_jobs, logs_task, run, why
from parlab.menu.results import compare, export_task, import_record, predict, report_task, results_task
from parlab.menu.words import names_a_run, sends_a_program, words_after

PROGRAMS, RESULTS = (run, why, list_jobs, cancel), (compare, predict, import_record)
CLUSTERS = (up, down, status, shell, execute, image, prune)
namespace = Collection(labs, *PROGRAMS, *RESULTS, *CLUSTERS, auto_dash_names=False)
namespace.add_task(glossary_task(words_after("glossary")))
namespace.add_task(results_task(named=names_a_run("results")))
namespace.add_task(export_task(sends=sends_a_program("export")))
namespace.add_task(report_task(words_after("report")))
namespace.add_task(logs_task(named=words_after("logs") > 0))
lab = Collection("lab", all_labs, auto_dash_names=False)  # a lab has one name everywhere: that of its file
for file in lab_files().values():
    lab.add_task(lab_task(file))
namespace.add_collection(lab)
namespace.add_task(new_task({*namespace.task_names, "new"}))
if not INSTALLED:
    namespace.add_task(check)
    namespace.add_collection(Collection("dev", pin))  # in a group of its own: a typing error rewrites no files
