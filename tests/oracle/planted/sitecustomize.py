"""Python imports this by itself when its folder is on PYTHONPATH: it plants the defect that the environment names.

Only children of `tests.oracle.bites` see it; production code knows nothing of it. The settings of a deployment refuse
names they do not know, so the name is handed on to child processes under another one.
"""

import os

planted = os.environ.pop("TOUCHLINE_TEST_DEFECT", None) or os.environ.get("PLANTED_DEFECT")
if planted is not None:
    from tests.oracle.defects import plant

    os.environ["PLANTED_DEFECT"] = planted
    plant(planted)
