"""Runs every test beside this file against the server at SLUICE_URL. Last line: "N passed, N failed"."""

import pathlib
import sys
import unittest


class Result(unittest.TextTestResult):
    def getDescription(self, test):
        return str(test)


here = pathlib.Path(__file__).parent
suite = unittest.defaultTestLoader.discover(str(here), pattern="*_test.py", top_level_dir=str(here))
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
failed = len({test.id() for test, _ in result.failures + result.errors})
print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
