"""Runs every test beside this file, with the tables and readers of test/interop. Last line: "N passed, N failed"."""

import pathlib
import sys
import unittest

here = pathlib.Path(__file__).parent
sys.path.append(str(here.parent / "interop"))
suite = unittest.defaultTestLoader.discover(str(here), pattern="*_test.py", top_level_dir=str(here))
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
failed = len({test.id() for test, _ in result.failures + result.errors})
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
